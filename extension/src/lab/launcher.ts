// Wiring: the form in a tab, and the cards of the launcher.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ILauncher } from "@jupyterlab/launcher";
import type { INotebookTracker } from "@jupyterlab/notebook";
import { Widget } from "@lumino/widgets";
import { door, Refusal } from "../door";
import type { Asked } from "../state/line";
import type { Catalogue } from "../state/server";
import { make } from "../view/dom";
import { type Answer, Form } from "../view/form";
import { labWords } from "../words-lab";
import { currentNotebook, intoCurrent, intoNew, notebookName } from "./cell";
import { runsIcon } from "./icons";
import { Names } from "./names";
import { lang } from "./settings";
import { said } from "./tab";

/** What the form works with. */
export interface FormDesk {
  app: JupyterFrontEnd;
  tracker: INotebookTracker | null;
  folder(): string;
}

/** A card for each thing that begins something. */
export function addCards(launcher: ILauncher): void {
  [Names.train, Names.quickstart, Names.board].forEach((command, rank) => launcher.add({ command, category: "nbmodels", rank }));
}

export class FormTab extends Widget {
  private readonly note = make("div", "nbm-empty", labWords(lang()).loading, { role: "status" });
  private form: Form | null = null;

  constructor(private readonly desk: FormDesk) {
    super();
    this.addClass("nbm-lab");
    this.addClass("nbm-tab");
    this.title.icon = runsIcon;
    this.title.label = labWords(lang()).train;
    this.node.append(this.note);
    desk.tracker?.currentChanged.connect(this.current, this);
    void this.start();
  }

  dispose(): void {
    this.desk.tracker?.currentChanged.disconnect(this.current, this);
    this.form?.destroy();
    super.dispose();
  }

  protected onActivateRequest(): void {
    this.form?.focus();
  }

  private async start(): Promise<void> {
    try {
      const catalogue = await door().get<Catalogue>("models");
      if (this.isDisposed) return;
      this.form = new Form(catalogue, lang(), { line: ask, run: (line, where) => this.run(line, where) });
      this.node.replaceChildren(this.form.element);
      this.current();
      if (this.isVisible) this.form.focus();
    } catch (error) {
      this.note.textContent = said(error);
    }
  }

  private current(): void {
    const panel = currentNotebook(this.desk.tracker);
    this.form?.current(panel ? notebookName(panel) : null);
  }

  private async run(line: string, where: "new" | "current"): Promise<void> {
    const panel = where === "current" ? currentNotebook(this.desk.tracker) : null;
    if (panel) intoCurrent(this.desk.app, panel, line, true);
    else await intoNew(this.desk.app, this.desk.folder(), line, true);
  }
}

async function ask(asked: Asked): Promise<Answer> {
  try {
    return await door().send<{ line: string }>("POST", "line", asked);
  } catch (error) {
    if (error instanceof Refusal) return { message: error.message, hint: error.hint };
    return { message: said(error), hint: "" };
  }
}
