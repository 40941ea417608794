// Wiring: a run's tab in the main area, drawn from the server.

import { Widget } from "@lumino/widgets";
import { door, Refusal } from "../door";
import type { Command } from "../state";
import { Card } from "../view/card";
import { make } from "../view/dom";
import { onTheme } from "../view/theme";
import { fill } from "../words";
import { labWords } from "../words-lab";
import { control, nameOf } from "./control";
import { runsIcon } from "./icons";
import { lang } from "./settings";

export class RunTab extends Widget {
  private readonly card: Card;
  private readonly gone = make("p", "nbm-empty-line", "", { role: "status" });
  private readonly forget = onTheme(() => this.card.repaint());
  private leave: (() => void) | null = null;

  constructor(readonly run: string) {
    super();
    this.addClass("nbm-lab");
    this.addClass("nbm-tab");
    this.title.icon = runsIcon;
    this.title.label = nameOf(run);
    this.card = new Card(lang(), (command) => void this.send(command));
    this.card.element.hidden = this.gone.hidden = true;
    this.node.append(this.gone, this.card.element);
  }

  dispose(): void {
    this.leave?.();
    this.forget();
    this.card.destroy();
    super.dispose();
  }

  protected onAfterShow(): void {
    this.hear();
  }

  protected onAfterAttach(): void {
    if (this.isVisible) this.hear();
  }

  protected onBeforeHide(): void {
    this.leave?.();
    this.leave = null;
  }

  private hear(): void {
    this.leave ??= door().watchRun(this.run, ({ view, samples, missing }) => {
      if (missing) this.gone.textContent = fill(labWords(lang()).gone, nameOf(this.run));
      this.gone.hidden = !missing;
      if (view) this.card.element.hidden = false;
      if (view) this.card.draw(view);
      if (samples) this.card.drawSamples(samples);
    });
  }

  private async send(command: Command): Promise<void> {
    try {
      if (!(await control(this.run, command))) this.card.complain("");
    } catch (error) {
      this.card.complain(said(error));
    }
  }
}

/** What went wrong, in one line. */
export function said(error: unknown): string {
  if (error instanceof Refusal) return [error.message, error.hint].filter(Boolean).join(". ");
  return error instanceof Error ? error.message : String(error);
}
