// The list of runs as pure functions: what is shown of it, in which order, in which window, and what is chosen. No DOM.

import { count, duration } from "../state";
import { fill, type Lang, wordsFor } from "../words";
import { type LabWords, labWords } from "../words-lab";
import type { Row, RowState } from "./server";
import { standing, stateWord } from "./standing";

export type Order = "newest" | "name" | "best" | "state";
export const ORDERS: readonly Order[] = ["newest", "name", "best", "state"];

const LOWER = /loss|perplexity|mse|mae|error/; // metrics that are better when they are lower
const RANK = new Map(Object.entries({ running: 0, starting: 1, waiting: 2, paused: 3, failed: 4, lost: 5, stopped: 6, finished: 7 }));

/** Whether every word that was typed stands in the run's name, model, data, title or state. */
export function matches(row: Row, typed: string, lang: Lang): boolean {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [row.name, row.model, row.data, row.title, row.state, told(row, lang)].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

/** The rows that match, in order; what is equal stays in the order of the newest. */
export function arrange(rows: readonly Row[], typed: string, order: Order, lang: Lang): Row[] {
  const found = typed.trim() ? rows.filter((row) => matches(row, typed, lang)) : [...rows];
  const newest = (a: Row, b: Row): number => (b.started ?? 0) - (a.started ?? 0);
  const by: Record<Order, (a: Row, b: Row) => number> = {
    newest,
    name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
    best: better,
    state: (a, b) => rank(a) - rank(b),
  };
  return found.sort((a, b) => by[order](a, b) || newest(a, b));
}

const rank = (row: Row): number => RANK.get(row.state) ?? Infinity;

/** How a run stands, in words; of a folder that cannot be read only that. */
export function told(row: Row, lang: Lang): string {
  return row.state === "unreadable" ? labWords(lang).unreadable : standing({ ...row, state: row.state }, lang);
}

/** Runs of one metric stand together, the best of them first; those without any come last. */
function better(a: Row, b: Row): number {
  if (a.best === null || b.best === null) return Number(a.best === null) - Number(b.best === null);
  const [left, right] = [a.metric ?? "", b.metric ?? ""];
  if (left !== right) return left.localeCompare(right);
  return lowerIsBetter(left) ? a.best - b.best : b.best - a.best;
}

export const lowerIsBetter = (metric: string): boolean => LOWER.test(metric);

/** `3 running · 2 waiting · 41 in all`. */
export function tally(rows: readonly Row[], shown: number, words: LabWords): string {
  const running = rows.filter((row) => row.state === "running" || row.state === "starting").length;
  const waiting = rows.filter((row) => row.state === "waiting").length;
  const all = shown === rows.length ? fill(words.inAll, count(rows.length)) : fill(words.shownOf, count(shown), count(rows.length));
  const parts = [running ? fill(words.running, count(running)) : "", waiting ? fill(words.waiting, count(waiting)) : "", all];
  return parts.filter(Boolean).join(" · ");
}

/** The rows to draw: those in view and a few beyond either end, as [first, end). */
export function windowOf(top: number, height: number, each: number, count: number, beyond = 6): [number, number] {
  const first = Math.max(0, Math.min(Math.floor(top / each), count) - beyond);
  return [first, Math.min(count, Math.ceil((top + height) / each) + beyond)];
}

/** What stands under the figure: `18 s left`, `paused at 40 %`, `2 min, yesterday`, what went wrong. */
export function clause(row: Row, lang: Lang, now: number): string {
  const [words, lab] = [wordsFor(lang), labWords(lang)];
  if (row.state === "running") return progress(row, lang);
  const said = told(row, lang);
  const plain = said === stateWord(row.state, lang); // no reason is known: how far it came says more
  if (row.state === "paused" && row.steps && plain) return fill(lab.pausedAt, String(Math.round((100 * row.step) / row.steps)));
  if (row.state !== "lost" && row.error) return row.error;
  if (!plain) return said;
  if (row.state === "failed" || row.state === "lost") return row.step ? fill(lab.atStep, said, count(row.step)) : said;
  if (row.state !== "finished" && row.state !== "stopped") return said;
  const took = duration(row.seconds, words);
  const when = row.started === null ? "" : day(row.started + (row.seconds ?? 0), now, lang);
  const parts = [took, row.state === "stopped" ? said : "", when].filter(Boolean);
  return parts.slice(-2).join(lab.comma) || said;
}

function progress(row: Row, lang: Lang): string {
  const words = wordsFor(lang);
  const left = duration(row.left, words);
  if (left) return fill(words.left, left);
  return row.epoch && row.epochs ? fill(words.epochOf, String(row.epoch), String(row.epochs)) : words.running;
}

/** The hour of today, `yesterday`, or the date; both in seconds since 1970. */
export function day(then: number, now: number, lang: Lang): string {
  const [date, today] = [new Date(then * 1000), new Date(now * 1000)];
  const locale = lang === "zh" ? "zh-CN" : "en-GB";
  if (date.toDateString() === today.toDateString()) return date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
  today.setDate(today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return labWords(lang).yesterday;
  return date.toLocaleDateString(locale, { day: "numeric", month: "short", ...(date.getFullYear() === today.getFullYear() ? {} : { year: "numeric" }) });
}

/** What a screen reader says of runs whose state is another than before; a run seen for the first time is no news. */
export function news(before: ReadonlyMap<string, RowState>, rows: readonly Row[], lang: Lang): string {
  const changed = rows.filter((row) => before.has(row.id) && before.get(row.id) !== row.state);
  return changed.map((row) => `${row.name}: ${told(row, lang)}`).join(". ");
}

/**
 * The points of a small curve for an SVG polyline; a gap where there is no number ends one line and begins another.
 * Its foot is the lowest value, unless `floor` is lower.
 */
export function spark(curve: readonly (number | null)[], width: number, height: number, floor = Infinity): string[] {
  const known = curve.filter((value): value is number => value !== null && isFinite(value));
  if (known.length < 2) return [];
  const [low, high] = [Math.min(floor, ...known), Math.max(...known)];
  const across = width / (curve.length - 1);
  const lines: string[][] = [[]];
  curve.forEach((value, place) => {
    if (value === null || !isFinite(value)) return void lines.push([]);
    const y = high === low ? height / 2 : height - ((value - low) / (high - low)) * height;
    lines[lines.length - 1]?.push(`${round(place * across)},${round(y)}`);
  });
  return lines.filter((line) => line.length > 1).map((line) => line.join(" "));
}

const round = (value: number): string => String(Math.round(value * 10) / 10);

/** Which run is under the cursor and which are chosen; a new one for every change. */
export interface Choice {
  readonly active: string | null;
  readonly chosen: readonly string[];
  readonly anchor: string | null;
}

export const NOTHING: Choice = { active: null, chosen: [], anchor: null };

/** One run and no other. */
export const only = (id: string): Choice => ({ active: id, chosen: [id], anchor: id });

/** The run is chosen besides the others, or no longer. */
export function toggled(choice: Choice, id: string): Choice {
  const has = choice.chosen.includes(id);
  return { active: id, chosen: has ? choice.chosen.filter((each) => each !== id) : [...choice.chosen, id], anchor: id };
}

/** Every run from the last one chosen to this one. */
export function reached(choice: Choice, id: string, ids: readonly string[]): Choice {
  const [from, to] = [ids.indexOf(choice.anchor ?? id), ids.indexOf(id)];
  if (from < 0 || to < 0) return only(id);
  return { active: id, chosen: ids.slice(Math.min(from, to), Math.max(from, to) + 1), anchor: choice.anchor ?? id };
}

/** The choice without runs that are gone. */
export function pruned(choice: Choice, ids: ReadonlySet<string>): Choice {
  const there = (id: string | null): string | null => (id !== null && ids.has(id) ? id : null);
  if (choice.chosen.every((id) => ids.has(id)) && there(choice.active) === choice.active) return choice;
  return { active: there(choice.active), chosen: choice.chosen.filter((id) => ids.has(id)), anchor: there(choice.anchor) };
}

/** Where a key leads to from a place in the list; null for a key that leads nowhere. */
export function step(key: string, place: number, count: number, page: number): number | null {
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count };
  const by = steps[key];
  if (by === undefined || count === 0) return null;
  return place < 0 ? (by > 0 && key !== "End" ? 0 : key === "Home" ? 0 : count - 1) : Math.max(0, Math.min(count - 1, place + by));
}
