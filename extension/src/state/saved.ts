// What a notebook file says of a run. Anybody may have written it: every field is looked at, nothing is believed.

import { alive, type Change, type Coming, type Cores, type Curve, type Queue } from "../state";
import type { RunError, RunState, Sample, Snapshot, Splits, Value } from "../state";
import type { ServerSnapshot } from "./server";

export const MIME = "application/vnd.nbmodels.run+json";

export interface Saved {
  id: string | null; // null: an older file, or a forged one; nothing is asked of the server for it
  started: number | null;
  snapshot: Snapshot;
  samples: Sample[];
}

const STATES: RunState[] = ["starting", "waiting", "running", "paused", "finished", "stopped", "failed", "lost"];
const ID = /^[0-9a-f]{12}\/[\p{L}\p{N}][\p{L}\p{N}\p{M}_.-]{0,63}$/u;
const PICTURE = /^data:image\/png;base64,[A-Za-z0-9+/=]+$/;
const COMMAND = /^%bigmodel [^\r\n]+$/; // one may copy it: nothing else gets to the clipboard
const MOST = { text: 4000, points: 2000, charts: 8, figures: 8, samples: 12, picture: 200_000, caption: 400, why: 120, notes: 3, changes: 100, coming: 200, whole: 1e9 };

type Fields = Record<string, unknown>;

/** The output as far as it can be read; null where it is no run at all. */
export function readSaved(value: unknown): Saved | null {
  const outer = fields(value);
  const inner = fields(outer?.["snapshot"]);
  if (!outer || !inner || !STATES.includes(inner["state"] as RunState)) return null;
  const id = outer["id"];
  return {
    id: typeof id === "string" && ID.test(id) ? id : null,
    started: number(outer["started"]),
    snapshot: readSnapshot(inner, text(outer["name"])),
    samples: list(inner["samples"], MOST.samples).flatMap(readSample),
  };
}

/** Whether the server's run is the one of the notebook: a name may have been given again. */
export function same(saved: Saved, view: ServerSnapshot): boolean {
  return saved.started !== null && view.started !== null && Math.abs(saved.started - view.started) <= 0.01;
}

/** Whether the run has ended and the notebook does not know it yet. */
export function outdated(saved: Saved, view: Snapshot): boolean {
  return !alive(view.state) && (saved.snapshot.state !== view.state || saved.snapshot.step !== view.step);
}

/** Whether a bundle from the server is one that may be written into the notebook. */
export function isBundle(value: unknown): value is Record<string, string | object> {
  const bundle = fields(value);
  return bundle !== null && readSaved(bundle[MIME]) !== null && typeof bundle["text/plain"] === "string";
}

function readSnapshot(from: Fields, name: string): Snapshot {
  return {
    name: text(from["name"]) || name,
    title: text(from["title"]),
    state: from["state"] as RunState,
    error: readError(from["error"]),
    epoch: number(from["epoch"]),
    epochs: number(from["epochs"]),
    step: number(from["step"]) ?? 0,
    steps: number(from["steps"]),
    left: number(from["left"]),
    seconds: number(from["seconds"]),
    lr: number(from["lr"]),
    device: text(from["device"]),
    metric: typeof from["metric"] === "string" ? text(from["metric"]) : null,
    figures: list(from["figures"], MOST.figures).flatMap(readFigure),
    series: readSeries(from["series"], text(from["metric"])),
    command: COMMAND.test(text(from["command"])) ? text(from["command"]) : "",
    why: text(from["why"]).slice(0, MOST.why) || null,
    queue: readQueue(from["queue"]),
    cores: readCores(from["cores"]),
    notes: list(from["notes"], MOST.notes).map(text).filter(Boolean),
    changes: list(from["changes"], MOST.changes).flatMap(readChange),
    coming: readComing(from["coming"]),
  };
}

function readQueue(value: unknown): Queue | null {
  const [place, of] = [whole(fields(value)?.["place"], 1), whole(fields(value)?.["of"], 1)];
  return place !== null && of !== null && place <= of ? { place, of } : null;
}

