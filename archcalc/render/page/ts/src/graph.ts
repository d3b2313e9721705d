/** The picture of the network: groups that open, colours by a figure, links to the table. */

import type { GroupData, PartData } from "./data";
import { byId, h, svg } from "./dom";
import { counted, fitted } from "./format";
import { type Box, HEADER, type Level, WIDTH, type Link, groupId, laidOut, last, first, path } from "./layout";
import { type State, rowsOf } from "./state";

const LEVELS = 8;
const ROOM = WIDTH - 18; // for a text in a node
const MOST_OPEN = 1200; // rows that "Open all" shows at once

export class GraphView {
  private readonly open = new Set<string>();
  private readonly frame = byId("graph");
  private readonly nodes = new Map<string, SVGGElement>();
  private readonly groups = new Map<string, GroupData>();
  private level!: Level;
  private scale = 1;
  private focused = "";

  constructor(private readonly state: State) {
    this.collect(state.data.tree);
    this.toolbar();
    this.pan();
    this.draw();
    this.fit();
    state.on(["values", "measure", "path"], () => this.draw());
    state.on(["selection"], () => this.reveal());
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  private collect(parts: readonly PartData[]): void {
    for (const part of parts) {
      if (typeof part === "number") continue;
      this.groups.set(groupId(part), part);
      this.collect(part[2]);
    }
  }

  // -- drawing ------------------------------------------------------------------------------------
  private draw(): void {
    const { state } = this;
    this.nodes.clear();
    this.level = laidOut(state.data.tree, state.data.layers.inputs, this.open);
    const drawing = svg("svg", { role: "group", "aria-label": `The layers of ${state.data.name}` });
    const values = this.values(this.level);
    this.drawLevel(this.level, drawing, values);
    this.frame.replaceChildren(drawing);
    this.zoom(this.scale);
    this.legend(values);
    const first = this.nodes.get(this.focused) ?? this.nodes.values().next().value;
    first?.setAttribute("tabindex", "0");
    this.mark();
  }

  private drawLevel(level: Level, into: SVGElement, values: Map<string, number>): void {
    for (const link of level.links) into.append(this.line(link));
    for (const port of [level.entry, level.exit]) {
      if (port) into.append(svg("circle", { class: "port", cx: port.x, cy: port.y, r: 3 }));
    }
    const most = Math.max(...[...values.values()].filter(Number.isFinite));
    const least = Math.min(...[...values.values()].filter(Number.isFinite));
    for (const box of level.boxes) {
      const node = this.node(box, colour(values.get(box.id) ?? NaN, least, most, this.state.measure.logarithmic));
      into.append(node);
      if (box.inner) {
        const shift = (box.width - box.inner.width) / 2;
        const inside = svg("g", { transform: `translate(${shift} ${HEADER})` });
        this.drawLevel(box.inner, inside, values);
        node.append(inside);
      }
    }
  }

  private line(link: Link): SVGElement {
    const on = this.state.showsPath && this.onPath(link.from) && this.onPath(link.to);
    return svg("path", { class: on ? "edge on-path" : "edge", d: path(link.points) });
  }

  private onPath(box: Box | null): boolean {
    if (!box) return true;
    for (let row = box.first; row <= box.last; row += 1) if (this.state.path.has(row)) return true;
    return false;
  }

  private node(box: Box, level: number): SVGGElement {
    const { state } = this;
    const group = typeof box.part === "number" ? null : box.part;
    const path_ = state.showsPath && this.onPath(box) ? " on-path" : "";
    const node = svg("g", {
      class: `node ${group ? (box.inner ? "open" : "group") : "layer"} level${level}${path_}`,
      transform: `translate(${box.x} ${box.y})`,
      role: "button",
      tabindex: "-1",
      "data-id": box.id,
      "aria-label": this.spoken(box),
      ...(group ? { "aria-expanded": String(Boolean(box.inner)) } : {}),
    });
    if (group && !box.inner) {
      node.append(svg("rect", { class: "shadow", x: 5, y: 5, width: box.width, height: box.height, rx: 6 }));
    }
    node.append(svg("rect", { class: "body", width: box.width, height: box.height, rx: 6 }));
    node.append(...this.texts(box, group));
    node.append(svg("title", {}, this.spoken(box)));
    node.addEventListener("click", (event) => {
      event.stopPropagation();
      this.activate(box.id);
    });
    node.addEventListener("focus", () => this.focus(box.id, false));
    this.nodes.set(box.id, node);
    return node;
  }

  private texts(box: Box, group: GroupData | null): SVGElement[] {
    const { state } = this;
    const line = (y: number, style: string, text: string) => svg("text", { class: style, x: 10, y }, text);
    const title = group ? group[0] : state.name(box.first);
    const rows = box.last - box.first + 1;
    if (group && box.inner) {
      const times = group[1] > 1 ? ` × ${group[1]}` : "";
      return [line(19, "name", `▾ ${fitted(title, box.width - 60, true)}${times}`)];
    }
    const value = state.measure.text(this.valueOf(box));
    if (group) {
      const times = group[1] > 1 ? `${group[1]} alike, ` : "";
      return [
        line(20, "name", `▸ ${fitted(title, ROOM - 14, true)}`),
        line(36, "kind", `${times}${counted(rows, "layer")}`),
        line(52, "value", value === "NaN" ? "unknown" : value),
      ];
    }
    const kind = state.data.layers.type[box.first] ?? "";
    return [
      line(20, "name", fitted(title, ROOM, true)),
      line(36, "kind", fitted(`${kind} ${state.book.shape(box.first)}`, ROOM)),
      line(52, "value", value === "NaN" ? "unknown" : value),
    ];
  }

  private spoken(box: Box): string {
    const { state } = this;
    const value = `${state.measure.label}: ${state.measure.text(this.valueOf(box))}`;
    if (typeof box.part === "number") {
      return `${state.name(box.first)}, ${state.data.layers.type[box.first]}, output ${state.book.shape(box.first)}, ${value}`;
    }
    const times = box.part[1] > 1 ? `${box.part[1]} alike, ` : "";
    return `${box.part[0]}, group of ${times}${counted(box.last - box.first + 1, "layer")}, ${value}`;
  }

  // -- colours ------------------------------------------------------------------------------------
  private valueOf(box: Box): number {
    return typeof box.part === "number" ? this.state.measure.of(box.part) : this.state.measure.ofGroup(rowsOf(box.part));
  }

  private values(level: Level, into = new Map<string, number>()): Map<string, number> {
    for (const box of level.boxes) {
      if (box.inner) this.values(box.inner, into);
      else into.set(box.id, this.valueOf(box));
    }
    return into;
  }

  private legend(values: Map<string, number>): void {
    const { measure } = this.state;
    const known = [...values.values()].filter(Number.isFinite);
    const swatches = Array.from({ length: LEVELS + 1 }, (_, k) => h("span", { class: `swatch level${k}` }));
    const ends = known.length ? [measure.text(Math.min(...known)), measure.text(Math.max(...known))] : ["unknown", ""];
    byId("legend").replaceChildren(
      h("span", {}, `${measure.label}: ${ends[0]} `),
      ...swatches,
      h("span", {}, ` ${ends[1]}`),
    );
  }

  // -- opening, selecting ---------------------------------------------------------------------------
  private activate(id: string): void {
    this.focused = id;
    if (id.startsWith("r")) this.state.select(Number(id.slice(1)));
    else this.toggle(id);
  }

  private toggle(id: string): void {
    const before = this.nodes.get(id)?.getBoundingClientRect();
    if (!this.open.delete(id)) this.open.add(id);
    this.focused = id;
    this.draw();
    const node = this.nodes.get(id);
    const after = node?.getBoundingClientRect();
    if (before && after) {
      // what was clicked stays where it was
      this.frame.scrollLeft += after.left + after.width / 2 - before.left - before.width / 2;
      this.frame.scrollTop += after.top - before.top;
    }
    node?.focus({ preventScroll: true });
  }

  /** Open the groups around the selected row, and bring it into view. */
  private reveal(): void {
    const row = this.state.selected;
    if (row === null) return this.mark();
    let opened = false;
    for (const [id, group] of this.groups) {
      if (first(group) <= row && row <= last(group) && !this.open.has(id)) {
        this.open.add(id);
        opened = true;
      }
    }
    this.focused = `r${row}`;
    if (opened) this.draw();
    this.mark();
    this.bring(this.focused);
  }

  private mark(): void {
    for (const [id, node] of this.nodes) {
      const on = id === `r${this.state.selected}`;
      node.classList.toggle("selected", on);
      if (id.startsWith("r")) node.setAttribute("aria-pressed", String(on));
    }
  }

  private bring(id: string): void {
    const node = this.nodes.get(id)?.getBoundingClientRect();
    const frame = this.frame.getBoundingClientRect();
    if (!node) return;
    if (node.top < frame.top + 8 || node.bottom > frame.bottom - 8) {
      this.frame.scrollTop += node.top - frame.top - frame.height / 2 + Math.min(node.height, frame.height) / 2;
    }
    if (node.left < frame.left + 8 || node.right > frame.right - 8) {
      this.frame.scrollLeft += node.left - frame.left - frame.width / 2 + Math.min(node.width, frame.width) / 2;
    }
  }

  private focus(id: string, move: boolean): void {
    this.nodes.get(this.focused)?.setAttribute("tabindex", "-1");
    this.focused = id;
    const node = this.nodes.get(id);
    node?.setAttribute("tabindex", "0");
    if (move) {
      node?.focus({ preventScroll: true });
      this.bring(id);
    }
  }

  // -- keyboard, zoom, drag -------------------------------------------------------------------------
  private key(event: KeyboardEvent): void {
    const ids = [...this.nodes.keys()];
    const at = ids.indexOf(this.focused);
    const step: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: ids.length - 1 };
    const isOpen = this.open.has(this.focused);
    if (event.key in step) {
      const next = ids[Math.min(Math.max(step[event.key] as number, 0), ids.length - 1)];
      if (next) this.focus(next, true);
    } else if (event.key === "Enter" || event.key === " ") this.activate(this.focused);
    else if (event.key === "ArrowRight" && this.groups.has(this.focused) && !isOpen) this.toggle(this.focused);
    else if (event.key === "ArrowLeft" && isOpen) this.toggle(this.focused);
    else if (event.key === "ArrowLeft") this.closeAround();
    else if (event.key === "+" || event.key === "=") this.zoom(this.scale * 1.2);
    else if (event.key === "-") this.zoom(this.scale / 1.2);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  private closeAround(): void {
    const node = this.nodes.get(this.focused);
    const around = node?.parentElement?.closest<SVGGElement>(".node")?.dataset["id"];
    if (around) this.toggle(around);
  }

  private zoom(scale: number): void {
    this.scale = Math.min(Math.max(scale, 0.1), 3);
    const drawing = this.frame.firstElementChild as SVGSVGElement;
    drawing.setAttribute("viewBox", `0 0 ${this.level.width} ${this.level.height}`);
    drawing.setAttribute("width", String(this.level.width * this.scale));
    drawing.setAttribute("height", String(this.level.height * this.scale));
  }

  /** As wide as the frame, as long as it can be read. */
  private fit(): void {
    this.zoom(Math.min(1, Math.max(0.55, (this.frame.clientWidth - 4) / this.level.width)));
  }

  private pan(): void {
    let from: { x: number; y: number; left: number; top: number } | null = null;
    this.frame.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY, left: this.frame.scrollLeft, top: this.frame.scrollTop };
    });
    window.addEventListener("pointermove", (event) => {
      if (!from) return;
      this.frame.scrollLeft = from.left - (event.clientX - from.x);
      this.frame.scrollTop = from.top - (event.clientY - from.y);
    });
    window.addEventListener("pointerup", () => (from = null));
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(this.scale * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
    };
    this.frame.addEventListener("wheel", wheel, { passive: false });
  }

  private toolbar(): void {
    const { state } = this;
    const choice = byId<HTMLSelectElement>("colour");
    choice.replaceChildren(...state.measures.map((m) => h("option", { value: m.key, selected: m === state.measure }, m.label)));
    choice.addEventListener("change", () => {
      state.measure = state.measures.find((m) => m.key === choice.value) ?? state.measure;
      state.tell("measure");
    });
    const path_ = byId<HTMLInputElement>("path");
    path_.addEventListener("change", () => {
      state.showsPath = path_.checked;
      state.tell("path");
    });
    byId("open-all").addEventListener("click", () => {
      for (const id of this.groups.keys()) this.open.add(id);
      if (state.rows > MOST_OPEN) this.openUpTo(MOST_OPEN);
      this.draw();
    });
    byId("close-all").addEventListener("click", () => {
      this.open.clear();
      this.draw();
      this.frame.scrollTop = 0;
    });
    byId("zoom-in").addEventListener("click", () => this.zoom(this.scale * 1.25));
    byId("zoom-out").addEventListener("click", () => this.zoom(this.scale / 1.25));
    byId("zoom-fit").addEventListener("click", () => this.fit());
    this.search();
  }

  /** The outer groups only, while they show no more than so many parts. */
  private openUpTo(most: number): void {
    this.open.clear();
    let shown = this.state.data.tree.length;
    for (const [id, group] of this.groups) {
      shown += group[2].length;
      if (shown > most) return;
      this.open.add(id);
    }
  }

  private search(): void {
    const field = byId<HTMLInputElement>("search");
    const said = byId("search-said");
    let hits: number[] = [];
    let at = -1;
    field.addEventListener("input", () => {
      const text = field.value.trim().toLowerCase();
      hits = text ? this.matching(text) : [];
      at = -1;
      said.textContent = text ? `${counted(hits.length, "layer")}; Enter shows the next` : "";
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !hits.length) return;
      at = (at + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
      this.state.select(hits[at] as number);
      said.textContent = `${at + 1} of ${hits.length}: ${this.state.name(hits[at] as number)}`;
    });
  }

  private matching(text: string): number[] {
    const { name, type } = this.state.data.layers;
    return name.flatMap((n, i) => (n.toLowerCase().includes(text) || type[i]?.toLowerCase().includes(text) ? [i] : []));
  }
}

/** 0 (nothing, or unknown) to `LEVELS`; counts over four powers of ten. */
function colour(value: number, least: number, most: number, logarithmic: boolean): number {
  if (!Number.isFinite(value)) return 0;
  if (logarithmic) return most > least ? 1 + Math.round(((value - least) / (most - least)) * (LEVELS - 1)) : 1;
  if (value <= 0) return 0;
  return Math.max(1, Math.round(LEVELS + (2 * Math.log10(value / most)) || 0));
}
