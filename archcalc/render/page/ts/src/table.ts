/** The table of layers: sorted, filtered, and linked with the picture; only the rows in view exist. */

import { type Value, approximate } from "./book";
import { QUANTITIES } from "./data";
import { byId, h } from "./dom";
import { compare } from "./exact";
import { counted, log10 } from "./format";
import type { State } from "./state";

const ROW = 30; // pixels, as in the style sheet
const SPARE = 12; // rows beyond those in view
const PRINTED = 3000;

interface Column {
  key: string;
  title: string;
  numeric: boolean;
  cell(row: number): Value;
}

export class TableView {
  private readonly frame = byId("table");
  private readonly body = h("tbody");
  private readonly columns: Column[];
  private readonly headers: HTMLTableCellElement[];
  private order: number[] = [];
  private by: { column: Column; down: boolean } | null = null;
  private shown = "";

  constructor(private readonly state: State) {
    this.columns = columns(state);
    this.headers = this.columns.map((column) => this.header(column));
    const caption = h("caption", { class: "unseen" }, "The layers in their order; a column's heading sorts by it");
    const table = h("table", {}, caption, h("thead", {}, h("tr", {}, ...this.headers)), this.body);
    table.setAttribute("aria-rowcount", String(state.rows + 1));
    this.frame.append(table);
    this.frame.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.frame);
    byId("filter").addEventListener("input", () => this.arrange());
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("keydown", (event) => this.key(event));
    state.on(["values"], () => this.arrange());
    state.on(["selection"], () => this.reveal());
    window.addEventListener("beforeprint", () => this.draw(PRINTED));
    window.addEventListener("afterprint", () => this.draw());
    this.arrange();
  }

  private header(column: Column): HTMLTableCellElement {
    const button = h("button", { type: "button", click: () => this.sort(column) }, column.title);
    return h("th", { scope: "col", class: column.numeric ? "number" : "", "aria-sort": "none" }, button);
  }

  private sort(column: Column): void {
    // a third click gives the order of the network back
    if (this.by?.column !== column) this.by = { column, down: column.numeric };
    else this.by = this.by.down === column.numeric ? { column, down: !column.numeric } : null;
    this.columns.forEach((each, k) => {
      const sorted = this.by?.column === each ? (this.by.down ? "descending" : "ascending") : "none";
      this.headers[k]?.setAttribute("aria-sort", sorted);
    });
    this.arrange();
  }

  private arrange(): void {
    const { name, type } = this.state.data.layers;
    const text = byId<HTMLInputElement>("filter").value.trim().toLowerCase();
    this.order = name.flatMap((n, i) =>
      !text || n.toLowerCase().includes(text) || type[i]?.toLowerCase().includes(text) ? [i] : [],
    );
    if (this.by) this.order = sorted(this.order, this.by.column, this.by.down);
    byId("table-said").textContent =
      this.order.length === this.state.rows
        ? counted(this.state.rows, "layer")
        : `${this.order.length.toLocaleString("en")} of ${counted(this.state.rows, "layer")}`;
    this.shown = "";
    this.draw();
  }

  private draw(most = 0): void {
    const top = Math.max(0, Math.floor(this.frame.scrollTop / ROW) - SPARE);
    const count = most || Math.ceil(this.frame.clientHeight / ROW) + 2 * SPARE;
    const start = most ? 0 : Math.min(top, Math.max(0, this.order.length - count));
    const end = Math.min(this.order.length, start + count);
    const key = `${start}-${end}`;
    if (key === this.shown) return;
    this.shown = key;
    const focused = this.body.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).closest("tr")?.dataset["row"]
      : undefined;
    const rows = this.order.slice(start, end).map((row, k) => this.row(row, start + k));
    this.body.replaceChildren(...gap(start * ROW), ...rows, ...gap((this.order.length - end) * ROW));
    if (focused) this.body.querySelector<HTMLElement>(`tr[data-row="${focused}"]`)?.focus({ preventScroll: true });
  }

  private row(row: number, position: number): HTMLTableRowElement {
    const selected = row === this.state.selected;
    const line = h("tr", {
      "data-row": row,
      tabindex: selected || (this.state.selected === null && position === 0) ? 0 : -1,
      "aria-rowindex": position + 2,
      "aria-selected": String(selected),
    });
    this.columns.forEach((column, k) => {
      const value = column.cell(row);
      const style = `${column.numeric ? "number" : "text"}${value.stale ? " stale" : ""}`;
      const cell = k ? h("td", { class: style }, value.text) : h("th", { class: style, scope: "row" }, value.text);
      if (value.why) cell.title = value.why;
      else if (!column.numeric) cell.title = value.text;
      line.append(cell);
    });
    return line;
  }

  private clicked(event: Event): void {
    const row = (event.target as Element).closest<HTMLElement>("tr[data-row]")?.dataset["row"];
    if (row !== undefined) this.state.select(Number(row));
  }

  private key(event: KeyboardEvent): void {
    const row = (event.target as Element).closest<HTMLElement>("tr[data-row]")?.dataset["row"];
    if (row === undefined) return;
    const at = this.order.indexOf(Number(row));
    const page = Math.max(1, Math.floor(this.frame.clientHeight / ROW) - 2);
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.order.length - 1,
      Enter: at,
      " ": at,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = this.order[Math.min(Math.max(steps[event.key] as number, 0), this.order.length - 1)];
    if (next === undefined) return;
    this.state.select(next);
    this.body.querySelector<HTMLElement>(`tr[data-row="${next}"]`)?.focus({ preventScroll: true });
  }

  /** Bring the selected row into view. */
  private reveal(): void {
    const at = this.order.indexOf(this.state.selected ?? -1);
    if (at >= 0) {
      const head = 2 * ROW;
      const top = at * ROW;
      if (top < this.frame.scrollTop || top + head > this.frame.scrollTop + this.frame.clientHeight - ROW) {
        this.frame.scrollTop = top - this.frame.clientHeight / 2 + head;
      }
    }
    this.shown = "";
    this.draw();
  }
}

