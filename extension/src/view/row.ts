// One run of the list: state, name, what is trained on what, a small curve, the best figure, what is left of it.

import { figure } from "../state";
import { clause, stateWord } from "../state/list";
import type { Row } from "../state/server";
import { fill, label, type Lang } from "../words";
import { labWords } from "../words-lab";
import { make, say } from "./dom";
import { Mark, Spark } from "./spark";

export const EACH = 50; // pixels; panels.css says the same
let made = 0;

export class RowView {
  readonly element = make("div", "nbm-row", "", { role: "row", id: `nbm-row-${++made}` });
  private readonly mark = new Mark();
  private readonly name = make("strong", "nbm-row-name");
  private readonly what = make("span", "nbm-row-what");
  private readonly spark = new Spark();
  private readonly best = make("strong", "nbm-row-best");
  private readonly clause = make("span", "nbm-row-clause");
  private readonly more = make("button", "nbm-more", "⋯", { type: "button", tabindex: "-1" });
  private row: Row | null = null;

  constructor(
    readonly id: string,
    private readonly lang: Lang,
  ) {
    const tick = make("span", "nbm-tick", "", { role: "gridcell" });
    tick.append(this.mark.element);
    const top = make("span", "nbm-row-top", "", { role: "gridcell" });
    top.append(this.name, this.spark.element, this.best);
    const foot = make("span", "nbm-row-foot", "", { role: "gridcell" });
    foot.append(this.what, this.clause);
    const actions = make("span", "nbm-row-actions", "", { role: "gridcell" });
    actions.append(this.more);
    this.element.append(tick, top, foot, actions);
    this.element.dataset["id"] = id;
  }

  /** Draws the run as it is now, only what has changed. */
  draw(row: Row, now: number): void {
    if (row === this.row) return;
    this.row = row;
    const lab = labWords(this.lang);
    const what = `${row.model} · ${row.data}`;
    const when = clause(row, this.lang, now);
    const metric = label((row.metric ?? "").replace(/_/g, " "), this.lang);
    this.element.dataset["state"] = row.state;
    this.mark.draw(row.state);
    say(this.name, row.name);
    say(this.what, what);
    say(this.best, figure(row.best));
    say(this.clause, when);
    this.spark.draw(row.curve);
    this.best.title = row.best === null ? "" : fill(lab.bestOf, metric, figure(row.best));
    this.clause.title = when;
    this.name.title = this.what.title = `${row.name}\n${what}\n${row.folder}`;
    this.more.setAttribute("aria-label", fill(lab.more, row.name));
    const told = fill(lab.rowLabel, row.name, stateWord(row.state, this.lang), row.model, row.data, when);
    this.element.setAttribute("aria-label", row.best === null ? told : told + lab.comma + this.best.title);
  }

  /** Puts the row in its place and says whether it is chosen and under the cursor. */
  place(index: number, chosen: boolean, active: boolean): void {
    this.element.style.transform = `translateY(${index * EACH}px)`;
    this.element.setAttribute("aria-rowindex", String(index + 1));
    this.element.setAttribute("aria-selected", String(chosen));
    this.element.classList.toggle("nbm-active", active);
  }
}
