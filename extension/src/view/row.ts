// One run of the list: state, name, what is trained on what, a small curve, the best figure, what is left of it.

import { figure } from "../state";
import { clause, told } from "../state/list";
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
    const what = [row.model, row.data].filter(Boolean).join(" · ");
    const when = clause(row, this.lang, now);
    const metric = label((row.metric ?? "").replace(/_/g, " "), this.lang);
    this.element.dataset["state"] = row.state;
    this.mark.draw(row.state);
    say(this.name, row.name);
    say(this.what, what);
    say(this.best, row.unreadable ? "" : figure(row.best));
    this.more.hidden = row.unreadable === true;
    say(this.clause, when);
    this.spark.draw(row.curve);
    this.best.title = row.best === null ? "" : fill(lab.bestOf, metric, figure(row.best));
    this.clause.title = when;
    this.name.title = this.what.title = [row.name, what, row.folder].filter(Boolean).join("\n");
    this.more.setAttribute("aria-label", fill(lab.more, row.name));
    const said = told(row, this.lang);
    const whole = fill(lab.rowLabel, row.name, said, row.model, row.data, when);
    const parts = row.unreadable ? [row.name, said, row.error] : [whole, this.best.title];
    this.element.setAttribute("aria-label", parts.filter(Boolean).join(lab.comma));
  }

  /** Puts the row in its place and says whether it is chosen and under the cursor. */
  place(index: number, chosen: boolean, active: boolean): void {
    this.element.style.transform = `translateY(${index * EACH}px)`;
    this.element.setAttribute("aria-rowindex", String(index + 1));
    this.element.setAttribute("aria-selected", String(chosen));
    this.element.classList.toggle("nbm-active", active);
  }
}
