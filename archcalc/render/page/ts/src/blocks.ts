/** Parameters and multiply-adds by block, as bars. */

import { approximate } from "./book";
import type { PartData } from "./data";
import { byId, h } from "./dom";
import { exact } from "./format";
import { first } from "./layout";
import { type State, rowsOf } from "./state";

const COLUMNS: [string, string][] = [
  ["parameters", "Parameters"],
  ["macs", "MACs"],
];

export function blocks(state: State): void {
  const parts = state.data.tree;
  const sums = COLUMNS.map(([key]) => parts.map((part) => state.book.sum(key, rowsOf(part))));
  const totals = sums.map((column) => column.reduce((total, x) => total + (approximate(x) || 0), 0));
  const rows = parts.map((part, k) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("button", { type: "button", class: "link", click: () => state.select(first(part)) }, title(state, part))),
      ...sums.map((column, c) => {
        const value = column[k] ?? null;
        const share = totals[c] ? (100 * approximate(value)) / totals[c] : 0;
        const bar = h("span", { class: "bar" });
        bar.style.width = `${share || 0}%`;
        const text = value ? `${exact(value)} (${share.toFixed(1)} %)` : "unknown";
        return h("td", {}, h("span", { class: "track" }, bar), h("span", { class: "amount" }, text));
      }),
    ),
  );
  byId("blocks").replaceChildren(
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Block"), ...COLUMNS.map(([, t]) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...rows),
    ),
  );
}

function title(state: State, part: PartData): string {
  if (typeof part === "number") return state.name(part);
  return part[1] > 1 ? `${part[0]} (${part[1]} alike)` : part[0];
}
