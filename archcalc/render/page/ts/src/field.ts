/** The receptive field on an image: a layer, a unit, its exact box, what of it exists, its effective spread. */

import { approximate } from "./book";
import { type Seen, type Span, axes, seen } from "./boxes";
import { byId, h, svg } from "./dom";
import { counted } from "./format";
import { scene } from "./scene";
import type { State } from "./state";

const SIDE = 460; // of the drawing, in its own units
const STRIP = 70; // height of an input with one axis

export class FieldView {
  private row: number;
  private input = 0;
  private readonly unit = new Map<number, number>();
  private readonly picture = byId("field-image");
  private readonly map = byId("field-units");
  private readonly controls = byId("field-controls");
  private readonly text = byId("field-text");
  private readonly photo: HTMLImageElement | null;

  constructor(private readonly state: State) {
    this.photo = document.querySelector<HTMLImageElement>("#photo");
    this.row = this.usual();
    this.middle();
    state.on(["selection"], () => this.follow());
    state.on(["values"], () => this.draw());
    this.draw();
  }

  /** The last layer that has positions along each axis, and sees not everything. */
  private usual(): number {
    const { field } = this.state.data.layers;
    for (let row = this.state.rows - 1; row >= 0; row -= 1) {
      const known = field[row]?.[0];
      if (known && !known.whole?.some((w) => w) && this.units(row).length) return row;
    }
    return Math.max(0, field.findIndex((fields) => fields.some((f) => f)));
  }

  private view(row = this.row) {
    const { layers } = this.state.data;
    const number = layers.view[row]?.[this.input] ?? -1;
    return number < 0 ? null : (layers.views[number] ?? null);
  }

  /** The output axes of a row along which its box moves, with their sizes. */
  private units(row = this.row): [number, number][] {
    const view = this.view(row);
    const shape = this.state.data.layers.shape[row] ?? [];
    const start = (k: number) => {
      const size = shape[k];
      const plain = typeof size === "object" && size !== null ? ("e" in size ? size.v : "f" in size ? size.f : 1) : size;
      return Number(plain ?? 1);
    };
    return view ? axes(view).map((axis) => [axis, start(axis)]) : [];
  }

  private follow(): void {
    const row = this.state.selected;
    if (row === null) return;
    this.row = row;
    if (!this.view()) {
      const other = this.state.data.inputs.findIndex((_, k) => (this.state.data.layers.view[row]?.[k] ?? -1) >= 0);
      if (other >= 0) this.input = other;
    }
    this.middle();
    this.draw();
  }

  private middle(): void {
    this.unit.clear();
    for (const [axis, size] of this.units()) this.unit.set(axis, Math.floor(size / 2));
  }

  // -- drawing ------------------------------------------------------------------------------------
  private draw(): void {
    const shape = this.state.data.inputs[this.input]?.[1] ?? [];
    const view = this.view();
    this.drawControls();
    if (!view || !view.length) {
      this.picture.replaceChildren();
      this.map.replaceChildren();
      this.text.textContent = this.state.data.layers.field.some((f) => f.some((x) => x))
        ? `${this.state.name(this.row)} sees nothing of this input along an axis.`
        : "The input has no spatial axes: every unit sees all of it.";
      return;
    }
    const spans = view.map((axis) => seen(axis, this.unit));
    const extents = view.map((_, k) => Number(shape[k] ?? 1));
    this.drawPicture(spans, extents);
    this.drawUnits();
    this.say(spans, extents);
    byId("field-stale").hidden = !this.state.book.moved;
  }

  private drawControls(): void {
    const { state } = this;
    const parts: (Node | null)[] = [];
    if (state.data.inputs.length > 1) {
      const choice = h(
        "select",
        { id: "field-input", change: () => this.chooseInput(Number(choice.value)) },
        ...state.data.inputs.map(([name], k) => h("option", { value: k, selected: k === this.input }, name)),
      );
      parts.push(h("label", {}, "Input ", choice));
    }
    parts.push(h("span", { class: "layer" }, `Layer ${state.name(this.row)}`));
    for (const [axis, size] of this.units()) {
      const field = h("input", {
        type: "number",
        min: 0,
        max: size - 1,
        value: this.unit.get(axis) ?? 0,
        "data-axis": axis,
        "aria-label": `Position along axis ${axis} of ${size}`,
        change: () => this.move(axis, Number(field.value)),
      });
      parts.push(h("label", {}, `${this.axisName(axis)} `, field, ` of ${size}`));
    }
    const axis = document.activeElement?.getAttribute("data-axis");
    this.controls.replaceChildren(...parts.filter((p): p is Node => p !== null));
    if (axis) this.controls.querySelector<HTMLElement>(`[data-axis="${axis}"]`)?.focus();
  }

