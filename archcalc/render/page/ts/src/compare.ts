/** Two networks side by side: what changed in colour, pairs of layers linked. */

import type { GroupData, PartData } from "./data";
import { byId, svg } from "./dom";
import { counted, fitted } from "./format";
import { type Box, HEADER, type Level, WIDTH, first, groupId, laidOut, last, path } from "./layout";

export interface SideData {
  layers: { name: string[]; type: string[]; shape: string[]; inputs: number[][] };
  tree: PartData[];
  kind: string[];
  text: string[];
  partner: (number | null)[];
}

const GRAVEST = ["removed", "inserted", "moved", "changed", "rewired", "renamed"];
const MOST_OPEN = 60; // groups that are open at the start

class Side {
  private readonly open = new Set<string>();
  private readonly groups = new Map<string, GroupData>();
  private readonly nodes = new Map<string, SVGGElement>();
  private chosen = -1;

  constructor(
    private readonly data: SideData,
    private readonly frame: HTMLElement,
    private readonly choose: (row: number) => void,
  ) {
    this.collect(data.tree);
    this.openChanged();
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  private collect(parts: readonly PartData[]): void {
    for (const part of parts) {
      if (typeof part === "number") continue;
      this.groups.set(groupId(part), part);
      this.collect(part[2]);
    }
  }

  /** Groups in which something changed are open. */
  openChanged(): void {
    this.open.clear();
    for (const [id, group] of this.groups) {
      const changed = this.kindOf(first(group), last(group));
      if (changed && changed !== "renamed" && this.open.size < MOST_OPEN) this.open.add(id);
    }
    this.draw();
  }

  openAll(): void {
    for (const id of this.groups.keys()) if (this.open.size < 4 * MOST_OPEN) this.open.add(id);
    this.draw();
  }

  select(row: number | null): void {
    this.chosen = row ?? -1;
    if (row !== null) {
      let opened = false;
      for (const [id, group] of this.groups) {
        if (first(group) <= row && row <= last(group) && !this.open.has(id)) {
          this.open.add(id);
          opened = true;
        }
      }
      if (opened) this.draw();
    }
    this.mark();
    this.bring();
  }

  private kindOf(from: number, to: number): string {
    const kinds = new Set(this.data.kind.slice(from, to + 1));
    return GRAVEST.find((kind) => kinds.has(kind)) ?? "";
  }

  private draw(): void {
    this.nodes.clear();
    const level = laidOut(this.data.tree, this.data.layers.inputs, this.open);
    const drawing = svg("svg", { role: "group", "aria-label": "The layers", viewBox: `0 0 ${level.width} ${level.height}` });
    this.level(level, drawing);
    const scale = Math.min(1, Math.max(0.6, (this.frame.clientWidth - 4) / level.width));
    drawing.setAttribute("width", String(level.width * scale));
    drawing.setAttribute("height", String(level.height * scale));
    this.frame.replaceChildren(drawing);
    this.nodes.values().next().value?.setAttribute("tabindex", "0");
    this.mark();
  }

  private level(level: Level, into: SVGElement): void {
    for (const link of level.links) into.append(svg("path", { class: "edge", d: path(link.points) }));
    for (const port of [level.entry, level.exit]) {
      if (port) into.append(svg("circle", { class: "port", cx: port.x, cy: port.y, r: 3 }));
    }
    for (const box of level.boxes) {
      const node = this.node(box);
      into.append(node);
      if (!box.inner) continue;
      const inside = svg("g", { transform: `translate(${(box.width - box.inner.width) / 2} ${HEADER})` });
      this.level(box.inner, inside);
      node.append(inside);
    }
  }

  private node(box: Box): SVGGElement {
    const { layers, text } = this.data;
    const group = typeof box.part === "number" ? null : box.part;
    const kind = this.kindOf(box.first, box.last);
    const title = group ? group[0] : (layers.name[box.first] ?? "");
    const line = (y: number, style: string, words: string) => svg("text", { class: style, x: 10, y }, words);
    const spoken = group
      ? `${title}, group of ${counted(box.last - box.first + 1, "layer")}${kind ? `, with changes` : ""}`
      : `${title}, ${layers.type[box.first]}, ${text[box.first] || "unchanged"}`;
    const style = kind ? `kind-${kind}` : "";
    const node = svg("g", {
      class: `node ${group ? (box.inner ? "open" : "group") : "layer"} ${box.inner ? "" : style}`,
      transform: `translate(${box.x} ${box.y})`,
      role: "button",
      tabindex: "-1",
      "data-id": box.id,
      "aria-label": spoken,
      ...(group ? { "aria-expanded": String(Boolean(box.inner)) } : {}),
    });
    if (group && !box.inner) node.append(svg("rect", { class: "shadow", x: 5, y: 5, width: box.width, height: box.height, rx: 6 }));
    node.append(svg("rect", { class: "body", width: box.width, height: box.height, rx: 6 }), svg("title", {}, spoken));
    const sign = group ? (box.inner ? "▾ " : "▸ ") : "";
    node.append(line(box.inner ? 19 : 20, "name", sign + fitted(title, WIDTH - 34, true)));
    if (!box.inner) {
      const below = group ? counted(box.last - box.first + 1, "layer") : `${layers.type[box.first]} ${layers.shape[box.first]}`;
      node.append(line(36, "kind", fitted(below, WIDTH - 18)));
      node.append(line(52, "value", fitted(group ? kind && "with changes" : (text[box.first] ?? ""), WIDTH - 18)));
    }
    node.addEventListener("click", (event) => {
      event.stopPropagation();
      this.activate(box.id);
    });
    this.nodes.set(box.id, node);
    return node;
  }

  private activate(id: string): void {
    if (id.startsWith("r")) return this.choose(Number(id.slice(1)));
    if (!this.open.delete(id)) this.open.add(id);
    this.draw();
    this.focus(id);
  }

  private focus(id: string): void {
    for (const node of this.nodes.values()) node.setAttribute("tabindex", "-1");
    const node = this.nodes.get(id);
    node?.setAttribute("tabindex", "0");
    node?.focus({ preventScroll: true });
  }

  private key(event: KeyboardEvent): void {
    const ids = [...this.nodes.keys()];
    const id = (event.target as Element).closest<SVGGElement>(".node")?.dataset["id"] ?? "";
    const at = ids.indexOf(id);
    if (event.key === "Enter" || event.key === " ") this.activate(id);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = ids[Math.min(Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0), ids.length - 1)];
      if (next) this.focus(next);
      this.nodes.get(next ?? "")?.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  private mark(): void {
    for (const [id, node] of this.nodes) node.classList.toggle("selected", id === `r${this.chosen}`);
  }

  private bring(): void {
    const node = this.nodes.get(`r${this.chosen}`)?.getBoundingClientRect();
    const frame = this.frame.getBoundingClientRect();
    if (!node) return;
    this.frame.scrollTop += node.top - frame.top - frame.height / 2 + node.height / 2;
    this.frame.scrollLeft += node.left - frame.left - frame.width / 2 + node.width / 2;
  }
}

export function compare(sides: SideData[]): void {
  if (sides.length < 2) return;
  const views = sides.map((data, k) => new Side(data, byId(`side${k}`), (row) => choose(k, row)));
  const choose = (side: number, row: number) => {
    const data = sides[side] as SideData;
    const partner = data.partner[row] ?? null;
    views[side]?.select(row);
    views[1 - side]?.select(partner);
    const other = partner === null ? "in the other network: nothing" : `in the other network: ${sides[1 - side]?.layers.name[partner]}`;
    byId("chosen").textContent = `${data.layers.name[row]}: ${data.text[row] || "unchanged"}; ${other}`;
  };
  byId("open-all").addEventListener("click", () => views.forEach((view) => view.openAll()));
  byId("close-all").addEventListener("click", () => views.forEach((view) => view.openChanged()));
}
