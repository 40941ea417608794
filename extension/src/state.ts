// What the live view knows, as pure functions of the snapshot (nbmodels/views/snapshot.py). No DOM here.

import { fill, type Words } from "./words";

export type Value = number | null;
export type Curve = [number[], Value[]];
export type Split = "train" | "val";
export type Splits = Partial<Record<Split, Curve>>;
export type RunState = "starting" | "waiting" | "running" | "paused" | "finished" | "stopped" | "failed" | "lost";

export interface RunError {
  what: string;
  hint: string;
  traceback: string;
}

/** The run's place among those that wait, from 1. */
export interface Queue {
  place: number;
  of: number;
}

/** The cores the machine has, the threads this run takes of them, and how many other runs share them. */
export interface Cores {
  threads: number;
  cores: number;
  runs: number;
  busy?: boolean; // others than our runs keep the cores busy
}

/** A learning rate that was changed while the run went on; `old` is null where it was not known. */
export interface Change {
  step: number;
  old: number | null;
  new: number;
}

/** A learning rate that is still to come: [step, rate]. */
export type Coming = [number, number];

export interface Sample {
  epoch: number | null;
  step: number | null;
  src: string | null;
  text: string | null;
  /** What was asked for, from left to right, where something was; older notebooks do not have it. */
  caption?: string | null;
}

export interface Snapshot {
  name: string;
  title: string;
  state: RunState;
  error: RunError | null;
  epoch: number | null;
  epochs: number | null;
  step: number;
  steps: number | null;
  left: number | null;
  seconds: number | null;
  lr: number | null;
  device: string;
  metric: string | null;
  figures: [string, string][];
  series: Record<string, Splits>;
  command: string;
  /** Why it stands as it does, in a few words; this and the rest older servers and notebooks do not have. */
  why?: string | null;
  queue?: Queue | null;
  cores?: Cores | null;
  /** How the data was read: which files were left out. */
  notes?: string[];
  changes?: Change[];
  coming?: Coming[];
}

/** What a button asks: `first` moves a run that waits to the front of the queue. */
export type Verb = "first" | "pause" | "resume" | "stop";
export type Command = { do: Verb; trust?: true } | { do: "lr"; value: number };

/** What decides which buttons a run has. */
export interface Able {
  state: RunState;
  queue?: Queue | null;
}

/** A column of uPlot: undefined where the curve has no point, null where its value is no number. */
export type Column = (Value | undefined)[];
export interface Aligned {
  x: number[];
  train: Column;
  smooth: Column;
  val: Column;
}

const LOWER = /loss|perplexity|mse|mae|error/;

const ALIVE: readonly RunState[] = ["starting", "waiting", "running", "paused"];

export const alive = (state: RunState): boolean => ALIVE.includes(state);

/** The commands that make sense now, in the order of their buttons. */
export function commands({ state, queue }: Able): Verb[] {
  if (state === "running" || state === "starting") return ["pause", "stop"];
  if (state === "waiting") return queue && queue.place > 1 ? ["first", "stop"] : ["stop"];
  if (state === "paused") return ["resume", "stop"];
  return state === "stopped" || state === "failed" || state === "lost" ? ["resume"] : [];
}

/** Whether a command that was sent has been done, so that its button wakes again. */
export function done(sent: Verb, { state, queue }: Able): boolean {
  if (sent === "first") return state !== "waiting" || (queue?.place ?? 1) <= 1;
  if (sent === "stop") return !alive(state);
  if (sent === "pause") return state !== "running" && state !== "starting";
  return alive(state) && state !== "paused";
}

/** The part of the run that is over, 0 to 1. */
export function share(view: Snapshot): number {
  return view.steps ? Math.min(1, Math.max(0, view.step / view.steps)) : 0;
}

export const count = (value: number): string => Math.round(value).toLocaleString("en-US");

/** What stands at the right of the progress: `18 s left`, or how long it took. */
export function clock(view: Snapshot, words: Words): string {
  if (view.state === "running") {
    const left = duration(view.left, words);
    return left && fill(words.left, left);
  }
  const took = view.step ? duration(view.seconds, words) : "";
  return took && fill(words.took, took);
}

/** `18 s`, `2 min`, `1 h 5 min`, `3 d 2 h`. */
export function duration(seconds: number | null, words: Words): string {
  if (seconds === null || !isFinite(seconds) || seconds < 0) return "";
  if (seconds < 99.5) return fill(words.seconds, String(Math.round(seconds)));
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return fill(words.minutes, String(minutes));
  if (minutes < 48 * 60) return pair(Math.floor(minutes / 60), words.hours, minutes % 60, words.minutes);
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), words.days, hours % 24, words.hours);
}

