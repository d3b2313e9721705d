/** Exact arithmetic on closed forms: rational numbers of any size, nothing parsed as code. */

export interface Rational {
  readonly n: bigint;
  readonly d: bigint; // positive
}

/** A sum of terms `[coefficient, atom, exponent, atom, exponent, …]`. */
export type Expression = readonly (readonly [number | string, ...number[]])[];
export type Atom = readonly [string, ...(number | string)[]];

const MAX_BITS = 200_000; // of a power

export class NotComputable extends Error {}

export function rational(n: bigint, d: bigint = 1n): Rational {
  if (d === 0n) throw new NotComputable("a division by zero");
  if (d < 0n) return rational(-n, -d);
  if (d === 1n) return { n, d };
  const g = gcd(n < 0n ? -n : n, d);
  return { n: n / g, d: d / g };
}

function gcd(a: bigint, b: bigint): bigint {
  while (b) [a, b] = [b, a % b];
  return a;
}

/** A number as the page holds it: an integer, a string of digits, or `"1/2"`. */
export function parsed(value: number | string): Rational {
  if (typeof value === "number") return { n: BigInt(value), d: 1n };
  const [n, d] = value.split("/");
  return rational(BigInt(n as string), d === undefined ? 1n : BigInt(d));
}

export const add = (a: Rational, b: Rational): Rational =>
  a.d === 1n && b.d === 1n ? { n: a.n + b.n, d: 1n } : rational(a.n * b.d + b.n * a.d, a.d * b.d);

export const multiply = (a: Rational, b: Rational): Rational =>
  a.d === 1n && b.d === 1n ? { n: a.n * b.n, d: 1n } : rational(a.n * b.n, a.d * b.d);

export function compare(a: Rational, b: Rational): number {
  const left = a.n * b.d;
  const right = b.n * a.d;
  return left < right ? -1 : left > right ? 1 : 0;
}

export function floor(a: Rational): bigint {
  const quotient = a.n / a.d;
  return a.n % a.d < 0n ? quotient - 1n : quotient;
}

export function power(base: Rational, exponent: bigint): Rational {
  if (exponent < 0n) return power(rational(base.d, base.n), -exponent);
  const bits = BigInt(Math.max(base.n.toString(2).length, base.d.toString(2).length));
  if (bits * exponent > MAX_BITS) throw new NotComputable("a number with more than 60,000 digits");
  return { n: base.n ** exponent, d: base.d ** exponent };
}

/** The closed forms of a page, with values of their symbols; each part is evaluated once. */
export class ClosedForms {
  private values = new Map<string, bigint>();
  private atomValues: (Rational | undefined)[] = [];
  private results: (Rational | undefined)[] = [];

  constructor(
    private readonly expressions: readonly Expression[],
    private readonly atoms: readonly Atom[],
  ) {}

  set(values: Map<string, bigint>): void {
    this.values = new Map(values);
    this.atomValues = [];
    this.results = [];
  }

  value(number: number): Rational {
    const known = this.results[number];
    if (known) return known;
    let total = rational(0n);
    for (const [coefficient, ...factors] of this.expressions[number] as Expression) {
      let term = parsed(coefficient);
      for (let k = 0; k < factors.length; k += 2) {
        term = multiply(term, power(this.atom(factors[k] as number), BigInt(factors[k + 1] as number)));
      }
      total = add(total, term);
    }
    return (this.results[number] = total);
  }

  private atom(number: number): Rational {
    return (this.atomValues[number] ??= this.applied(this.atoms[number] as Atom));
  }

  private applied([word, ...rest]: Atom): Rational {
    if (word === "symbol") {
      const value = this.values.get(String(rest[0]));
      if (value === undefined) throw new NotComputable(`${rest[0]} has no value`);
      return rational(value);
    }
    const values = rest.map((number) => this.value(Number(number)));
    const [a, b] = values as [Rational, Rational];
    switch (word) {
      case "sum":
        return a;
      case "floor":
        return rational(floor(rational(a.n * b.d, a.d * b.n)));
      case "power":
        if (b.d !== 1n) throw new NotComputable("a power whose exponent is no integer");
        return power(a, b.n);
      case "max":
        return values.reduce((x, y) => (compare(x, y) >= 0 ? x : y));
      default:
        return values.reduce((x, y) => (compare(x, y) <= 0 ? x : y));
    }
  }
}
