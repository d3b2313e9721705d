/** The exact box that a unit sees, from the maps and runs of its layer. */

import type { AxisView, End, IndexMap, Run } from "./data";

export interface Span {
  first: number;
  last: number;
}

/** The box along one axis: all of it, without paths that read the whole axis, and what exists. */
export interface Seen {
  box: Span | null;
  local: Span | null; // null where there is no path but those
  exists: Span | null; // null: nothing
  whole: boolean;
  why: string; // why `box` is unknown
  whyNot: string; // why `exists` is unknown
}

/** The output axes along which a box of this view moves. */
export function axes(view: readonly AxisView[]): number[] {
  const found = new Set<number>();
  for (const { maps, clip } of view) {
    if (typeof maps !== "string") {
      for (const [axis, , , , domains] of maps) {
        if (axis !== null) found.add(axis);
        for (const domain of domains) found.add(domain[0] as number);
      }
    }
    if (typeof clip !== "string" && clip[0] !== null) found.add(clip[0]);
  }
  return [...found].sort((a, b) => a - b);
}

export function seen(view: AxisView, at: ReadonlyMap<number, number>): Seen {
  const result: Seen = { box: null, local: null, exists: null, whole: false, why: "", whyNot: "" };
  if (typeof view.maps === "string") result.why = view.maps;
  else {
    for (const map of view.maps) {
      const span = mapped(map, at);
      if (!span) continue;
      result.box = hull(result.box, span);
      if (map[1]) result.whole = true;
      else result.local = hull(result.local, span);
    }
  }
  if (typeof view.clip === "string") result.whyNot = view.clip;
  else {
    const [axis, first, last] = view.clip;
    const unit = axis === null ? 0 : (at.get(axis) ?? 0);
    const span = { first: value(first, unit), last: value(last, unit) };
    result.exists = span.first < 0 || span.last < span.first ? null : span;
  }
  return result;
}

function hull(a: Span | null, b: Span): Span {
  return a ? { first: Math.min(a.first, b.first), last: Math.max(a.last, b.last) } : b;
}

function mapped([axis, , lo, hi, domains]: IndexMap, at: ReadonlyMap<number, number>): Span | null {
  for (const [along, start, stop] of domains) {
    const unit = at.get(along as number) ?? 0;
    if (unit < (start as number) || unit >= (stop as number)) return null;
  }
  const unit = axis === null ? 0 : (at.get(axis) ?? 0);
  const first = endpoint(lo, unit);
  const last = endpoint(hi, unit);
  return first === null || last === null ? null : { first, last };
}

function endpoint([step, ...values]: End, unit: number): number | null {
  const phase = values[unit % values.length];
  if (phase === null || phase === undefined) return null;
  return Number(step) * Math.floor(unit / values.length) + Number(phase);
}

function value(runs: readonly Run[], unit: number): number {
  let rest = unit;
  for (const [length, start, step] of runs) {
    if (rest < length) return start + step * rest;
    rest -= length;
  }
  return runs.length === 1 && runs[0]?.[0] === 1 ? runs[0][1] : -2;
}
