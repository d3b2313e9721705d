/** What is selected and shown, and who is told when it changes. */

import { Book, approximate } from "./book";
import { type Figure, type PageData, type PartData, QUANTITIES } from "./data";
import { compare } from "./exact";
import * as format from "./format";

export type Change = "selection" | "values" | "measure" | "path";

/** What nodes are coloured by. */
export interface Measure {
  key: string;
  label: string;
  of(row: number): number;
  ofGroup(rows: number[]): number;
  text(value: number): string;
  /** Whether the values are logarithms already. */
  logarithmic: boolean;
}

export class State {
  readonly book: Book;
  readonly rows: number;
  readonly readers: number[][];
  readonly measures: Measure[];
  measure: Measure;
  selected: number | null = null;
  showsPath = false;
  path = new Set<number>();
  private listeners: [Change[], (change: Change) => void][] = [];

  constructor(readonly data: PageData) {
    this.book = new Book(data);
    this.rows = data.layers.name.length;
    this.readers = Array.from({ length: this.rows }, () => []);
    data.layers.inputs.forEach((inputs, i) => new Set(inputs).forEach((j) => this.readers[j]?.push(i)));
    this.measures = measures(this.book);
    this.measure = this.measures.find((m) => m.key === "macs") ?? (this.measures[0] as Measure);
    this.findPath();
    this.on(["values"], () => this.findPath());
  }

  on(changes: Change[], listener: (change: Change) => void): void {
    this.listeners.push([changes, listener]);
  }

  tell(change: Change): void {
    for (const [changes, listener] of this.listeners) if (changes.includes(change)) listener(change);
  }

  select(row: number | null): void {
    if (row === this.selected) return;
    this.selected = row;
    this.tell("selection");
  }

  name(row: number): string {
    return this.data.layers.name[row] ?? "";
  }

  /** The path from an input to an output whose layers have most multiply-adds together. */
  private findPath(): void {
    const zero = { n: 0n, d: 1n };
    const most: { n: bigint; d: bigint }[] = [];
    const before: number[] = [];
    for (let i = 0; i < this.rows; i += 1) {
      const own = this.book.row("macs", i).exact ?? zero;
      let best = -1;
      for (const j of this.data.layers.inputs[i] ?? []) {
        if (best < 0 || compare(most[j] ?? zero, most[best] ?? zero) > 0) best = j;
      }
      const sofar = best < 0 ? zero : (most[best] ?? zero);
      most.push({ n: own.n * sofar.d + sofar.n * own.d, d: own.d * sofar.d });
      before.push(best);
    }
    let end = -1;
    for (const o of this.data.outputs) if (end < 0 || compare(most[o] ?? zero, most[end] ?? zero) > 0) end = o;
    this.path = new Set();
    for (let i = end; i >= 0; i = before[i] ?? -1) this.path.add(i);
  }
}

function measures(book: Book): Measure[] {
  const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const known = (values: number[]) => values.filter((v) => !Number.isNaN(v));
  const found: Measure[] = QUANTITIES.map(([key, label]) => ({
    key,
    label,
    of: (row) => approximate(book.row(key, row).exact),
    ofGroup: (rows) => total(rows.map((row) => approximate(book.row(key, row).exact))),
    text: (value) => (book.data.units[key] === "bytes" ? format.shortBytes(value) : format.short(value)),
    logarithmic: false,
  }));
  const side = (row: number) => {
    const sizes = book.data.layers.field[row]?.[0]?.size as Figure[] | undefined;
    return sizes?.length ? Math.max(...sizes.map((s) => approximate(book.of(s).exact))) : NaN;
  };
  found.push({
    key: "field",
    label: "Receptive field",
    of: side,
    ofGroup: (rows) => Math.max(...known(rows.map(side)), -Infinity),
    text: (value) => `${format.short(value)} wide`,
    logarithmic: false,
  });
  const { gradients } = book.data;
  for (const [key, label] of [["expected", "Gradient, expected"], ["upper", "Gradient, bound"]] as const) {
    const column = gradients?.[key];
    if (!column?.some((v) => v !== null)) continue;
    const of = (row: number) => column[row] ?? NaN;
    found.push({
      key,
      label,
      of,
      ofGroup: (rows) => Math.max(...known(rows.map(of)), -Infinity),
      text: format.log10,
      logarithmic: true,
    });
  }
  return found;
}

/** All rows of a part. */
export function rowsOf(part: PartData): number[] {
  return typeof part === "number" ? [part] : part[2].flatMap(rowsOf);
}
