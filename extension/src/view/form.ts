// The form that trains a model: every option with its control and its help, and beneath it the very line that it runs.

import { about, asCell, asked, type Asked, control, type Field, fields, firstData, type Group, kept } from "../state/line";
import type { Catalogue, ModelInfo } from "../state/server";
import { fill, type Lang } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { copy, make, say } from "./dom";
import { FieldView } from "./field";

const PAUSE = 250; // milliseconds without a key before the line is asked for

/** What the server makes of the form: the line, or what is wrong with it. */
export type Answer = { line: string } | { message: string; hint: string };

/** What the form asks of whoever wires it. */
export interface FormHands {
  line(asked: Asked): Promise<Answer>;
  run(line: string, where: "new" | "current"): Promise<void>;
}

export class Form {
  readonly element = make("form", "nbm-form", "", { novalidate: "", autocomplete: "off" });
  private readonly words: LabWords;
  private readonly model = make("select", "", "", { id: "nbm-form-model" });
  private readonly data = make("select", "", "", { id: "nbm-form-data" });
  private readonly about = make("p", "nbm-form-about");
  private readonly groups = make("div", "nbm-form-groups");
  private readonly line = make("code", "nbm-form-line", "", { tabindex: "0" });
  private readonly wrong = make("p", "nbm-form-wrong", "", { role: "alert" });
  private readonly inNew: HTMLButtonElement;
  private readonly inCurrent: HTMLButtonElement;
  private readonly opened = new Set<Group>();
  private views: FieldView[] = [];
  private fields: Field[] = [];
  private typed = new Map<string, string>();
  private timer = 0;
  private turn = 0; // of the questions to the server: only the newest answer counts
  private ready = "";

  constructor(
    private readonly catalogue: Catalogue,
    private readonly lang: Lang,
    private readonly hands: FormHands,
  ) {
    this.words = labWords(lang);
    this.inNew = make("button", "nbm-act nbm-primary", this.words.inNew, { type: "submit" });
    this.inCurrent = make("button", "nbm-act", "", { type: "button" });
    this.build();
    this.otherModel();
  }

  /** The notebook that a cell can go into, by its name. */
  current(name: string | null): void {
    this.inCurrent.hidden = name === null;
    say(this.inCurrent, fill(this.words.inCurrent, name ?? ""));
  }

  focus(): void {
    this.model.focus();
  }

  destroy(): void {
    clearTimeout(this.timer);
    this.turn++;
  }

