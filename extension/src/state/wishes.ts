// What a page wants to hear from the server, counted; and what it has heard, put together. No DOM, no network.

import type { Message, News, Row, Wish } from "./server";

/** Who listens to what, counted: two outputs of one run are one wish. */
export class Wishes {
  private runs = 0;
  private devices = 0;
  private readonly views = new Map<string, number>();

  /** One more that listens. */
  more(what: "runs" | "devices" | { view: string }): void {
    this.change(what, 1);
  }

  /** One less. */
  less(what: "runs" | "devices" | { view: string }): void {
    this.change(what, -1);
  }

  get empty(): boolean {
    return !this.runs && !this.devices && !this.views.size;
  }

  /** Whether somebody listens to this run. */
  has(id: string): boolean {
    return this.views.has(id);
  }

  /** The whole of it, as it is said to the server. */
  wish(period: number): Wish {
    return { runs: this.runs > 0, devices: this.devices > 0, views: [...this.views.keys()], period };
  }

  private change(what: "runs" | "devices" | { view: string }, by: number): void {
    if (what === "runs") this.runs = Math.max(0, this.runs + by);
    else if (what === "devices") this.devices = Math.max(0, this.devices + by);
    else {
      const count = (this.views.get(what.view) ?? 0) + by;
      if (count > 0) this.views.set(what.view, count);
      else this.views.delete(what.view);
    }
  }
}

/** Seconds until the next try: 1, 2, 4, 8, then 15. */
export function backOff(failures: number): number {
  return Math.min(15, 2 ** Math.max(0, failures - 1));
}

/** A period that the server takes. */
export function period(asked: unknown): number {
  return typeof asked === "number" && isFinite(asked) ? Math.min(10, Math.max(0.2, asked)) : 0.5;
}

/** The rows after a message: changed ones replaced, gone ones dropped, the newest first. */
export function mergeRows(known: readonly Row[], message: Message): Row[] {
  const rows = new Map((message.all ? [] : known).map((row) => [row.id, row]));
  for (const row of (message.runs ?? []).map(whole)) rows.set(row.id, row);
  for (const id of message.gone ?? []) rows.delete(id);
  return [...rows.values()].sort((a, b) => (b.started ?? 0) - (a.started ?? 0) || a.name.localeCompare(b.name));
}

/** A folder that cannot be read has a name and an error; of all else a row has, it has nothing. */
function whole(row: Row): Row {
  if (!row.unreadable) return row;
  const nothing = { epoch: null, epochs: null, steps: null, left: null, seconds: null, started: null, metric: null, best: null, samples_per_second: null };
  const empty = { place: "", folder: "", path: null, model: "", data: "", title: "", device: "", command: "", curve: [], step: 0 };
  const { id = `unreadable/${row.name}`, name, error = null } = row as Partial<Row>;
  return { ...empty, ...nothing, id, name: name ?? id, error, state: "unreadable", unreadable: true };
}

/** What is known of a run after a message: the newest view and the newest samples, or that there is none. */
export function mergeNews(known: News, message: Message): News {
  if (message.missing) return { missing: true };
  const { view = known.view, samples = known.samples } = message;
  return { ...(view && { view }), ...(samples && { samples }) };
}
