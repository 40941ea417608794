// One metric of several runs: a curve each, in its own colour and dash, on one axis of steps.

import uPlot from "uplot";
import { count, figure, type Split } from "../state";
import { type Compared, dash, overlay, STYLES } from "../state/comparison";
import { fill, label, type Lang, type Words, wordsFor } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { make, say } from "./dom";

const HEIGHT = 220;
const AXIS = 48; // pixels for the numbers at the left

/** The key of a run: a short piece of its line, in its colour and dash. */
export function sample(place: number): SVGSVGElement {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  drawing.setAttribute("class", `nbm-sample-line nbm-run-${place % STYLES}`);
  drawing.setAttribute("width", "30");
  drawing.setAttribute("height", "8");
  drawing.setAttribute("aria-hidden", "true");
  for (const [key, value] of Object.entries({ x1: 0, x2: 30, y1: 4, y2: 4 })) line.setAttribute(key, String(value));
  line.setAttribute("stroke-dasharray", dash(place).join(" "));
  drawing.append(line);
  return drawing;
}

/** One metric of all runs. */
export class OverlayChart {
  readonly element = make("figure", "nbm-chart");
  private readonly head = make("span", "");
  private readonly value = make("span", "nbm-value");
  private readonly box = make("div", "nbm-plot");
  private readonly end = make("span", "");
  private readonly watcher: ResizeObserver;
  private readonly words: Words;
  private readonly lab: LabWords;
  private plot: uPlot | null = null;
  private runs: Compared[] = [];
  private data: uPlot.AlignedData = [[]];
  private last = 1; // step of the axis

  constructor(
    private readonly name: string,
    private readonly lang: Lang,
    private readonly sync: string,
  ) {
    this.words = wordsFor(lang);
    this.lab = labWords(lang);
    const head = make("figcaption", "nbm-chart-head");
    head.append(this.head, this.value);
    const foot = make("div", "nbm-chart-foot");
    foot.append(make("span", "", "0"), this.end);
    this.element.append(head, this.box, foot);
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.box);
  }

  draw(runs: Compared[], wanted: Split): void {
    const { x, columns, splits } = overlay(runs, this.name, wanted);
    const others = runs.length !== this.runs.length;
    this.runs = runs;
    this.data = [x, ...columns];
    const split = splits.find((each) => each !== null) ?? wanted;
    say(this.head, fill(split === "val" ? this.lab.onlyVal : this.lab.onlyTrain, label(this.name.replace(/_/g, " "), this.lang)));
    this.last = x[x.length - 1] ?? 1;
    say(this.end, fill(this.words.atStep, count(this.last)));
    if (others) this.drop();
    if (this.plot) this.plot.setData(this.data);
    else this.start();
  }

  repaint(): void {
    this.plot?.redraw(false, true);
  }

  destroy(): void {
    this.watcher.disconnect();
    this.drop();
  }

  private drop(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private resize(): void {
    const width = this.box.clientWidth;
    if (this.plot && width) this.plot.setSize({ width, height: HEIGHT });
    else this.start();
  }

  private start(): void {
    const width = this.box.clientWidth;
    if (width > 2 * AXIS && this.runs.length) this.plot = new uPlot(this.options(width), this.data, this.box);
  }

  private options(width: number): uPlot.Options {
    const colour = (name: string) => () => getComputedStyle(this.element).getPropertyValue(`--nbm-${name}`).trim();
    return {
      width,
      height: HEIGHT,
      padding: [8, 6, 4, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: this.sync } },
      scales: { x: { time: false, range: () => [0, this.last] } },
      axes: [
        { show: false },
        { size: AXIS, font: "11px system-ui, sans-serif", stroke: colour("muted"), gap: 6, space: 28, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } },
      ],
      series: [{}, ...this.runs.map((_, place) => series(place, colour(`run-${place % STYLES}`)))],
      hooks: { setCursor: [(self) => this.hover(self)] },
    };
  }

  private hover(self: uPlot): void {
    const index = self.cursor.idx;
    if (index == null) return say(this.value, "");
    const near = (place: number): string => {
      const column = self.data[place + 1] ?? [];
      for (let back = index; back >= 0; back--) if (column[back] != null) return figure(column[back]);
      return "—";
    };
    const step = fill(this.words.atStep, count(self.data[0][index] ?? 0));
    say(this.value, [step, ...this.runs.map((run, place) => `${run.name} ${near(place)}`)].join(" · "));
  }
}

function series(place: number, colour: () => string): uPlot.Series {
  return { stroke: colour, width: 1.75, dash: dash(place), spanGaps: true, points: { show: short, size: 6, fill: colour, width: 0 } };
}

/** A curve of few points shows them. */
function short(self: uPlot, index: number): boolean {
  let found = 0;
  for (const value of self.data[index] ?? []) if (value != null) found++;
  return found <= 40;
}