function pair(big: number, first: string, small: number, second: string): string {
  return fill(first, String(big)) + (small ? " " + fill(second, String(small)) : "");
}

/** Three figures or so, as words.py writes them. */
export function figure(value: Value | undefined): string {
  if (value === null || value === undefined) return "—";
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-3)) return value.toExponential(1).replace("e+", "e");
  const decimals = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A learning rate as one types it: `0.001`, `3e-5`. */
export function rate(value: number | null): string {
  if (value === null) return "";
  const short = Number(value.toPrecision(4));
  return short !== 0 && Math.abs(short) < 1e-4 ? short.toExponential().replace("e+", "e") : String(short);
}

/** A sentence with its full stop. */
export const sentence = (text: string): string => (/[.!?:。！？]\s*$/.test(text) ? text : `${text}.`);

/** The learning rate that was typed, null where it is none. */
export function readRate(text: string): number | null {
  const value = Number(text.trim().replace(",", "."));
  return text.trim() && isFinite(value) && value > 0 ? value : null;
}

/** Whether a logarithmic axis tells more: of values that fall towards 0. */
export function mayBeLog(name: string, splits: Splits): boolean {
  return LOWER.test(name) && values(splits).every((value) => value > 0);
}

/** The newest value: of the validation, else of the training; null where that is no number, whatever came before it. */
export function newest(splits: Splits): Value {
  const column = [splits.val, splits.train].find((curve) => curve?.[1].length)?.[1] ?? [];
  return column[column.length - 1] ?? null;
}

/** Both curves on one axis of steps. */
export function align(splits: Splits, smoothed: boolean, log: boolean): Aligned {
  const clean = (curve: Curve | undefined): Curve =>
    curve ? [curve[0], curve[1].map((value) => (log && value !== null && value <= 0 ? null : value))] : [[], []];
  const train = clean(splits.train);
  const val = clean(splits.val);
  const x = [...new Set([...train[0], ...val[0]])].sort((a, b) => a - b);
  const place = new Map(x.map((step, index) => [step, index]));
  const column = ([steps, data]: Curve): Column => {
    const made: Column = new Array<Value | undefined>(x.length).fill(undefined);
    steps.forEach((step, index) => (made[place.get(step) ?? 0] = data[index] ?? null));
    return made;
  };
  return { x, train: column(train), smooth: smoothed ? column([train[0], smooth(train[1])]) : [], val: column(val) };
}

/** A running mean that remembers about a fortieth of the curve, free of the pull of its first value. */
export function smooth(data: Value[]): Value[] {
  const keep = 1 - 1 / Math.max(2, data.length / 40);
  let sum = 0;
  let weight = 0;
  return data.map((value) => {
    if (value === null) return null;
    sum = sum * keep + value;
    weight = weight * keep + 1;
    return sum / weight;
  });
}

/** The ends of the axis of values; a few first steps that tower over all the rest are cut off. */
export function extent(splits: Splits): [number, number] {
  const order = values(splits).sort((a, b) => a - b);
  const low = order[0];
  const top = order[order.length - 1];
  if (low === undefined || top === undefined) return [0, 1];
  const usual = order[Math.floor(0.97 * (order.length - 1))] ?? top;
  const high = order.length >= 20 && usual > low && top - low > 4 * (usual - low) ? usual + 0.5 * (usual - low) : top;
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low >= 0 && low < 0.25 * high ? 0 : low - room, high + room];
}

/** The last step of the axis: while the run is young a half, a quarter … of it, so that its curves fill the chart. */
export function lastStep(view: Snapshot): number {
  let drawn = 1;
  for (const splits of Object.values(view.series)) {
    for (const curve of [splits.train, splits.val]) drawn = Math.max(drawn, curve?.[0].slice(-1)[0] ?? 0);
  }
  if (!alive(view.state) || !view.steps || view.steps <= drawn) return drawn;
  let end = view.steps;
  while (end / 2 > drawn * 1.1) end /= 2;
  return Math.ceil(end);
}

function values(splits: Splits): number[] {
  const all = [...(splits.train?.[1] ?? []), ...(splits.val?.[1] ?? [])];
  return all.filter((value): value is number => value !== null);
}
