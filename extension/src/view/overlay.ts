// One metric of several runs: a curve each, in its own colour and dash, on one axis of steps.

import uPlot from "uplot";
import { count, type Split } from "../state";
import { type Compared, dash, overlay, STYLES } from "../state/comparison";
import { fill, label, type Lang, type Words, wordsFor } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { make, say } from "./dom";
import { type Drawing, few, near, Plot } from "./plot";

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
export class OverlayChart implements Drawing {
  readonly height = 220;
  readonly axis = 48;
  readonly element: HTMLElement;
  private readonly head = make("span", "");
  private readonly value = make("span", "nbm-value");
  private readonly plot: Plot;
  private readonly words: Words;
  private readonly lab: LabWords;
  private runs: Compared[] = [];
  private drawn: uPlot.AlignedData = [[]];
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
    this.plot = new Plot(head, this);
    this.element = this.plot.element;
  }

  draw(runs: Compared[], wanted: Split): void {
    const { x, columns, splits } = overlay(runs, this.name, wanted);
    const others = runs.length !== this.runs.length;
    this.runs = runs;
    this.drawn = [x, ...columns];
    const split = splits.find((each) => each !== null) ?? wanted;
    say(this.head, fill(split === "val" ? this.lab.onlyVal : this.lab.onlyTrain, label(this.name.replace(/_/g, " "), this.lang)));
    this.last = x[x.length - 1] ?? 1;
    this.plot.draw(others, fill(this.words.atStep, count(this.last)));
  }

  repaint(): void {
    this.plot.repaint();
  }

  destroy(): void {
    this.plot.destroy();
  }

  ready(): boolean {
    return this.runs.length > 0;
  }

  data(): uPlot.AlignedData {
    return this.drawn;
  }

  options(colour: (name: string) => () => string): ReturnType<Drawing["options"]> {
    return {
      cursor: { sync: { key: this.sync } },
      scales: { x: { time: false, range: () => [0, this.last] } },
      series: [{}, ...this.runs.map((_, place) => series(place, colour(`run-${place % STYLES}`)))],
      hooks: { setCursor: [(self) => this.hover(self)] },
    };
  }

  private hover(self: uPlot): void {
    const index = self.cursor.idx;
    if (index == null) return say(this.value, "");
    const step = fill(this.words.atStep, count(self.data[0][index] ?? 0));
    say(this.value, [step, ...this.runs.map((run, place) => `${run.name} ${near(self, place + 1, index)}`)].join(" · "));
  }
}

function series(place: number, colour: () => string): uPlot.Series {
  return { stroke: colour, width: 1.75, dash: dash(place), spanGaps: true, points: { show: few, size: 6, fill: colour, width: 0 } };
}
