#!/bin/sh
# Whether page.js and page.css are what their sources give, and the tests of these; for `make test`.
cd "$(dirname "$0")" || exit
if ! command -v npm >/dev/null; then
  echo "node is missing: only a hash says whether page.js is current (apt-get install nodejs npm)"
elif [ -d node_modules ] || npm ci --silent --no-audit --no-fund >/dev/null 2>&1; then
  npm run --silent check && npm run --silent test || exit 1
else
  echo "npm ci failed: only a hash says whether page.js is current"
fi
command -v chromium >/dev/null ||
  echo "chromium is missing: tests of pages in a browser are left out (apt-get install chromium)"
