/** Curves along the layers: growth of the field, memory, gradients; a click selects the layer. */

import { approximate } from "./book";
import { byId, h, svg } from "./dom";
import { FieldView } from "./field";
import { log10, short, shortBytes } from "./format";
import type { State } from "./state";

const HEIGHT = 250;
const LEFT = 64;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 34;

export interface Curve {
  name: string;
  style: string;
  points: [number, number][]; // (position, value)
  area?: boolean;
  band?: [number, number, number][]; // (position, low, high)
}

export interface Mark {
  name: string;
  value: number;
}

interface Chart {
  id: string;
  label: string;
  curves: Curve[];
  marks: Mark[];
  logarithmic: boolean;
  text(value: number): string;
  rowAt(position: number): number;
  positions: number;
  x: string;
}

function draw(state: State, chart: Chart): void {
  const frame = byId(chart.id);
  const width = Math.max(frame.clientWidth, 260); // one unit of the drawing is one pixel
  const finite = [
    ...chart.curves.flatMap((c) => [...c.points.map(([, v]) => v), ...(c.band ?? []).flatMap(([, a, b]) => [a, b])]),
    ...chart.marks.map((m) => m.value),
  ].filter(Number.isFinite);
  if (!finite.length) {
    frame.replaceChildren(h("p", { class: "hint" }, "Nothing to draw: no layer has this figure."));
    return;
  }
  const scale = chart.logarithmic ? (v: number) => Math.log10(Math.max(v, 1)) : (v: number) => v;
  const [low, high] = [Math.min(...finite.map(scale)), Math.max(...finite.map(scale))];
  const bottom = chart.curves.some((c) => c.area) ? 0 : low;
  const range = high - bottom || 1;
  const x = (position: number) => LEFT + (position / Math.max(chart.positions - 1, 1)) * (width - LEFT - RIGHT);
  const y = (value: number) => TOP + (1 - (scale(value) - bottom) / range) * (HEIGHT - TOP - BOTTOM);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": chart.label });
  for (const value of ticks(bottom, high, chart.logarithmic)) {
    drawing.append(
      svg("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, chart.text(value)),
    );
  }
  for (const curve of chart.curves) drawing.append(...curveShapes(curve, x, y));
  for (const mark of chart.marks) {
    drawing.append(
      svg("line", { class: "mark", x1: LEFT, x2: width - RIGHT, y1: y(mark.value), y2: y(mark.value) }),
      svg("text", { class: "mark-name", x: width - RIGHT - 4, y: y(mark.value) - 4, "text-anchor": "end" }, mark.name),
    );
  }
  drawing.append(svg("text", { class: "tick", x: LEFT, y: HEIGHT - 8 }, chart.x));
  const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  drawing.append(cursor);
  const said = h("p", { class: "readout" }, legend(chart));
  frame.replaceChildren(drawing, said);
  hover(state, chart, drawing, cursor, said, x, width);
}

const legend = (chart: Chart): HTMLElement =>
  h("span", {}, ...chart.curves.map((c) => h("span", { class: "legend" }, h("span", { class: `key ${c.style}` }), `${c.name} `)));

function curveShapes(curve: Curve, x: (p: number) => number, y: (v: number) => number): SVGElement[] {
  const shapes: SVGElement[] = [];
  const at = (p: number, v: number) => `${x(p).toFixed(1)} ${y(v).toFixed(1)}`;
  if (curve.band?.length) {
    const upper = curve.band.map(([p, , b]) => at(p, b));
    const lower = curve.band.map(([p, a]) => at(p, a)).reverse();
    shapes.push(svg("path", { class: `band ${curve.style}`, d: `M${[...upper, ...lower].join("L")}Z` }));
  }
  for (const run of runs(curve.points)) {
    const line = run.map(([p, v]) => at(p, v)).join("L");
    const [first, last] = [run[0] as [number, number], run[run.length - 1] as [number, number]];
    if (curve.area) {
      shapes.push(svg("path", { class: `area ${curve.style}`, d: `M${at(first[0], 0)}L${line}L${at(last[0], 0)}Z` }));
    }
    if (run.length === 1) shapes.push(svg("circle", { class: `dot ${curve.style}`, cx: x(first[0]), cy: y(first[1]), r: 2.5 }));
    shapes.push(svg("path", { class: `curve ${curve.style}`, d: `M${line}` }));
  }
  return shapes;
}

/** Stretches of known points. */
function runs(points: [number, number][]): [number, number][][] {
  const found: [number, number][][] = [];
  let run: [number, number][] = [];
  for (const point of points) {
    if (Number.isFinite(point[1])) run.push(point);
    else if (run.length) {
      found.push(run);
      run = [];
    }
  }
  if (run.length) found.push(run);
  return found;
}

function ticks(low: number, high: number, logarithmic: boolean): number[] {
  if (logarithmic) {
    const found = [];
    const every = Math.max(1, Math.ceil((high - low) / 5));
    for (let k = Math.ceil(low); k <= high; k += every) found.push(10 ** k);
    return found.length ? found : [10 ** low];
  }
  const raw = (high - low || 1) / 5;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5, 10].find((m) => m * unit >= raw) ?? 10);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6; v += step) found.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return found;
}

