/** Values of the symbols: every figure with a closed form follows. */

import { byId, h } from "./dom";
import type { State } from "./state";

export class SlidersView {
  private readonly frame = document.getElementById("sliders") as HTMLElement; // only where there are symbols

  constructor(private readonly state: State) {
    if (!state.data.symbols.length) return;
    this.frame.append(...state.data.symbols.map((symbol) => this.slider(symbol)));
    const reset = h("button", { type: "button", id: "reset", click: () => this.reset() }, "As at the start");
    this.frame.append(reset);
    this.say();
  }

  private slider({ name, value, min, max }: State["data"]["symbols"][number]): HTMLElement {
    const most = max ?? Math.max(4 * value, min + 16);
    const range = h("input", { type: "range", min, max: most, value, "aria-label": name, "data-symbol": name });
    const number = h("input", { type: "number", min, ...(max === null ? {} : { max }), value, "aria-label": `${name}, exact` });
    range.addEventListener("input", () => {
      number.value = range.value;
      this.move(name, range.value);
    });
    number.addEventListener("change", () => {
      const text = /^\d{1,30}$/.test(number.value) ? number.value : String(value);
      let exact = BigInt(text);
      if (exact < BigInt(min)) exact = BigInt(min);
      if (max !== null && exact > BigInt(max)) exact = BigInt(max);
      number.value = String(exact);
      range.value = String(exact);
      this.move(name, String(exact));
    });
    return h("div", { class: "slider" }, h("label", {}, h("b", {}, name), range, number));
  }

  private move(name: string, text: string): void {
    this.state.book.move(new Map([[name, BigInt(text)]]));
    this.state.tell("values");
    this.say();
  }

  private reset(): void {
    this.state.book.move(this.state.book.start);
    for (const input of this.frame.querySelectorAll<HTMLInputElement>("input")) input.value = input.defaultValue;
    this.state.tell("values");
    this.say();
  }

  private say(): void {
    const { book } = this.state;
    const said = byId("sliders-said");
    said.classList.toggle("broken", book.broken.length > 0);
    document.body.classList.toggle("invalid", book.broken.length > 0);
    if (book.broken.length) {
      said.textContent = `The formulas do not hold here: they assume ${book.broken.join(" and ")}.`;
    } else if (book.moved) {
      said.textContent = "Recomputed exactly. What is grey has no closed form, and is that of the first values.";
    } else said.textContent = "";
  }
}
