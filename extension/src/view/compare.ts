// Runs side by side: a legend, one chart a metric with a curve of each run, and their options in one table.

import { figure, type Split } from "../state";
import { best, type Compared, metrics, table } from "../state/comparison";
import { lowerIsBetter } from "../state/list";
import { standing } from "../state/standing";
import { fill, label, type Lang, wordsFor } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { make, say } from "./dom";
import { OverlayChart, sample } from "./overlay";

let views = 0;

export class Comparison {
  readonly element = make("div", "nbm-compare");
  private readonly lab: LabWords;
  private readonly sync = `nbm-compare-${++views}`;
  private readonly legend = make("ul", "nbm-compare-legend");
  private readonly title = make("h1", "");
  private readonly grid = make("div", "nbm-compare-charts");
  private readonly empty = make("p", "nbm-empty-line");
  private readonly scroll = make("div", "nbm-compare-scroll", "", { tabindex: "0", role: "region" });
  private readonly charts = new Map<string, OverlayChart>();
  private readonly splits: HTMLButtonElement[];
  private readonly few: HTMLInputElement;
  private runs: Compared[] = [];
  private split: Split = "val";
  private drawnTable = "";

  constructor(
    private readonly lang: Lang,
    private readonly open: (id: string) => void,
  ) {
    this.lab = labWords(lang);
    this.splits = (["val", "train"] as const).map((split) => this.splitButton(split));
    this.few = make("input", "", "", { type: "checkbox" });
    this.few.addEventListener("change", () => this.drawTable(true));
    this.build();
  }

  /** Draws the runs, in the order of their colours. */
  draw(runs: Compared[]): void {
    this.runs = runs;
    say(this.title, fill(this.lab.comparing, String(runs.length)));
    this.drawLegend();
    this.drawCharts();
    this.drawTable(false);
  }

  /** The page has new colours. */
  repaint(): void {
    this.charts.forEach((chart) => chart.repaint());
  }

  destroy(): void {
    this.charts.forEach((chart) => chart.destroy());
    this.charts.clear();
  }

  private build(): void {
    const head = make("div", "nbm-compare-head");
    const toggle = make("div", "nbm-segments", "", { role: "group", "aria-label": this.lab.curvesOf });
    toggle.append(...this.splits);
    head.append(this.title, toggle);
    const below = make("div", "nbm-compare-head");
    const only = make("label", "nbm-check", this.lab.onlyDiffering);
    only.prepend(this.few);
    below.append(make("h2", "", this.lab.optionsTitle), only);
    this.scroll.setAttribute("aria-label", this.lab.optionsTitle);
    say(this.empty, this.lab.noCurves);
    this.element.append(head, this.legend, this.empty, this.grid, below, this.scroll);
  }

  private splitButton(split: Split): HTMLButtonElement {
    const button = make("button", "nbm-segment", wordsFor(this.lang)[split], { type: "button", "aria-pressed": String(split === this.split) });
    button.addEventListener("click", () => {
      this.split = split;
      this.splits.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      this.drawCharts();
    });
    return button;
  }

  private drawLegend(): void {
    const key = this.runs.map((run) => `${run.id} ${standing(run, this.lang)}`).join();
    if (this.legend.dataset["key"] === key) return;
    this.legend.dataset["key"] = key;
    this.legend.replaceChildren(
      ...this.runs.map((run, place) => {
        const item = make("li", "");
        const name = make("button", "nbm-link", run.name, { type: "button" });
        name.addEventListener("click", () => this.open(run.id));
        item.append(sample(place), name, make("span", "nbm-muted", standing(run, this.lang)));
        return item;
      }),
    );
  }

  private drawCharts(): void {
    const names = metrics(this.runs);
    this.empty.hidden = names.length > 0;
    for (const name of names) {
      let chart = this.charts.get(name);
      if (!chart) {
        chart = new OverlayChart(name, this.lang, this.sync);
        this.charts.set(name, chart);
        this.grid.append(chart.element);
      }
      chart.draw(this.runs, this.split);
    }
  }

  private drawTable(anew: boolean): void {
    const lines = table(this.runs, this.lang).filter((line) => line.differs || !this.few.checked);
    const results = this.results();
    const key = JSON.stringify([this.runs.map((run) => run.name), lines, results]);
    if (key === this.drawnTable && !anew) return;
    this.drawnTable = key;
    const made = make("table", "nbm-compare-table");
    const head = make("tr", "");
    head.append(make("th", "", this.lab.option, { scope: "col" }));
    this.runs.forEach((run, place) => {
      const cell = make("th", "", "", { scope: "col" });
      cell.append(sample(place), make("span", "", run.name));
      head.append(cell);
    });
    const top = make("thead", "");
    top.append(head);
    const body = make("tbody", "");
    body.append(...results.map((row) => this.result(row)), ...lines.map((line) => this.line(line.name, line.values, line.differs)));
    made.append(top, body);
    this.scroll.replaceChildren(made);
  }

  /** The best value of every metric that is validated, else trained: the best run's is marked. */
  private results(): { name: string; values: string[]; best: number }[] {
    return metrics(this.runs).map((name) => {
      const lower = lowerIsBetter(name);
      const values = this.runs.map((run) => {
        const curve = run.series[name]?.val ?? run.series[name]?.train;
        const known = (curve?.[1] ?? []).filter((value): value is number => value !== null);
        return known.length ? (lower ? Math.min(...known) : Math.max(...known)) : null;
      });
      const title = fill(this.lab.bestLabel, label(name.replace(/_/g, " "), this.lang));
      return { name: title, values: values.map(figure), best: best(values, lower) };
    });
  }

  private result(row: { name: string; values: string[]; best: number }): HTMLElement {
    const made = this.line(row.name, row.values, false);
    made.classList.add("nbm-result");
    const winner = made.querySelectorAll("td")[row.best];
    if (winner) winner.append(make("span", "nbm-best", " ★", { role: "img", "aria-label": this.lab.best }));
    return made;
  }

  private line(name: string, values: string[], differs: boolean): HTMLElement {
    const made = make("tr", differs ? "nbm-differs" : "");
    const head = make("th", "", name, { scope: "row" });
    if (differs) head.append(make("span", "nbm-differs-word", `≠ ${this.lab.differs}`));
    made.append(head, ...values.map((value) => make("td", "", value)));
    return made;
  }
}