function hover(state: State, chart: Chart, drawing: SVGSVGElement, cursor: SVGElement, said: HTMLElement, x: (p: number) => number, width: number): void {
  const position = (event: MouseEvent): number => {
    const frame = drawing.getBoundingClientRect();
    const inside = ((event.clientX - frame.left) / frame.width) * width - LEFT;
    const share = inside / (width - LEFT - RIGHT);
    return Math.min(Math.max(Math.round(share * (chart.positions - 1)), 0), chart.positions - 1);
  };
  drawing.addEventListener("mousemove", (event) => {
    const at = position(event);
    cursor.setAttribute("x1", String(x(at)));
    cursor.setAttribute("x2", String(x(at)));
    cursor.setAttribute("visibility", "visible");
    const values = chart.curves.flatMap((c) => {
      const value = c.points.find(([p]) => p === at)?.[1];
      return value !== undefined && Number.isFinite(value) ? [`${c.name} ${chart.text(value)}`] : [];
    });
    said.textContent = `${state.name(chart.rowAt(at))}: ${values.join(", ") || "unknown"}`;
  });
  drawing.addEventListener("mouseleave", () => {
    cursor.setAttribute("visibility", "hidden");
    said.replaceChildren(legend(chart));
  });
  drawing.addEventListener("click", (event) => state.select(chart.rowAt(position(event))));
}

// -- the charts -----------------------------------------------------------------------------------
export function growth(state: State): void {
  const rows = Array.from({ length: state.rows }, (_, i) => i);
  const curve = (which: "size" | "local"): [number, number][] => rows.map((i) => [i, FieldView.side(state, i, 0, which)]);
  const input = state.data.inputs[0]?.[1] ?? [];
  const side = Math.max(...input.slice(0, -1).map(Number), input.length === 1 ? Number(input[0]) : 0);
  const some = rows.some((i) => {
    const [all, local] = [FieldView.side(state, i, 0, "size"), FieldView.side(state, i, 0, "local")];
    return Number.isFinite(local) && local !== all;
  });
  draw(state, {
    id: "growth",
    label: "Receptive field by layer",
    curves: [
      { name: "receptive field", style: "c1", points: curve("size") },
      ...(some ? [{ name: "along the local path", style: "c2", points: curve("local") }] : []),
    ],
    marks: side > 0 ? [{ name: `the input: ${side}`, value: side }] : [],
    logarithmic: true,
    text: short,
    rowAt: (p) => p,
    positions: state.rows,
    x: "layers, from the input to the output",
  });
}

export function memory(state: State): void {
  const { steps } = state.data.memory;
  draw(state, {
    id: "memory",
    label: "Bytes alive at each step of the forward pass",
    curves: [{ name: "alive in the forward pass", style: "c1", area: true, points: steps.map(([, size], k) => [k, Number(size)]) }],
    marks: steps.length ? [{ name: `peak: ${state.book.of(state.data.memory.peak, "bytes").text}`, value: approximate(state.book.of(state.data.memory.peak).exact) }] : [],
    logarithmic: false,
    text: shortBytes,
    rowAt: (p) => steps[p]?.[0] ?? 0,
    positions: steps.length,
    x: "steps of the forward pass, in Keras's order",
  });
}

export function gradients(state: State): void {
  const { gradients: g } = state.data;
  if (!g) return;
  const points = (column: (number | null)[]): [number, number][] => column.map((v, i) => [i, v ?? NaN]);
  const band = g.low.flatMap((low, i): [number, number, number][] => {
    const high = g.high[i];
    return typeof low === "number" && typeof high === "number" ? [[i, low, high]] : [];
  });
  const known = [...g.upper, ...g.expected, ...g.low].filter((v): v is number => v !== null);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const marks = Object.entries(state.data.limits).flatMap(([name, [low, high]]) => [
    ...(low > least && low < most ? [{ name: `${name}: zero below`, value: low }] : []),
    ...(high < most && high > least ? [{ name: `${name}: infinite above`, value: high }] : []),
  ]);
  draw(state, {
    id: "gradients",
    label: "Gradient by layer",
    curves: [
      { name: "at most (Jacobian of the output)", style: "c2", points: points(g.upper) },
      { name: "at least", style: "c3", points: points(g.lower) },
      { name: "expected at initialisation, with its 90 % band", style: "c1", points: points(g.expected), band },
    ],
    marks,
    logarithmic: false,
    text: log10,
    rowAt: (p) => p,
    positions: state.rows,
    x: "layers, from the input to the output",
  });
}