  private build(): void {
    for (const model of this.catalogue.models) this.model.append(make("option", "", `${model.name} · ${model.title.replace(/\.$/, "")}`, { value: model.name }));
    this.model.addEventListener("change", () => this.otherModel());
    this.data.addEventListener("change", () => this.otherData());
    const top = make("div", "nbm-form-top");
    for (const [select, text] of [[this.model, this.words.model], [this.data, this.words.data]] as const) {
      const box = make("div", "nbm-field");
      box.append(make("label", "", text, { for: select.id }), select);
      top.append(box);
    }
    this.inCurrent.hidden = true;
    this.inCurrent.addEventListener("click", () => void this.run("current"));
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run("new");
    });
    this.element.append(make("h1", "", this.words.train), top, this.about, this.groups, this.foot());
  }

  private foot(): HTMLElement {
    const foot = make("div", "nbm-form-foot");
    const copyButton = make("button", "nbm-link", this.words.copyLine, { type: "button" });
    copyButton.addEventListener("click", () => void copy(this.line.textContent ?? ""));
    const shown = make("div", "nbm-form-shown", "", { role: "group", "aria-label": this.words.lineLabel });
    shown.append(this.line, copyButton);
    const buttons = make("div", "nbm-form-buttons");
    buttons.append(this.inNew, this.inCurrent);
    foot.append(shown, this.wrong, buttons);
    return foot;
  }

  private get chosen(): ModelInfo | undefined {
    return this.catalogue.models.find((model) => model.name === this.model.value);
  }

  private otherModel(): void {
    const model = this.chosen;
    if (!model) return;
    const before = this.data.value;
    const first = model.data.includes(before) ? before : firstData(model);
    const titles = new Map(this.catalogue.data.map((data) => [data.name, data.title.replace(/\.$/, "")]));
    this.data.replaceChildren(...model.data.map((name) => make("option", "", [name, titles.get(name)].filter(Boolean).join(" · "), { value: name })));
    this.data.value = first;
    const doc = model.doc.split("\n\n")[0]?.replace(/\n/g, " ").replace(/`/g, "");
    say(this.about, [doc, model.paper].filter(Boolean).join(" — "));
    this.about.hidden = !this.about.textContent;
    this.otherData();
  }

  private otherData(): void {
    const model = this.chosen;
    if (!model) return;
    const data = this.catalogue.data.find((each) => each.name === this.data.value);
    this.fields = fields(this.catalogue, model, data);
    this.typed = kept(this.fields, this.typed);
    this.views = this.fields.map((field) => new FieldView(field, this.lang, this.typed.get(field.option.name) ?? field.usual, (text) => this.type(field, text)));
    const titles: [Group, string][] = [
      ["model", this.words.groupModel],
      ["data", this.words.groupData],
      ["training", this.words.groupTraining],
    ];
    const main = make("div", "nbm-fields");
    main.append(...this.in("main"));
    this.groups.replaceChildren(main, ...titles.filter(([group]) => this.in(group).length).map(([group, title]) => this.fold(group, title)));
    this.ask(0);
  }

  private in(group: Group): HTMLElement[] {
    return this.views.filter((view) => view.field.group === group).map((view) => view.element);
  }

  private fold(group: Group, title: string): HTMLElement {
    const fold = make("details", "nbm-fold");
    const box = make("div", "nbm-fields");
    const found = this.in(group);
    box.append(...found);
    fold.open = this.opened.has(group);
    fold.addEventListener("toggle", () => (fold.open ? this.opened.add(group) : this.opened.delete(group)));
    const summary = make("summary", "", title);
    summary.append(make("span", "nbm-muted", String(found.length)));
    fold.append(summary, box);
    return fold;
  }

  private type(field: Field, text: string): void {
    this.typed.set(field.option.name, text);
    this.ask(control(field.option) === "select" || control(field.option) === "tick" ? 0 : PAUSE);
  }

  private ask(pause: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.answer(), pause);
  }

  private async answer(): Promise<void> {
    const turn = ++this.turn;
    const answer = await this.hands.line(asked(this.model.value, this.data.value, this.fields, this.typed));
    if (turn === this.turn) this.draw(answer);
  }

  private draw(answer: Answer): void {
    this.ready = "line" in answer ? answer.line : "";
    const wrong = "line" in answer ? "" : [answer.message, answer.hint].filter(Boolean).join(". ");
    const name = wrong ? about(wrong, this.fields) : null;
    this.views.forEach((view) => view.complain(view.field.option.name === name ? wrong : ""));
    say(this.wrong, name ? "" : wrong);
    say(this.line, this.ready ? asCell(this.ready) : "");
    this.element.classList.toggle("nbm-form-bad", Boolean(wrong));
    this.inNew.disabled = this.inCurrent.disabled = !this.ready;
    const field = name ? this.views.find((view) => view.field.option.name === name) : undefined;
    const fold = field?.element.closest("details");
    if (fold) fold.open = true;
  }

  /** Runs what stands there now, also what was typed a moment ago. */
  private async run(where: "new" | "current"): Promise<void> {
    clearTimeout(this.timer);
    await this.answer();
    if (!this.ready) return;
    this.inNew.disabled = this.inCurrent.disabled = true; // once, however often it is pressed
    try {
      await this.hands.run(this.ready, where);
    } catch (error) {
      say(this.wrong, error instanceof Error ? error.message : String(error));
    } finally {
      this.inNew.disabled = this.inCurrent.disabled = !this.ready;
    }
  }
}
