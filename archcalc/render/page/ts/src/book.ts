/** Every figure of the page at the sliders' values. */

import type { FieldData, Figure, PageData } from "./data";
import { ClosedForms, type Rational, add, compare, parsed, rational } from "./exact";
import * as format from "./format";

/** `stale`: the figure is that of the first values, since it has no closed form. */
export interface Value {
  exact: Rational | null;
  text: string;
  stale: boolean;
  why: string;
}

const NOTHING: Value = { exact: null, text: "—", stale: false, why: "" };

export class Book {
  readonly symbols = new Map<string, bigint>();
  readonly start = new Map<string, bigint>();
  /** Conditions that do not hold at these values. */
  broken: string[] = [];
  private readonly forms: ClosedForms;

  constructor(readonly data: PageData) {
    this.forms = new ClosedForms(data.expressions, data.atoms);
    for (const { name, value } of data.symbols) this.start.set(name, BigInt(value));
    this.move(this.start);
  }

  get moved(): boolean {
    return [...this.symbols].some(([name, value]) => this.start.get(name) !== value);
  }

  move(values: Map<string, bigint>): void {
    for (const [name, value] of values) this.symbols.set(name, value);
    this.forms.set(this.symbols);
    this.broken = this.data.conditions.filter((c) => !this.holds(c)).map(([text]) => text);
  }

  private holds([, left, relation, right]: [string, Figure, string, Figure]): boolean {
    if (!relation) return true; // shown as text
    const [a, b] = [this.of(left).exact, this.of(right).exact];
    if (!a || !b) return true;
    const order = compare(a, b);
    return relation === ">=" ? order >= 0 : relation === "<=" ? order <= 0 : order === 0;
  }

  of(figure: Figure | undefined, unit = ""): Value {
    if (figure === null || figure === undefined) return NOTHING;
    if (typeof figure === "object") {
      if ("u" in figure) return { exact: null, text: "unknown", stale: false, why: figure.u };
      if ("e" in figure) return this.closed(figure.e, unit);
      const value = this.of(figure.f, unit);
      return this.moved ? { ...value, stale: true, why: this.data.whys[figure.why] ?? "" } : value;
    }
    return shown(parsed(figure), unit);
  }

  private closed(number: number, unit: string): Value {
    try {
      return shown(this.forms.value(number), unit);
    } catch (problem) {
      return { exact: null, text: "unknown", stale: true, why: String((problem as Error).message) };
    }
  }

  /** A quantity of one row. */
  row(quantity: string, row: number): Value {
    const column = this.data.layers[quantity] as Figure[] | 0 | undefined;
    return this.of(column === 0 ? 0 : column?.[row], this.data.units[quantity]);
  }

  /** Its sum over rows; null if some are unknown. */
  sum(quantity: string, rows: Iterable<number>): Rational | null {
    let total = rational(0n);
    for (const row of rows) {
      const { exact } = this.row(quantity, row);
      if (!exact) return null;
      total = add(total, exact);
    }
    return total;
  }

  total(quantity: string): Value {
    return this.of(this.data.totals[quantity], this.data.units[quantity]);
  }

  shape(row: number): string {
    const sizes = this.data.layers.shape[row] ?? [];
    return sizes.length ? sizes.map((size) => this.of(size).text.replaceAll(",", "")).join("×") : "scalar";
  }

  isStale(figures: readonly Figure[]): boolean {
    return figures.some((figure) => this.of(figure).stale);
  }

  /** `483×483 /32`: the field of a row in an input, and its step. */
  field(row: number, input = 0): Value {
    const field = this.data.layers.field[row]?.[input];
    if (!field) return NOTHING;
    const sizes = field.size.map((size, k) => this.extent(field, size, k));
    const steps = field.step.map((step) => this.of(step));
    const step = steps[0]?.exact ? ` /${[...new Set(steps.map((s) => s.text))].join(",")}` : "";
    const figures = [...field.size, ...field.step];
    const why = figures.map((f) => this.of(f).why).find((w) => w) ?? "";
    return { exact: this.of(field.size[0]).exact, text: sizes.join("×") + step, stale: this.isStale(figures), why };
  }

  private extent(field: FieldData, size: Figure, axis: number): string {
    const text = this.of(size).text;
    if (field.whole?.[axis]) {
      const local = field.local?.[axis];
      const inner = this.of(local).text;
      return inner === "—" ? "whole" : `whole (${inner})`;
    }
    const least = field.min ? this.of(field.min[axis]).text : text;
    return least === text ? text : `${least}–${text}`;
  }
}

function shown(exact: Rational, unit: string): Value {
  return { exact, text: unit === "bytes" ? format.bytes(exact) : format.exact(exact), stale: false, why: "" };
}

export function approximate(value: Rational | null): number {
  if (!value) return NaN;
  return value.d === 1n ? Number(value.n) : Number(value.n) / Number(value.d);
}
