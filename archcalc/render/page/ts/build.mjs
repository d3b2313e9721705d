// Builds ../page.js and ../page.css; with --check says whether the built files are current, with --test runs the tests.
import { build } from "esbuild";
import { readFile, readdir, writeFile, mkdtemp } from "node:fs/promises";
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const common = { bundle: true, write: false, target: "es2022", absWorkingDir: here, logLevel: "warning" };

/** Over the names and contents of all that the assets are built from; tests/render/page/test_assets.py has it too. */
async function sourcesHash() {
  const names = (await readdir(path.join(here, "src"))).map((name) => path.join("src", name));
  const files = [...names, "build.mjs", "package-lock.json"];
  files.sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1));
  const hash = createHash("sha256");
  for (const file of files) hash.update(path.basename(file) + "\0").update(await readFile(path.join(here, file))).update("\0");
  return hash.digest("hex").slice(0, 16);
}

async function built() {
  const sources = `/* sources ${await sourcesHash()} */`;
  const script = await build({
    ...common,
    entryPoints: ["src/main.ts"],
    format: "iife",
    minify: true,
    legalComments: "none",
    // the licence of what is bundled
    banner: { js: `${sources} /* archcalc; with @dagrejs/dagre, (c) Chris Pettitt, MIT licence */` },
  });
  const style = await build({ ...common, entryPoints: ["src/page.css"], minify: true, banner: { css: sources } });
  return { "page.js": script.outputFiles[0].text, "page.css": style.outputFiles[0].text };
}

async function test() {
  const folder = await mkdtemp(path.join(tmpdir(), "archcalc-page-"));
  const out = await build({
    ...common,
    entryPoints: ["test/exact.test.ts"],
    platform: "node",
    format: "esm",
    external: ["node:*"],
  });
  const file = path.join(folder, "exact.test.mjs");
  await writeFile(file, out.outputFiles[0].text);
  process.exitCode = spawnSync(process.execPath, ["--test", "--test-reporter=dot", file], { stdio: "inherit" }).status ?? 1;
}

if (process.argv.includes("--test")) {
  await test();
} else {
  for (const [name, text] of Object.entries(await built())) {
    const file = path.join(here, "..", name);
    if (!process.argv.includes("--check")) {
      await writeFile(file, text);
    } else if ((await readFile(file, "utf8").catch(() => "")) !== text) {
      console.error(`archcalc/render/page/${name} is not what its sources give: run npm run build in ${path.basename(here)}/`);
      process.exitCode = 1;
    }
  }
}
