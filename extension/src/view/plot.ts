// A uPlot in a figure: head, curves, the ends of the axis of steps; made when there is room for it, as wide as its box.

import uPlot from "uplot";
import { figure } from "../state";
import { make, say } from "./dom";

const FONT = "11px system-ui, sans-serif";
const FEW = 40; // points of a curve that can be told apart

/** What a chart says of itself, besides its size. */
export interface Drawing {
  height: number;
  axis: number; // pixels for the numbers at the left
  ready(): boolean; // whether there is anything to draw
  data(): uPlot.AlignedData;
  options(colour: (name: string) => () => string): Pick<uPlot.Options, "scales" | "series" | "hooks" | "cursor"> & { axis?: uPlot.Axis };
}

export class Plot {
  readonly element = make("figure", "nbm-chart");
  private readonly box = make("div", "nbm-plot");
  private readonly last = make("span", "");
  private readonly watcher = new ResizeObserver(() => this.resize());
  private plot: uPlot | null = null;

  constructor(
    head: HTMLElement,
    private readonly drawing: Drawing,
  ) {
    const foot = make("div", "nbm-chart-foot");
    foot.append(make("span", "", "0"), this.last);
    this.element.append(head, this.box, foot);
    this.watcher.observe(this.box);
  }

  /** Whether the pointer is over the curves. */
  get hovered(): boolean {
    return this.plot?.cursor.idx != null;
  }

  /** Draws the newest data; `anew` where more than the data is another. */
  draw(anew: boolean, end: string): void {
    say(this.last, end);
    if (anew) this.drop();
    if (this.plot) this.plot.setData(this.drawing.data());
    else this.start();
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

  private resize(): void {
    const width = this.box.clientWidth;
    if (this.plot && width) this.plot.setSize({ width, height: this.drawing.height });
    else this.start();
  }

  private start(): void {
    const width = this.box.clientWidth;
    if (width > 2 * this.drawing.axis && this.drawing.ready()) this.plot = new uPlot(this.options(width), this.drawing.data(), this.box);
  }

  private options(width: number): uPlot.Options {
    const colour = (name: string) => () => getComputedStyle(this.element).getPropertyValue(`--nbm-${name}`).trim();
    const { height } = this.drawing;
    const { axis, ...own } = this.drawing.options(colour);
    const left: uPlot.Axis = { size: this.drawing.axis, font: FONT, stroke: colour("muted"), gap: 6, space: 24, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const cursor = { y: false, drag: { x: false, y: false }, ...own.cursor };
    return { width, height, padding: [8, 6, 4, 0], legend: { show: false }, axes: [{ show: false }, { ...left, ...axis }], ...own, cursor };
  }
}

/** The value of a curve at a place of the axis, or at its last point before it; `—` where that is no number. */
export function near(self: uPlot, column: number, index: number): string {
  const data = self.data[column] ?? [];
  for (let back = index; back >= 0; back--) if (data[back] !== undefined) return figure(data[back]);
  return "—";
}

/** Points are drawn where they are few enough to be told apart. */
export function few(self: uPlot, column: number): boolean {
  let found = 0;
  for (const value of self.data[column] ?? []) if (value != null) found++;
  return found <= FEW;
}