  private axisName(axis: number): string {
    const count = this.units().length;
    if (count === 1) return "position";
    return axis === this.units()[0]?.[0] ? "row" : axis === this.units()[1]?.[0] ? "column" : `axis ${axis}`;
  }

  private chooseInput(input: number): void {
    this.input = input;
    this.middle();
    this.draw();
  }

  private move(axis: number, to: number): void {
    const size = this.units().find(([a]) => a === axis)?.[1] ?? 1;
    this.unit.set(axis, Math.min(Math.max(Math.round(to) || 0, 0), size - 1));
    this.draw();
  }

  /** The input with the boxes on it; an input with one axis is a strip, of more than two the first two are drawn. */
  private drawPicture(spans: Seen[], extents: number[]): void {
    const flat = extents.length > 1;
    const [rows, columns] = flat ? [extents[0] as number, extents[1] as number] : [1, extents[0] as number];
    const vertical = flat ? (spans[0] as Seen) : null;
    const horizontal = (flat ? spans[1] : spans[0]) as Seen;
    const reach = this.reach(vertical, horizontal, rows, columns, flat);
    const scale = SIDE / Math.max(reach.width, flat ? reach.height : 0);
    const height = flat ? reach.height * scale : STRIP;
    const x = (units: number) => (units - reach.left) * scale;
    const y = (units: number) => (flat ? (units - reach.top) * scale : units * STRIP);
    const drawing = svg("svg", {
      viewBox: `0 0 ${reach.width * scale} ${height}`,
      role: "img",
      "aria-label": `The input with the box that one unit of ${this.state.name(this.row)} sees`,
    });
    drawing.append(this.background(x(0), y(0), columns * scale, flat ? rows * scale : STRIP));
    const rect = (style: string, v: Span | null, u: Span | null) => {
      if (!u || (flat && !v)) return;
      const [top, bottom] = flat && v ? [y(v.first), y(v.last + 1)] : [3, STRIP - 3];
      const width = Math.max((u.last + 1 - u.first) * scale, 1);
      drawing.append(svg("rect", { class: style, x: x(u.first), y: top, width, height: Math.max(bottom - top, 1) }));
    };
    rect("box-all", vertical?.box ?? null, horizontal.box);
    if (vertical?.whole || horizontal.whole) rect("box-local", vertical?.local ?? null, horizontal.local);
    rect("box-exists", vertical?.exists ?? null, horizontal.exists);
    this.drawGaussian(drawing, vertical, horizontal, x, y, scale, flat);
    this.picture.replaceChildren(drawing);
  }

  /** The part of the plane to draw: the input, and the box as far as it is not much larger. */
  private reach(v: Seen | null, u: Seen, rows: number, columns: number, flat: boolean) {
    const wide = (span: Span | null, size: number): [number, number] => {
      const margin = Math.max(1, 0.02 * size);
      const first = Math.max(span ? span.first : 0, -0.75 * size);
      const last = Math.min(span ? span.last + 1 : size, 1.75 * size);
      return [Math.min(0, first) - margin, Math.max(size, last) + margin];
    };
    const [left, right] = wide(u.box, columns);
    const [top, bottom] = flat ? wide(v?.box ?? null, rows) : [0, 1];
    return { left, top, width: right - left, height: bottom - top };
  }

  private background(x: number, y: number, width: number, height: number): SVGElement {
    if (this.photo) {
      return svg("image", { href: this.photo.src, x, y, width, height, preserveAspectRatio: "none" });
    }
    return scene(x, y, width, height);
  }

  private drawGaussian(
    drawing: SVGElement,
    v: Seen | null,
    u: Seen,
    x: (n: number) => number,
    y: (n: number) => number,
    scale: number,
    flat: boolean,
  ): void {
    const sigma = this.sigma();
    const around = (s: Seen | null) => s && (s.local ?? s.box);
    const [vertical, horizontal] = [around(v), around(u)];
    if (!sigma || !horizontal || (flat && !vertical)) return;
    const middle = (span: Span) => (span.first + span.last + 1) / 2;
    const cx = x(middle(horizontal));
    const [su, sv] = flat ? [sigma[1] as number, sigma[0] as number] : [sigma[0] as number, 0];
    for (const times of [2, 1]) {
      if (flat && vertical) {
        const at = { cx, cy: y(middle(vertical)), rx: Math.max(times * su * scale, 1), ry: Math.max(times * sv * scale, 1) };
        drawing.append(svg("ellipse", { class: `gaussian sigma${times}`, ...at }));
      } else {
        const width = Math.max(2 * times * su * scale, 2);
        drawing.append(svg("rect", { class: `gaussian sigma${times}`, x: cx - width / 2, y: 0, width, height: STRIP }));
      }
    }
  }

