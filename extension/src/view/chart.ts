// One chart: title and newest value on top, the curves, the ends of the axis of steps below.

import uPlot from "uplot";
import { align, count, extent, figure, lastStep, newest, type Snapshot, type Splits } from "../state";
import { fill, label, type Lang, type Words } from "../words";
import { make, say } from "./dom";
import { type Drawing, few, near, Plot } from "./plot";

export interface Look {
  log: boolean;
  smooth: boolean;
}

export class Chart implements Drawing {
  readonly height = 168;
  readonly axis = 44;
  readonly element: HTMLElement;
  private readonly value = make("span", "nbm-value");
  private readonly plot: Plot;
  private splits: Splits = {};
  private look: Look = { log: false, smooth: false };
  private steps = 1;

  constructor(
    name: string,
    private readonly words: Words,
    lang: Lang,
    private readonly sync: string,
  ) {
    const head = make("figcaption", "nbm-chart-head");
    head.append(make("span", "", label(name.replace(/_/g, " "), lang)), this.value);
    this.plot = new Plot(head, this);
    this.element = this.plot.element;
  }

  /** Draws the newest curves. */
  draw(view: Snapshot, splits: Splits, look: Look): void {
    const other = look.log !== this.look.log || look.smooth !== this.look.smooth;
    this.splits = splits;
    this.look = { ...look };
    this.steps = lastStep(view);
    this.plot.draw(other, fill(this.words.atStep, count(this.steps)));
    if (!this.plot.hovered) this.rest();
  }

  /** Draws again in the page's new colours. */
  repaint(): void {
    this.plot.repaint();
  }

  destroy(): void {
    this.plot.destroy();
  }

  ready(): boolean {
    return Object.keys(this.splits).length > 0;
  }

  data(): uPlot.AlignedData {
    const { x, train, smooth, val } = align(this.splits, this.look.smooth, this.look.log);
    return [x, train, this.look.smooth ? smooth : x.map(() => undefined), val];
  }

  options(colour: (name: string) => () => string): ReturnType<Drawing["options"]> {
    return {
      cursor: { sync: { key: this.sync }, points: { size: 6 } },
      scales: {
        x: { time: false, range: () => [0, this.steps] },
        y: this.look.log ? { distr: 3 } : { range: () => extent(this.splits) },
      },
      axis: { values: (_, splits) => splits.map((value) => (value === null ? "" : tick(value))) },
      series: [
        {},
        { stroke: colour(this.look.smooth ? "train-faint" : "train"), width: 1.5, points: { show: false } },
        { stroke: colour("train"), width: 2, points: { show: false } },
        { stroke: colour("val"), width: 1.75, dash: [5, 3], points: { show: few, size: 6, fill: colour("val"), width: 0 } },
      ],
      hooks: { setCursor: [(self) => this.hover(self)] },
    };
  }

  private hover(self: uPlot): void {
    const index = self.cursor.idx;
    if (index == null) return this.rest();
    const parts = [fill(this.words.atStep, count(self.data[0][index] ?? 0))];
    if (this.splits.train) parts.push(`${this.words.train} ${near(self, this.look.smooth ? 2 : 1, index)}`);
    if (this.splits.val) parts.push(`${this.words.val} ${near(self, 3, index)}`);
    this.value.classList.add("nbm-hover");
    say(this.value, parts.join(" · "));
  }

  private rest(): void {
    this.value.classList.remove("nbm-hover");
    say(this.value, figure(newest(this.splits)));
  }
}

function tick(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(0).replace("e+", "e");
  return size >= 1e4 ? `${Number((value / 1000).toPrecision(4))}k` : String(Number(value.toPrecision(4)));
}
