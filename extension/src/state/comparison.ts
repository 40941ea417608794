// Runs side by side as pure functions: their curves on one axis, their options in one table. No DOM.

import type { Change, Column, Queue, RunState, Split, Splits } from "../state";
import type { Lang } from "../words";
import { labWords } from "../words-lab";
import { changed } from "./standing";

/** What a comparison needs of a run. */
export interface Compared {
  id: string;
  name: string;
  model: string;
  data: string;
  state: RunState;
  why?: string | null;
  queue?: Queue | null;
  metric: string | null;
  options: Record<string, unknown>;
  series: Record<string, Splits>;
  changes?: Change[];
}

/** One line of the table: the values as text, one a run, and whether they are not all the same. */
export interface Line {
  name: string;
  values: string[];
  differs: boolean;
}

export interface Overlay {
  x: number[];
  columns: Column[];
  splits: (Split | null)[]; // which curve of each run this is
}

export const STYLES = 8; // colours; a ninth run begins again with another dash
const DASHES: readonly number[][] = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4], [2, 2, 7, 2], [1, 4]];

/** The dash of a run's curves: each of the first eight has one of its own, besides its colour. */
export const dash = (place: number): number[] => [...(DASHES[(place + Math.floor(place / STYLES)) % DASHES.length] ?? [])];

/** The metrics that the runs have, the loss first, those of more runs before those of fewer. */
export function metrics(runs: readonly Compared[]): string[] {
  const found = new Map<string, number>();
  for (const run of runs) for (const name of Object.keys(run.series)) found.set(name, (found.get(name) ?? 0) + 1);
  const order = [...found.keys()];
  const rank = (name: string): number => (name === "loss" ? Infinity : (found.get(name) ?? 0));
  return order.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
}

/** One curve of each run on one axis of steps: the split that is wanted, else the one there is. */
export function overlay(runs: readonly Compared[], metric: string, wanted: Split): Overlay {
  const other: Split = wanted === "val" ? "train" : "val";
  const splits = runs.map((run) => [wanted, other].find((split) => run.series[metric]?.[split]?.[0].length) as Split | undefined ?? null);
  const curves = runs.map((run, place) => run.series[metric]?.[splits[place] ?? "val"] ?? [[], []]);
  const x = [...new Set(curves.flatMap((curve) => curve[0]))].sort((a, b) => a - b);
  const place = new Map(x.map((step, index) => [step, index]));
  const columns = curves.map(([steps, values]) => {
    const column: Column = new Array(x.length).fill(undefined);
    steps.forEach((step, index) => (column[place.get(step) ?? 0] = values[index] ?? null));
    return column;
  });
  return { x, columns, splits };
}

/** Model, data, every option that some run was given and what was changed on the way; those that differ first. */
export function table(runs: readonly Compared[], lang: Lang): Line[] {
  const words = labWords(lang);
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.options)))].sort();
  const lines = [
    line("model", runs.map((run) => run.model)),
    line("data", runs.map((run) => run.data)),
    ...names.map((name) => line(name, runs.map((run) => (name in run.options ? shown(run.options[name]) : words.usual)))),
    ...(runs.some((run) => run.changes?.length) ? [line(words.changed, runs.map((run) => changed(run.changes, lang)))] : []),
  ];
  return [...lines.filter((each) => each.differs), ...lines.filter((each) => !each.differs)];
}

function line(name: string, values: string[]): Line {
  return { name, values, differs: new Set(values).size > 1 };
}

/** A value as one reads it: `64, 64`, `true`, `0.001`. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (value === null || value === undefined) return "—";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The place of the best value of a metric, -1 where there is none or nothing to compare. */
export function best(values: readonly (number | null)[], lower: boolean): number {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2 || new Set(known).size < 2) return -1;
  return values.indexOf(lower ? Math.min(...known) : Math.max(...known));
}