  private sigma(): number[] | null {
    const sigma = this.state.data.layers.field[this.row]?.[this.input]?.sigma;
    if (!sigma || !sigma.every((s) => typeof s === "number")) return null;
    return sigma as number[];
  }

  // -- the units --------------------------------------------------------------------------------
  private drawUnits(): void {
    const units = this.units();
    const [first, second] = units;
    if (!first) {
      this.map.replaceChildren(h("p", { class: "hint" }, "All units of this layer see the same."));
      return;
    }
    const [rows, columns] = second ? [first[1], second[1]] : [1, first[1]];
    const cell = Math.min(200 / columns, 200 / rows);
    const [width, height] = [columns * cell, second ? rows * cell : 26];
    const drawing = svg("svg", { viewBox: `-1 -1 ${width + 2} ${height + 2}`, class: "units" });
    drawing.append(svg("rect", { class: "plane", width, height }));
    if (cell >= 4) {
      let grid = "";
      for (let k = 1; k < columns; k += 1) grid += `M${k * cell} 0V${height}`;
      if (second) for (let k = 1; k < rows; k += 1) grid += `M0 ${k * cell}H${width}`;
      drawing.append(svg("path", { class: "grid", d: grid }));
    }
    const [r, c] = second ? [this.unit.get(first[0]) ?? 0, this.unit.get(second[0]) ?? 0] : [0, this.unit.get(first[0]) ?? 0];
    const size = Math.max(cell, 4);
    const at = { x: (c + 0.5) * cell - size / 2, y: second ? (r + 0.5) * cell - size / 2 : 0 };
    drawing.append(svg("rect", { class: "unit", ...at, width: size, height: second ? size : height }));
    drawing.addEventListener("click", (event) => {
      const frame = drawing.getBoundingClientRect();
      const across = ((event.clientX - frame.left) / frame.width) * columns;
      const down = ((event.clientY - frame.top) / frame.height) * rows;
      if (second) this.unit.set(first[0], Math.min(Math.max(Math.floor(down), 0), rows - 1));
      this.unit.set((second ?? first)[0], Math.min(Math.max(Math.floor(across), 0), columns - 1));
      this.draw();
    });
    const caption = `${second ? `${rows}×${columns}` : counted(columns, "position")}: click a unit`;
    this.map.replaceChildren(drawing, h("p", { class: "hint" }, caption));
  }

  /** The boxes in words. */
  private say(spans: Seen[], extents: number[]): void {
    const names = extents.length === 1 ? ["positions"] : ["rows", "columns", "slices"];
    const span = (s: Span) => `${s.first} to ${s.last} (${s.last - s.first + 1})`.replaceAll("-", "−");
    const line = (label: string, style: string, of: (s: Seen) => string) =>
      h("li", {}, h("span", { class: `key ${style}` }), `${label}: ${spans.map((s, k) => `${names[k] ?? `axis ${k}`} ${of(s)}`).join(", ")}`);
    const items = [
      line("Sees", "box-all", (s) => s.why || (s.box ? span(s.box) : "nothing")),
      line("of which exist", "box-exists", (s) => s.whyNot || (s.exists ? span(s.exists) : "none")),
    ];
    if (spans.some((s) => s.whole)) {
      items.push(line("Local path", "box-local", (s) => (s.local ? span(s.local) : "none: the whole axis is read")));
    }
    const sigma = this.sigma();
    const spread = this.state.data.layers.field[this.row]?.[this.input]?.sigma;
    if (sigma) {
      const text = sigma.map((s) => s.toFixed(1)).join(" and ");
      items.push(h("li", {}, h("span", { class: "key gaussian" }), `Effective field: σ ${text}; drawn at σ and 2σ around the middle of the ${spans.some((s) => s.whole) ? "local " : ""}box`));
    } else if (spread) {
      const why = spread.find((s) => typeof s === "object" && s !== null);
      items.push(h("li", {}, h("span", { class: "key" }), `Effective field: unknown${typeof why === "object" && why ? `; ${why.u}` : ""}`));
    }
    this.text.replaceChildren(h("ul", {}, ...items));
  }

  /** For the chart of growth. */
  static side(state: State, row: number, input: number, which: "size" | "local"): number {
    const field = state.data.layers.field[row]?.[input];
    const figures = which === "local" ? (field?.local ?? field?.size) : field?.size;
    return figures?.length ? Math.max(...figures.map((f) => approximate(state.book.of(f).exact))) : NaN;
  }
}
