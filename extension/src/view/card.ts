// The card of one run: head with buttons, progress, figures, charts, samples, foot.

import { alive, clock, commands, done, mayBeLog, sentence, share } from "../state";
import type { Command, Sample, Snapshot, Verb } from "../state";
import { progress, sharing, standing } from "../state/standing";
import { fill, label, type Lang, type Words, wordsFor } from "../words";
import { Chart, type Look } from "./chart";
import { copy, make, say } from "./dom";
import { RateField } from "./rate";
import { Samples } from "./samples";

const DOING: Record<Verb, keyof Words> = { first: "moving", pause: "pausing", resume: "resuming", stop: "stopping" };
let cards = 0;

export class Card {
  readonly element = make("section", "nbm");
  private readonly words: Words;
  private readonly sync = `nbm-${++cards}`; // its charts share one cursor
  private readonly look: Look = { log: false, smooth: false };
  private readonly charts = new Map<string, Chart>();
  private readonly samples: Samples;
  private readonly dot = make("span", "nbm-dot");
  private readonly name = make("strong", "nbm-name");
  private readonly title = make("span", "nbm-title");
  private readonly buttons = make("div", "nbm-buttons");
  private readonly notes = make("p", "nbm-rule", "", { role: "note" });
  private readonly error = make("div", "nbm-error", "", { role: "alert" });
  private readonly bar = make("div", "nbm-bar", "", { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
  private readonly fill = make("div", "nbm-fill");
  private readonly where = make("span", "");
  private readonly clock = make("span", "");
  private readonly heard = make("span", "nbm-hidden", "", { "aria-live": "polite" });
  private readonly figures = make("div", "nbm-figures", "", { role: "list" });
  private readonly grid = make("div", "nbm-charts");
  private readonly legend = make("div", "nbm-legend");
  private readonly logToggle: HTMLButtonElement;
  private readonly smoothToggle: HTMLButtonElement;
  private readonly rate: RateField;
  private readonly note = make("span", "nbm-note", "", { role: "status" });
  private readonly device = make("span", "");
  private readonly copyButton: HTMLButtonElement;
  private view: Snapshot | null = null;
  private pending: Verb | null = null;
  private silent = false;

  constructor(
    private readonly lang: Lang,
    private readonly send: (command: Command) => void,
  ) {
    this.words = wordsFor(lang);
    this.samples = new Samples(this.words);
    this.logToggle = this.toggle("log", this.words.logScale);
    this.smoothToggle = this.toggle("smooth", this.words.smooth);
    this.rate = new RateField(this.words, (value) => this.sendRate(value), () => this.complain(""));
    this.copyButton = make("button", "nbm-link", this.words.copy, { type: "button" });
    this.build();
    this.listen();
  }

  /** Draws a snapshot; cheap when little has changed. */
  draw(view: Snapshot): void {
    const before = this.view;
    this.view = view;
    this.element.dataset["state"] = view.state;
    say(this.name, view.name);
    say(this.title, view.title);
    if (this.pending && (done(this.pending, view) || before?.state !== view.state)) this.pending = null;
    this.drawButtons(view);
    this.drawProgress(view);
    say(this.notes, (view.notes ?? []).join(" "));
    this.notes.hidden = !view.notes?.length;
    if (JSON.stringify(before?.error) !== JSON.stringify(view.error)) this.drawError(view);
    if (JSON.stringify(before?.figures) !== JSON.stringify(view.figures)) this.drawFigures(view);
    this.drawCharts(view);
    this.drawFoot(view);
  }

  drawSamples(samples: Sample[]): void {
    this.samples.draw(samples);
  }

  /** What was pressed and has not been done yet is asked again: a page that was reloaded may have spoken too early. */
  insist(): void {
    if (this.pending) this.send({ do: this.pending });
  }

  /** Says in one line why something that was asked cannot be done. */
  complain(text: string): void {
    this.pending = null;
    say(this.note, text);
    if (this.view) this.drawButtons(this.view);
  }

  /** Nothing is heard of the kernel: what is drawn may be old, and a button reaches nobody. The run itself goes on. */
  silence(silent: boolean): void {
    if (!this.view || silent === this.silent) return;
    this.silent = silent && alive(this.view.state);
    this.element.classList.toggle("nbm-silent", this.silent);
    say(this.note, this.silent ? fill(this.words.silent, this.view.name) : "");
    this.rate.enable(!this.silent && alive(this.view.state));
    for (const button of this.buttons.querySelectorAll("button")) button.disabled = this.silent;
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
    const head = make("header", "nbm-head");
    const who = make("div", "nbm-who");
    who.append(this.dot, this.name, this.title);
    head.append(who, this.buttons);
    this.bar.append(this.fill);
    const line = make("div", "nbm-progress");
    line.append(this.where, this.clock);
    const keys = make("span", "nbm-keys");
    for (const split of ["train", "val"] as const) keys.append(make("i", `nbm-key nbm-${split}`), make("span", "", this.words[split]));
    const toggles = make("span", "nbm-toggles");
    toggles.append(this.logToggle, this.smoothToggle);
    this.legend.append(keys, toggles);
    const foot = make("footer", "nbm-foot");
    const left = make("span", "nbm-foot-left");
    left.append(this.rate.element, this.note);
    const right = make("span", "nbm-foot-right");
    right.append(this.device, this.copyButton);
    foot.append(left, right, this.rate.rule);
    this.error.hidden = this.notes.hidden = true;
    this.samples.element.hidden = true;
    this.element.append(head, this.bar, line, this.heard, this.error, this.notes, this.figures, this.grid, this.legend, this.samples.element, foot);
  }

  private listen(): void {
    this.copyButton.addEventListener("click", () => {
      void copy(this.view?.command ?? "").then(() => this.flash(this.copyButton, this.words.copied, this.words.copy));
    });
  }

  private sendRate(value: number | null): void {
    say(this.note, value === null ? this.words.positive : this.words.applied);
    if (value !== null) this.send({ do: "lr", value });
  }

  private flash(button: HTMLElement, text: string, after: string): void {
    say(button, text);
    setTimeout(() => say(button, after), 1500);
  }

  private toggle(key: keyof Look, text: string): HTMLButtonElement {
    const button = make("button", "nbm-link nbm-toggle", text, { type: "button", "aria-pressed": "false" });
    button.addEventListener("click", () => {
      this.look[key] = !this.look[key];
      button.setAttribute("aria-pressed", String(this.look[key]));
      if (this.view) this.drawCharts(this.view);
    });
    return button;
  }

  private drawButtons(view: Snapshot): void {
    const wanted = commands(view);
    const key = wanted.join() + (this.pending ?? "");
    if (this.buttons.dataset["key"] === key) return;
    this.buttons.dataset["key"] = key;
    const had = this.buttons.contains(document.activeElement);
    this.buttons.replaceChildren(
      ...wanted.map((verb) => {
        const text = this.words[this.pending === verb ? DOING[verb] : verb];
        const button = make("button", "nbm-button", text, { type: "button" });
        button.disabled = this.pending === verb || (this.pending === "stop" && verb !== "stop");
        button.addEventListener("click", () => this.ask(verb));
        return button;
      }),
    );
    if (had) this.buttons.querySelector<HTMLButtonElement>("button:not(:disabled)")?.focus();
  }

  private ask(verb: Verb): void {
    this.pending = verb;
    say(this.note, "");
    if (this.view) this.drawButtons(this.view);
    this.send({ do: verb });
  }

  private drawProgress(view: Snapshot): void {
    const part = share(view);
    this.fill.style.width = `${(part * 100).toFixed(2)}%`;
    this.bar.setAttribute("aria-valuenow", String(Math.round(part * 100)));
    const text = progress(view, this.lang);
    this.bar.setAttribute("aria-valuetext", text);
    this.bar.setAttribute("aria-label", view.name);
    say(this.where, text);
    say(this.clock, clock(view, this.words));
    // Spoken once an epoch and at each change of state, not five times a second.
    say(this.heard, `${view.name}: ${standing(view, this.lang)}, ${fill(this.words.atEpoch, String(view.epoch ?? 0))}`);
  }

  private drawError(view: Snapshot): void {
    this.error.hidden = !view.error;
    if (!view.error) return;
    const line = make("div", "");
    line.append(make("strong", "", sentence(view.error.what)), document.createTextNode(` ${view.error.hint}`));
    this.error.replaceChildren(line);
    if (view.error.traceback) {
      const details = make("details", "");
      details.append(make("summary", "", this.words.traceback), make("pre", "", view.error.traceback, { tabindex: "0" }));
      this.error.append(details);
    }
  }

  private drawFigures(view: Snapshot): void {
    this.figures.replaceChildren(
      ...view.figures.map(([name, value]) => {
        const box = make("div", "nbm-figure", "", { role: "listitem" });
        box.append(make("div", "nbm-figure-name", label(name, this.lang)), make("div", "nbm-figure-value", value));
        return box;
      }),
    );
  }

  private drawCharts(view: Snapshot): void {
    for (const [name, splits] of Object.entries(view.series)) {
      let chart = this.charts.get(name);
      if (!chart) {
        chart = new Chart(name, this.words, this.lang, this.sync);
        this.charts.set(name, chart);
        this.grid.append(chart.element);
      }
      chart.draw(view, splits, { ...this.look, log: this.look.log && mayBeLog(name, splits) });
    }
    const names = Object.keys(view.series);
    this.grid.classList.toggle("nbm-one", names.length === 1);
    this.legend.hidden = this.grid.hidden = names.length === 0;
    this.logToggle.hidden = !names.some((name) => mayBeLog(name, view.series[name] ?? {}));
  }

  private drawFoot(view: Snapshot): void {
    say(this.device, [view.device, sharing(view.state, view.cores, this.lang)].filter(Boolean).join(" · "));
    this.copyButton.title = view.command;
    this.copyButton.hidden = !view.command;
    this.rate.draw(view);
  }
}
