// One option as the control that fits it, with its line of help and, where it is wrong, its line of error.

import { control, type Field, written } from "../state/line";
import type { Lang } from "../words";
import { type LabWords, labWords } from "../words-lab";
import { help } from "../words-options";
import { make, say } from "./dom";

let made = 0;

export class FieldView {
  readonly element = make("div", "nbm-field");
  private readonly input: HTMLInputElement | HTMLSelectElement;
  private readonly wrong: HTMLElement;
  private readonly words: LabWords;

  constructor(
    readonly field: Field,
    lang: Lang,
    text: string,
    typed: (text: string) => void,
  ) {
    const { option } = field;
    this.words = labWords(lang);
    const id = `nbm-field-${++made}`;
    this.input = this.control(text, typed);
    this.input.id = id;
    this.input.name = option.name;
    this.input.setAttribute("aria-describedby", `${id}-help ${id}-wrong`);
    this.wrong = make("p", "nbm-field-wrong", "", { id: `${id}-wrong`, role: "alert" });
    const title = make("label", "", option.name.replace(/_/g, " "), { for: id });
    this.element.append(title, this.input, make("p", "nbm-field-help", help(option.name, option.help, lang), { id: `${id}-help` }), this.wrong);
    this.element.classList.toggle("nbm-field-tick", control(option) === "tick");
  }

  /** Says what is wrong with the value, or that nothing is. */
  complain(text: string): void {
    say(this.wrong, text);
    if (text) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  private control(text: string, typed: (text: string) => void): HTMLInputElement | HTMLSelectElement {
    const kind = control(this.field.option);
    if (kind === "select") return this.select(text, typed);
    if (kind === "tick") return tick(text, typed);
    const input = make("input", "", "", { type: "text", spellcheck: "false", placeholder: this.hint() });
    if (kind !== "text") input.inputMode = kind === "whole" ? "numeric" : "decimal";
    input.value = text;
    input.addEventListener("input", () => typed(input.value));
    if (kind === "whole") input.addEventListener("keydown", (event) => this.turn(event, input, typed));
    return input;
  }

  private hint(): string {
    return this.field.option.optional ? this.words.automatic : (this.field.option.short ?? "");
  }

  private select(text: string, typed: (text: string) => void): HTMLSelectElement {
    const { option } = this.field;
    const select = make("select", "");
    if (option.optional) select.append(make("option", "", this.words.automatic, { value: "" }));
    for (const choice of option.choices ?? []) select.append(make("option", "", written(choice), { value: written(choice) }));
    select.value = text;
    select.addEventListener("change", () => typed(select.value));
    return select;
  }

  /** The arrows change a whole number by one, inside its bounds, as a number field would. */
  private turn(event: KeyboardEvent, input: HTMLInputElement, typed: (text: string) => void): void {
    const by = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    const value = Number(input.value);
    if (!by || !input.value.trim() || !Number.isInteger(value)) return;
    event.preventDefault();
    const { low, high } = this.field.option;
    input.value = String(Math.min(high ?? Infinity, Math.max(low ?? -Infinity, value + by)));
    typed(input.value);
  }
}

function tick(text: string, typed: (text: string) => void): HTMLInputElement {
  const input = make("input", "", "", { type: "checkbox" });
  input.checked = text === "true";
  input.addEventListener("change", () => typed(String(input.checked)));
  return input;
}
