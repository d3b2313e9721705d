/** The data of a page, as archcalc/render/page/data.py writes it. */

import type { Atom, Expression } from "./exact";

/** A figure: exact, a closed form with its first value, without closed form, unknown, or without meaning. */
export type Plain = number | string | null | { u: string };
export type Figure = Plain | { e: number; v: Plain } | { f: Plain; why: number };

/** `[name, times, parts]`; a part is a row or a group. */
export type GroupData = readonly [string, number, readonly PartData[]];
export type PartData = number | GroupData;

/** The ends of a box along one axis: `[axis, whole, lo, hi, domains]`, ends as `[step, value of each phase]`. */
export type IndexMap = readonly [number | null, number, End, End, readonly (readonly number[])[]];
export type End = readonly (number | null | string)[];
export type Run = readonly [number, number, number];

export interface AxisView {
  maps: readonly IndexMap[] | string;
  clip: readonly [number | null, readonly Run[], readonly Run[]] | string;
}

export interface FieldData {
  size: Figure[];
  min?: Figure[];
  step: Figure[];
  offset: Figure[];
  local?: Figure[];
  whole?: boolean[];
  sigma?: Plain[];
}

export interface Layers {
  name: string[];
  type: string[];
  inputs: number[][];
  shared: (number | null)[];
  shape: Figure[][];
  arguments: number[];
  texts: string[];
  view: number[][];
  views: AxisView[][];
  field: (FieldData | null)[][];
  [quantity: string]: unknown;
}

export interface Gradients {
  upper: (number | null)[];
  lower: (number | null)[];
  expected: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  cause: Record<string, string>;
  points: [string, string][];
}

export interface PageData {
  name: string;
  inputs: [string, number[]][];
  outputs: number[];
  batch: number;
  totals: Record<string, Figure>;
  units: Record<string, string>;
  layers: Layers;
  tree: PartData[];
  memory: {
    steps: [number, number | string][];
    peak: Plain;
    at: number | null;
    held: [number, number | string][];
    best: Plain;
    optimal: boolean;
    same: boolean;
    inputs: Plain;
  };
  gradients: Gradients | null;
  limits: Record<string, [number, number]>;
  symbols: { name: string; value: number; min: number; max: number | null }[];
  conditions: [string, Figure, string, Figure][];
  whys: string[];
  noSliders: string;
  noGradients: string;
  expressions: Expression[];
  atoms: Atom[];
}

/** The quantities that every layer has, with their labels. */
export const QUANTITIES: readonly [string, string][] = [
  ["parameters", "Parameters"],
  ["macs", "MACs"],
  ["elementwise_operations", "Elementwise"],
  ["activation_bytes", "Activations"],
  ["training_activation_bytes", "Kept for training"],
];
