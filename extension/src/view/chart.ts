// One chart: title and newest value on top, the curves (uPlot), the ends of the axis of steps below.

import uPlot from "uplot";
import { align, count, extent, figure, lastStep, newest, type Snapshot, type Splits } from "../state";
import { fill, label, type Lang, type Words } from "../words";
import { make, say } from "./dom";

const HEIGHT = 168;
const AXIS = 44; // pixels for the numbers at the left

export interface Look {
  log: boolean;
  smooth: boolean;
}

export class Chart {
  readonly element = make("figure", "nbm-chart");
  private readonly value = make("span", "nbm-value");
  private readonly end = make("span", "");
  private readonly box = make("div", "nbm-plot");
  private readonly watcher: ResizeObserver;
  private plot: uPlot | null = null;
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
    const foot = make("div", "nbm-chart-foot");
    foot.append(make("span", "", "0"), this.end);
    this.element.append(head, this.box, foot);
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.box);
  }

  /** Draws the newest curves. */
  draw(view: Snapshot, splits: Splits, look: Look): void {
    const other = look.log !== this.look.log || look.smooth !== this.look.smooth;
    this.splits = splits;
    this.look = { ...look };
    this.steps = lastStep(view);
    say(this.end, fill(this.words.atStep, count(this.steps)));
    if (this.plot && other) this.drop();
    if (this.plot) this.plot.setData(this.data());
    else this.start();
    if (this.plot?.cursor.idx == null) this.rest();
  }

  /** Draws again in the page's new colours. */
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

  private start(): void {
    const width = this.box.clientWidth;
    if (width > AXIS * 2) this.plot = new uPlot(this.options(width), this.data(), this.box);
  }

  private resize(): void {
    const width = this.box.clientWidth;
    if (this.plot) this.plot.setSize({ width, height: HEIGHT });
    else if (Object.keys(this.splits).length) this.start();
  }

  private data(): uPlot.AlignedData {
    const { x, train, smooth, val } = align(this.splits, this.look.smooth, this.look.log);
    return [x, train, this.look.smooth ? smooth : x.map(() => undefined), val];
  }

  private options(width: number): uPlot.Options {
    const colour = (name: string) => () => getComputedStyle(this.element).getPropertyValue(`--nbm-${name}`).trim();
    const log = this.look.log;
    const font = "11px system-ui, sans-serif";
    return {
      width,
      height: HEIGHT,
      padding: [8, 6, 4, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: this.sync }, points: { size: 6 } },
      scales: {
        x: { time: false, range: () => [0, this.steps] },
        y: log ? { distr: 3 } : { range: () => extent(this.splits) },
      },
      axes: [
        { show: false },
        {
          size: AXIS,
          font,
          stroke: colour("muted"),
          gap: 6,
          space: 24,
          grid: { stroke: colour("line"), width: 1 },
          ticks: { show: false },
          values: (_, splits) => splits.map((value) => (value === null ? "" : tick(value))),
        },
      ],
      series: [
        {},
        { stroke: colour(this.look.smooth ? "train-faint" : "train"), width: 1.5, points: { show: false } },
        { stroke: colour("train"), width: 2, points: { show: false } },
        {
          stroke: colour("val"),
          width: 1.75,
          dash: [5, 3],
          points: { show: (self, index) => few(self, index), size: 6, fill: colour("val"), width: 0 },
        },
      ],
      hooks: { setCursor: [(self) => this.hover(self)] },
    };
  }

  private hover(self: uPlot): void {
    const index = self.cursor.idx;
    if (index == null) return this.rest();
    const near = (column: number): string => {
      const data = self.data[column] ?? [];
      for (let back = index; back >= 0; back--) if (data[back] != null) return figure(data[back]);
      return "—";
    };
    const parts = [fill(this.words.atStep, count(self.data[0][index] ?? 0))];
    if (this.splits.train) parts.push(`${this.words.train} ${near(this.look.smooth ? 2 : 1)}`);
    if (this.splits.val) parts.push(`${this.words.val} ${near(3)}`);
    this.value.classList.add("nbm-hover");
    say(this.value, parts.join(" · "));
  }

  private rest(): void {
    this.value.classList.remove("nbm-hover");
    say(this.value, figure(newest(this.splits)));
  }
}

/** Points are drawn where they are few enough to be told apart. */
function few(self: uPlot, index: number): boolean {
  const data = self.data[index] ?? [];
  let found = 0;
  for (const value of data) if (value != null) found++;
  return found <= 40;
}

function tick(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(0).replace("e+", "e");
  return size >= 1e4 ? `${Number((value / 1000).toPrecision(4))}k` : String(Number(value.toPrecision(4)));
}
