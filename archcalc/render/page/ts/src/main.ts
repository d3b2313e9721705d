/** The page: reads its data, and makes the parts of the page that compute. */

import { blocks } from "./blocks";
import * as charts from "./charts";
import { type SideData, compare } from "./compare";
import type { PageData } from "./data";
import { DetailsView } from "./details";
import { byId } from "./dom";
import { FieldView } from "./field";
import { GraphView } from "./graph";
import { SlidersView } from "./sliders";
import { State } from "./state";
import { TableView } from "./table";
import { totals } from "./totals";

function theme(): void {
  const root = document.documentElement;
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset["theme"]
      ? root.dataset["theme"] === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset["theme"] = dark ? "light" : "dark";
  });
}

/** What is not in view is drawn when the browser has time. */
function later(work: () => void): void {
  setTimeout(work, 0);
}

function start(): void {
  const read = JSON.parse(byId("data").textContent ?? "") as PageData | { sides: SideData[] };
  theme();
  if ("sides" in read) {
    compare(read.sides);
    document.body.classList.add("complete");
  } else report(read);
}

function report(data: PageData): void {
  const state = new State(data);
  const follow = () => {
    totals(state);
    later(() => {
      blocks(state);
      charts.growth(state);
    });
  };
  state.on(["values"], follow);
  totals(state);
  new SlidersView(state);
  new GraphView(state);
  new DetailsView(state);
  document.body.classList.add("ready");
  performance.mark("first-picture");
  const curves = () => {
    charts.growth(state);
    charts.memory(state);
    charts.gradients(state);
  };
  later(() => {
    new TableView(state);
    new FieldView(state);
    blocks(state);
    curves();
    let width = innerWidth;
    addEventListener("resize", () => {
      if (width !== innerWidth) later(curves);
      width = innerWidth;
    });
    document.body.classList.add("complete");
  });
}

start();