function readCores(value: unknown): Cores | null {
  const from = fields(value);
  const [threads, cores, runs] = [whole(from?.["threads"], 1), whole(from?.["cores"], 1), whole(from?.["runs"], 0)];
  if (threads === null || cores === null || runs === null) return null;
  return { threads, cores, runs, ...(from?.["busy"] === true && { busy: true }) };
}

function readChange(value: unknown): Change[] {
  const from = fields(value);
  const [step, old, next] = [whole(from?.["step"], 0), positive(from?.["old"]), positive(from?.["new"])];
  return step !== null && next !== null ? [{ step, old, new: next }] : [];
}

/** Steps that rise, each with a rate. */
function readComing(value: unknown): Coming[] {
  const read: Coming[] = [];
  for (const point of list(value, MOST.coming)) {
    const [step, value] = Array.isArray(point) ? [whole(point[0], 0), positive(point[1])] : [null, null];
    if (step !== null && value !== null && step > (read[read.length - 1]?.[0] ?? -1)) read.push([step, value]);
  }
  return read;
}

function readError(value: unknown): RunError | null {
  const error = fields(value);
  return error && { what: text(error["what"]), hint: text(error["hint"]), traceback: text(error["traceback"]) };
}

function readFigure(value: unknown): [string, string][] {
  return Array.isArray(value) && value.length === 2 ? [[text(value[0]), text(value[1])]] : [];
}

/** Loss, metric, the rest: a notebook file has them in the order of the alphabet. */
function readSeries(value: unknown, metric: string): Record<string, Splits> {
  const place = (name: string): number => (name === "loss" ? 0 : name === metric ? 1 : 2);
  const entries = Object.entries(fields(value) ?? {}).slice(0, MOST.charts);
  entries.sort(([a], [b]) => place(a) - place(b));
  return Object.fromEntries(entries.map(([name, splits]) => [name.slice(0, 200), readSplits(fields(splits) ?? {})]));
}

function readSplits(from: Fields): Splits {
  const train = readCurve(from["train"]);
  const val = readCurve(from["val"]);
  return { ...(train && { train }), ...(val && { val }) };
}

/** Steps that rise, and a number or a gap at each; null where that is not so. */
function readCurve(value: unknown): Curve | null {
  if (!Array.isArray(value) || !Array.isArray(value[0]) || !Array.isArray(value[1])) return null;
  const [x, y] = value as [unknown[], unknown[]];
  const steps: number[] = [];
  const values: Value[] = [];
  for (let place = 0; place < Math.min(x.length, y.length, MOST.points); place++) {
    const step = number(x[place]);
    if (step === null || step < 0 || step <= (steps[steps.length - 1] ?? -1)) continue;
    steps.push(step);
    values.push(number(y[place]));
  }
  return steps.length ? [steps, values] : null;
}

function readSample(value: unknown): Sample[] {
  const sample = fields(value);
  if (!sample) return [];
  const { src } = sample;
  const shown = typeof src === "string" && src.length <= MOST.picture && PICTURE.test(src) ? src : null;
  const said = typeof sample["text"] === "string" ? text(sample["text"]) : null;
  const caption = text(sample["caption"]).slice(0, MOST.caption) || null;
  return shown || said ? [{ epoch: number(sample["epoch"]), step: number(sample["step"]), src: shown, text: shown ? null : said, caption }] : [];
}

const fields = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;

const list = (value: unknown, most: number): unknown[] => (Array.isArray(value) ? value.slice(0, most) : []);

const text = (value: unknown): string => (typeof value === "string" ? value.slice(0, MOST.text) : "");

const number = (value: unknown): number | null => (typeof value === "number" && isFinite(value) ? value : null);

const positive = (value: unknown): number | null => (typeof value === "number" && isFinite(value) && value >= 0 ? value : null);

const whole = (value: unknown, least: number): number | null =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= MOST.whole ? value : null;