function gap(height: number): HTMLTableRowElement[] {
  if (height <= 0) return [];
  const row = h("tr", { "aria-hidden": "true", class: "gap" }, h("td"));
  row.style.height = `${height}px`;
  return [row];
}

function sorted(rows: number[], column: Column, down: boolean): number[] {
  const values = new Map(rows.map((row) => [row, column.cell(row)]));
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [values.get(a) as Value, values.get(b) as Value];
    if (!column.numeric) return sign * x.text.localeCompare(y.text, "en", { numeric: true }) || a - b;
    // what is unknown, or has no meaning, comes last
    if (!x.exact || !y.exact) return Number(!x.exact) - Number(!y.exact) || a - b;
    return sign * compare(x.exact, y.exact) || a - b;
  });
}

function columns({ book, data }: State): Column[] {
  const { layers, gradients } = data;
  const text = (of: (row: number) => string) => (row: number) => ({ exact: null, text: of(row), stale: false, why: "" });
  const found: Column[] = [
    { key: "name", title: "Layer", numeric: false, cell: text((row) => layers.name[row] ?? "") },
    { key: "type", title: "Type", numeric: false, cell: text((row) => layers.type[row] ?? "") },
    { key: "shape", title: "Output", numeric: false, cell: (row) => shape(book.shape(row), book.isStale(layers.shape[row] ?? [])) },
    ...QUANTITIES.map(([key, title]) => ({
      key,
      title,
      numeric: true,
      cell: (row: number) => {
        const value = book.row(key, row);
        const owner = key === "parameters" ? layers.shared[row] : null;
        return owner === null || owner === undefined
          ? value
          : { ...value, text: "shared", why: `counted at ${layers.name[owner]}` };
      },
    })),
    { key: "field", title: "Field", numeric: true, cell: (row) => book.field(row) },
  ];
  for (const [key, title] of [["expected", "Gradient, expected"], ["upper", "Gradient, at most"]] as const) {
    if (!gradients) continue;
    const column = gradients[key];
    const cell = (row: number): Value => {
      const value = column[row];
      const known = typeof value === "number";
      const exact = known ? { n: BigInt(Math.round(value * 1000)), d: 1000n } : null;
      return { exact, text: log10(value), stale: book.moved && known, why: (!known && gradients.cause[row]) || "" };
    };
    found.push({ key, title, numeric: true, cell });
  }
  return found.filter((c) => !["elementwise_operations"].includes(c.key) || approximate(book.total(c.key).exact) > 0);
}

const shape = (text: string, stale: boolean): Value => ({ exact: null, text, stale, why: "" });
