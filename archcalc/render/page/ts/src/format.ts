/** Numbers as text. */

import { type Rational, floor, rational } from "./exact";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function thousands(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString();
  return (value < 0n ? "−" : "") + digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

export function exact(value: Rational): string {
  return value.d === 1n ? thousands(value.n) : `${thousands(value.n)}/${thousands(value.d)}`;
}

/** Bytes in the largest unit that they fill, rounded half up. */
export function bytes(value: Rational): string {
  const whole = floor(value);
  let power = 0;
  while (power + 1 < UNITS.length && whole >= 1024n ** BigInt(power + 1)) power += 1;
  if (power === 0) return `${exact(value)} B`;
  const unit = 1024n ** BigInt(power);
  const digits = whole < 10n * unit ? 2 : 1;
  const tens = 10n ** BigInt(digits);
  const scaled = floor(rational(2n * value.n * tens + unit * value.d, 2n * unit * value.d));
  return `${thousands(scaled / tens)}.${(scaled % tens).toString().padStart(digits, "0")} ${UNITS[power]}`;
}

/** `25.6 M`: three digits, for a node or an axis. */
export function short(value: number): string {
  const sign = value < 0 ? "−" : "";
  let rest = Math.abs(value);
  if (!Number.isFinite(rest)) return `${sign}∞`;
  const names = ["", " k", " M", " G", " T", " P", " E"];
  let k = 0;
  while (rest >= 999.5 && k + 1 < names.length) {
    rest /= 1000;
    k += 1;
  }
  if (rest >= 999.5) return `${sign}${rest.toExponential(1)}${names[k]}`;
  const text = k === 0 && Number.isInteger(rest) ? String(rest) : rest.toPrecision(3);
  return sign + (text.includes(".") ? text.replace(/\.?0+$/, "") : text) + names[k];
}

export function shortBytes(value: number): string {
  let k = 0;
  let rest = value;
  while (rest >= 1024 && k + 1 < UNITS.length) {
    rest /= 1024;
    k += 1;
  }
  return `${k === 0 ? rest : rest < 10 ? rest.toFixed(1) : Math.round(rest)} ${UNITS[k]}`;
}

/** A power of ten: `10^−3.2`. */
export function log10(value: number | null | undefined): string {
  return value === null || value === undefined ? "—" : `10^${value.toFixed(1).replace("-", "−")}`;
}

const measure = document.createElement("canvas").getContext("2d");
const FONT = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif';

/** A text in so many pixels, as the picture writes it; of `first … last` both ends. */
export function fitted(text: string, width: number, bold = false): string {
  if (!measure) return shortened(text, Math.floor(width / 7));
  measure.font = bold ? `600 12px ${FONT}` : `11px ${FONT}`;
  const fits = (candidate: string) => measure.measureText(candidate).width <= width;
  if (fits(text)) return text;
  const [from, to] = text.split(" … ") as [string, string | undefined];
  for (let most = Math.min([...text].length, 120); most > 3; most -= 1) {
    const half = Math.floor(most / 2) - 1;
    const candidate = to === undefined ? shortened(text, most) : `${shortened(from, half)} – ${shortened(to, half)}`;
    if (half >= 2 && fits(candidate)) return candidate;
  }
  return shortened(text, 3);
}

/** A name in at most so many characters, its beginning and its end. */
export function shortened(name: string, most: number): string {
  const characters = [...name];
  if (characters.length <= most) return name;
  const head = Math.ceil((most - 1) * 0.6);
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (most - 1 - head)).join("")}`;
}

export const counted = (n: number, word: string): string =>
  `${thousands(BigInt(n))} ${word}${n === 1 ? "" : "s"}`;
