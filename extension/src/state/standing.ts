// How a run stands, in words: its state and why, its place among those that wait, the cores it shares, and the learning
// rate that was changed. Pure functions; what is not there, or from a newer version, is left out or said as it is.

import { alive, type Change, type Coming, type Cores, count, type Queue, rate, type RunState, type Snapshot } from "../state";
import { fill, type Lang, type Words, wordsFor } from "../words";

/** What is needed of a run to say how it stands. */
export interface Stands {
  state: RunState;
  why?: string | null;
  queue?: Queue | null;
}

const EXPLAINED: readonly string[] = ["waiting", "paused", "stopped", "lost", "failed"]; // states that have a reason
const PLACE = /^(\d{1,7})(?:st|nd|rd|th) of (\d{1,7})$/;
const POINTS = 24; // of the curve of what is to come
const SHOWN = 4; // changes in one cell of the comparison

// The reasons we know, in Chinese; each is said after the state unless it says the state itself.
const REASONS: Record<string, string> = {
  "the disk is full": "磁盘已满",
  "the disk cannot be written": "磁盘无法写入",
  "the folder cannot be written": "文件夹无法写入",
  "the folder cannot be reached": "文件夹无法访问",
  "the folder was moved": "文件夹已被移动",
  "the folder was deleted": "文件夹已被删除",
  "stopped by the system": "被系统停止",
};

/** A state in words; one that a newer version wrote stays as it is. */
export function stateWord(state: string, lang: Lang): string {
  const words: Partial<Record<string, string>> = wordsFor(lang);
  return (Object.prototype.hasOwnProperty.call(words, state) && words[state]) || state;
}

/** `waiting, 2nd of 3`, `waiting: the disk is full`, `stopped by the system`, `paused`. */
export function standing(view: Stands, lang: Lang): string {
  const [words, word] = [wordsFor(lang), stateWord(view.state, lang)];
  const place = placeOf(view);
  if (place) return fill(words.inLine, word, ordinal(place.place, lang), String(place.of));
  const why = EXPLAINED.includes(view.state) ? (view.why ?? "").trim() : "";
  if (!why || PLACE.test(why)) return word;
  const said = lang === "zh" && Object.prototype.hasOwnProperty.call(REASONS, why) ? (REASONS[why] ?? why) : why;
  return why.split(" ")[0] === view.state ? said : fill(words.because, word, said);
}

/** `epoch 2 of 3 · step 640 of 1,407`, with the state before it where the run does not train. */
export function progress(view: Snapshot, lang: Lang): string {
  const [words, parts] = [wordsFor(lang), [] as string[]];
  if (view.state !== "running") parts.push(standing(view, lang));
  const begun = view.state !== "waiting" || view.step > 0;
  if (begun && view.epoch && view.epochs) parts.push(fill(words.epochOf, String(view.epoch), String(view.epochs)));
  if (view.step) {
    const over = view.steps && view.steps !== view.step;
    parts.push(over ? fill(words.stepOf, count(view.step), count(view.steps ?? 0)) : fill(words.steps, count(view.step)));
  }
  return parts.join(" · ");
}

/** Its place in the queue, as a number or as the reason says it; null for a run that waits for something else. */
function placeOf(view: Stands): Queue | null {
  if (view.state !== "waiting") return null;
  if (view.queue) return view.queue;
  const said = PLACE.exec((view.why ?? "").trim());
  return said && { place: Number(said[1]), of: Number(said[2]) };
}

/** `1st`, `2nd`, `3rd`, `11th`, `22nd`; in Chinese the number alone, for the sentence says the rest. */
export function ordinal(place: number, lang: Lang): string {
  if (lang === "zh") return String(place);
  const [tens, ones] = [place % 100, place % 10];
  const ending = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][ones] ?? "th");
  return `${place}${ending}`;
}

/** `sharing 2 cores with 1 run`, `1 of 2 cores: others are busy`; nothing for a run that is alone, or over. */
export function sharing(state: RunState, cores: Cores | null | undefined, lang: Lang): string {
  if (!cores || !alive(state)) return "";
  const words = wordsFor(lang);
  const all = cores.cores === 1 ? words.core : fill(words.cores, count(cores.cores));
  const others = cores.runs === 1 ? words.run : fill(words.runs, count(cores.runs));
  if (cores.runs > 0) return fill(words.sharing, all, others);
  return cores.busy ? fill(words.crowded, count(cores.threads), all) : "";
}

/** The rate at steps that are equally far apart, for a curve without axes; empty where nothing is to come. */
export function curveOf(coming: readonly Coming[]): number[] {
  const [first, last] = [coming[0], coming[coming.length - 1]];
  if (!first || !last || last[0] <= first[0]) return [];
  let place = 0;
  return Array.from({ length: POINTS }, (_, index) => {
    const step = first[0] + ((last[0] - first[0]) * index) / (POINTS - 1);
    while (place < coming.length - 2 && (coming[place + 1]?.[0] ?? step) < step) place += 1;
    return between(coming[place] ?? first, coming[place + 1] ?? last, step);
  });
}

function between([from, low]: Coming, [to, high]: Coming, step: number): number {
  return to > from ? low + ((high - low) * Math.min(1, Math.max(0, (step - from) / (to - from)))) : high;
}

/** `rate to come, from 0.01 to 1e-5`: what a screen reader says of the curve. */
export function comingLabel(coming: readonly Coming[], words: Words): string {
  return fill(words.comingFrom, rate(coming[0]?.[1] ?? null), rate(coming[coming.length - 1]?.[1] ?? null));
}

/** `lr: 0.003 → 0.01 at step 1,200`, the newest changes where there are many; `—` where there is none. */
export function changed(changes: readonly Change[] | undefined, lang: Lang): string {
  const words = wordsFor(lang);
  const shown = (changes ?? []).slice(-SHOWN).map((change) => fill(words.changedAt, rate(change.old) || "—", rate(change.new), count(change.step)));
  const more = (changes ?? []).length > SHOWN ? ["…"] : [];
  return [...more, ...shown].join("; ") || "—";
}
