/** The selected layer: what it is told, its figures, its neighbours. */

import { QUANTITIES } from "./data";
import { byId, h } from "./dom";
import { log10 } from "./format";
import type { State } from "./state";

export class DetailsView {
  private readonly frame = byId("details");

  constructor(private readonly state: State) {
    state.on(["selection", "values"], () => this.draw());
    this.draw();
  }

  private draw(): void {
    const { state } = this;
    const row = state.selected;
    if (row === null) {
      this.frame.replaceChildren(h("p", { class: "hint" }, "Choose a layer in the picture or in the table."));
      return;
    }
    const { layers } = state.data;
    const list = h("dl", {}, ...this.figures(row).flatMap(([term, text, stale, why]) => [
      h("dt", {}, term),
      h("dd", { class: stale ? "stale" : "", title: why || null }, text),
    ]));
    this.frame.replaceChildren(
      h("h3", { dir: "auto" }, state.name(row)),
      h("p", { class: "kind" }, layers.type[row] ?? ""),
      h("p", { class: "arguments" }, layers.texts[layers.arguments[row] ?? -1] ?? ""),
      list,
      ...this.neighbours("Reads", layers.inputs[row] ?? []),
      ...this.neighbours("Is read by", state.readers[row] ?? []),
    );
  }

  private figures(row: number): [string, string, boolean, string][] {
    const { book, data } = this.state;
    const found: [string, string, boolean, string][] = [
      ["Output", book.shape(row), book.isStale(data.layers.shape[row] ?? []), ""],
    ];
    for (const [key, label] of QUANTITIES) {
      const value = book.row(key, row);
      found.push([label, value.text, value.stale, value.why]);
    }
    data.inputs.forEach(([name], k) => {
      const value = book.field(row, k);
      const label = data.inputs.length > 1 ? `Field in ${name}` : "Receptive field";
      if (value.text !== "—") found.push([label, value.text, value.stale, value.why]);
    });
    const { gradients } = data;
    if (gradients) {
      const band = [gradients.low[row], gradients.high[row]];
      const range = typeof band[0] === "number" ? ` (${log10(band[0])} to ${log10(band[1])})` : "";
      found.push(["Gradient, expected", log10(gradients.expected[row]) + range, book.moved, ""]);
      const cause = gradients.cause[row];
      found.push(["Gradient, at most", cause ? `no bound: ${cause}` : log10(gradients.upper[row]), book.moved, ""]);
    }
    return found;
  }

  private neighbours(title: string, rows: number[]): HTMLElement[] {
    if (!rows.length) return [];
    const link = (row: number) =>
      h("button", { type: "button", class: "link", click: () => this.state.select(row) }, this.state.name(row));
    return [h("p", { class: "neighbours" }, h("span", {}, `${title} `), ...rows.map(link))];
  }
}
