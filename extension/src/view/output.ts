// A run in the output of a cell: its card while the server knows it, else what is left of it, and a quiet line that says so.

import "./output.css";
import type { Command, Sample, Snapshot } from "../state";
import type { Lang } from "../words";
import { Card } from "./card";
import { make, say } from "./dom";
import { onTheme } from "./theme";

export class Output {
  readonly element: HTMLElement;
  private readonly card: Card;
  private readonly line = make("p", "nbm-quiet", "", { role: "note" });
  private readonly forget: () => void;

  constructor(
    readonly lang: Lang,
    send: (command: Command) => void,
  ) {
    this.card = new Card(lang, send);
    this.element = this.card.element;
    this.element.querySelector("header")?.after(this.line);
    this.forget = onTheme(() => this.card.repaint());
  }

  /** Draws a run that can be asked for something. */
  live(view: Snapshot, samples: Sample[]): void {
    this.draw(view, samples, "", false);
  }

  /** Draws what is known of a run that nothing can be asked of, and says why. */
  still(view: Snapshot, samples: Sample[], why: string): void {
    this.draw(view, samples, why, true);
  }

  /** Says why what was pressed cannot be done. */
  complain(text: string): void {
    this.card.complain(text);
  }

  destroy(): void {
    this.forget();
    this.card.destroy();
    this.element.remove();
  }

  private draw(view: Snapshot, samples: Sample[], why: string, still: boolean): void {
    this.card.draw(view);
    this.card.drawSamples(samples);
    say(this.line, why);
    this.line.hidden = !why;
    this.element.classList.toggle("nbm-silent", still);
    this.element.toggleAttribute("data-still", still);
  }
}
