// The field of the learning rate: what it is now, the rule by which a new one takes effect, and what is still to come.

import { alive, rate, readRate, type Snapshot } from "../state";
import { comingLabel, curveOf } from "../state/standing";
import type { Words } from "../words";
import { make } from "./dom";
import { Spark } from "./spark";

let fields = 0;

export class RateField {
  readonly element = make("span", "nbm-rate-field");
  readonly rule: HTMLElement; // stands below the foot's line, and is seen while one types
  private readonly input: HTMLInputElement;
  private readonly coming = make("span", "nbm-coming", "", { role: "img" });
  private readonly spark = new Spark(0);
  private view: Snapshot | null = null;

  constructor(
    private readonly words: Words,
    private readonly send: (value: number | null) => void,
    private readonly left: () => void,
  ) {
    const id = `nbm-rule-${++fields}`;
    this.rule = make("p", "nbm-rule", words.rateRule, { id });
    this.input = make("input", "nbm-rate", "", { type: "text", inputmode: "decimal", spellcheck: "false", autocomplete: "off", "aria-describedby": id });
    const label = make("label", "nbm-rate-label", words.learningRate);
    label.append(this.input);
    this.coming.append(make("span", "", words.coming), this.spark.element);
    this.element.append(label, this.coming);
    this.rule.hidden = this.coming.hidden = true;
    this.listen();
  }

  /** Draws the rate of a run; what is being typed stays. */
  draw(view: Snapshot): void {
    this.view = view;
    this.element.hidden = !alive(view.state) || (view.state === "waiting" && view.queue != null); // in the queue nothing listens yet
    this.input.disabled = !alive(view.state);
    if (!this.focused) this.input.value = rate(view.lr);
    this.drawComing(view);
    this.drawRule();
  }

  /** Whether something can be typed. */
  enable(yes: boolean): void {
    this.input.disabled = !yes;
  }

  private get focused(): boolean {
    return this.input === this.input.ownerDocument.activeElement;
  }

  private drawComing({ state, changes = [], coming = [] }: Snapshot): void {
    const curve = curveOf(coming);
    this.coming.hidden = !changes.length || !curve.length || !alive(state);
    if (this.coming.hidden) return;
    const said = comingLabel(coming, this.words);
    this.coming.setAttribute("aria-label", said);
    this.coming.title = said;
    this.spark.draw(curve);
  }

  private drawRule(): void {
    this.rule.hidden = this.element.hidden || !this.focused;
  }

  private listen(): void {
    this.input.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // the notebook has keys of its own
      if (event.key === "Enter") this.submit();
      if (event.key === "Escape") {
        this.input.value = rate(this.view?.lr ?? null);
        this.input.blur();
      }
    });
    this.input.addEventListener("focus", () => this.drawRule());
    this.input.addEventListener("blur", () => {
      this.drawRule();
      this.left();
    });
  }

  private submit(): void {
    const value = readRate(this.input.value);
    this.input.setAttribute("aria-invalid", String(value === null));
    this.send(value);
  }
}
