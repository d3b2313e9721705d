/** Where the parts of a network stand: each open group is laid out by itself, and is one box in what is around it. */

import { Graph, layout as dagreLayout } from "@dagrejs/dagre";
import type { GroupData, PartData } from "./data";

export interface Point {
  x: number;
  y: number;
}

export interface Box {
  id: string;
  part: PartData;
  first: number;
  last: number;
  x: number; // of the upper left corner, inside the box around it
  y: number;
  width: number;
  height: number;
  inner: Level | null; // of an open group
}

export interface Link {
  points: Point[];
  from: Box | null; // null: it enters, or leaves, the group
  to: Box | null;
}

export interface Level {
  boxes: Box[];
  links: Link[];
  width: number;
  height: number;
  entry: Point | null;
  exit: Point | null;
}

export const WIDTH = 196;
export const HEIGHT = 60;
export const HEADER = 28;
const PADDING = 12;

export const first = (part: PartData): number => (typeof part === "number" ? part : first(part[2][0] as PartData));
export const last = (part: PartData): number =>
  typeof part === "number" ? part : last(part[2][part[2].length - 1] as PartData);

/** The level of these parts; `open` holds the identifiers of the groups that are open. */
export function laidOut(
  parts: readonly PartData[],
  inputs: readonly (readonly number[])[],
  open: ReadonlySet<string>,
  outside = false,
): Level {
  const boxes = parts.map((part) => boxOf(part, inputs, open));
  const graph = new Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 26, edgesep: 12, marginx: PADDING, marginy: PADDING });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const box of boxes) graph.setNode(box.id, { width: box.width, height: box.height });
  for (const [from, to] of edges(boxes, inputs, outside)) {
    for (const port of [from, to]) {
      if (typeof port === "string" && !graph.hasNode(port)) graph.setNode(port, { width: 8, height: 8 });
    }
    graph.setEdge(typeof from === "string" ? from : from.id, typeof to === "string" ? to : to.id);
  }
  dagreLayout(graph);
  for (const box of boxes) {
    const at = graph.node(box.id) as Point;
    box.x = at.x - box.width / 2;
    box.y = at.y - box.height / 2;
  }
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const links = graph.edges().map((edge) => {
    const from = byId.get(edge.v) ?? null;
    const to = byId.get(edge.w) ?? null;
    const { points } = graph.edge(edge) as { points: Point[] };
    return { from, to, points: joined(points, from, to) };
  });
  const { width, height } = graph.graph() as { width: number; height: number };
  const port = (name: string) => (graph.hasNode(name) ? (graph.node(name) as Point) : null);
  return { boxes, links, width: Math.max(width, 1), height: Math.max(height, 1), entry: port("in"), exit: port("out") };
}

function boxOf(part: PartData, inputs: readonly (readonly number[])[], open: ReadonlySet<string>): Box {
  const id = typeof part === "number" ? `r${part}` : groupId(part);
  const box: Box = {
    id,
    part,
    first: first(part),
    last: last(part),
    x: 0,
    y: 0,
    width: WIDTH,
    height: HEIGHT,
    inner: null,
  };
  if (typeof part !== "number" && open.has(id)) {
    box.inner = laidOut(part[2], inputs, open, true);
    box.width = Math.max(box.inner.width, WIDTH);
    box.height = box.inner.height + HEADER;
  }
  return box;
}

export const groupId = (group: GroupData): string => `g${first(group)}-${last(group)}-${group[1]}`;

type End = Box | "in" | "out";

/** The edges between the boxes of one level, each once, and those that cross its border. */
function edges(boxes: Box[], inputs: readonly (readonly number[])[], outside: boolean): [End, End][] {
  const found = new Map<string, [End, End]>();
  const start = boxes[0]?.first ?? 0;
  const end = boxes[boxes.length - 1]?.last ?? -1;
  const boxAt: Box[] = [];
  for (const box of boxes) for (let row = box.first; row <= box.last; row += 1) boxAt[row] = box;
  const add = (from: End, to: End) => {
    if (from !== to) found.set(`${typeof from === "string" ? from : from.id}>${typeof to === "string" ? to : to.id}`, [from, to]);
  };
  for (let row = start; row < inputs.length; row += 1) {
    for (const source of inputs[row] ?? []) {
      if (row <= end) {
        if (source >= start) add(boxAt[source] as Box, boxAt[row] as Box);
        else if (outside) add("in", boxAt[row] as Box);
      } else if (outside && source >= start && source <= end) add(boxAt[source] as Box, "out");
    }
  }
  return [...found.values()];
}

/** A link that ends where the layers inside an open group are entered and left. */
function joined(points: Point[], from: Box | null, to: Box | null): Point[] {
  const all = points.map(({ x, y }) => ({ x, y }));
  const begin = all[0] as Point;
  const end = all[all.length - 1] as Point;
  if (from) {
    begin.x = from.inner?.exit ? from.x + from.inner.exit.x : Math.min(Math.max(begin.x, from.x + 14), from.x + from.width - 14);
    begin.y = from.y + from.height;
  }
  if (to) {
    end.x = to.inner?.entry ? to.x + to.inner.entry.x : Math.min(Math.max(end.x, to.x + 14), to.x + to.width - 14);
    end.y = to.y;
  }
  return all;
}

/** A smooth line through the points. */
export function path(points: Point[]): string {
  const at = (p: Point) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`;
  const [start, ...rest] = points as [Point, ...Point[]];
  let text = `M${at(start)}`;
  let previous = start;
  for (const p of rest) {
    const middle = (previous.y + p.y) / 2;
    text += ` C${at({ x: previous.x, y: middle })} ${at({ x: p.x, y: middle })} ${at(p)}`;
    previous = p;
  }
  return text;
}
