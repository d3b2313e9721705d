/** The headline figures and the formulas, at the sliders' values. */

import type { State } from "./state";

export function totals(state: State): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-total]")) {
    const value = state.book.total(element.dataset["total"] as string);
    element.textContent = value.text;
    element.classList.toggle("stale", value.stale);
    element.title = value.why;
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-fixed]")) {
    element.classList.toggle("stale", state.book.moved);
  }
}
