// Wiring: TensorBoard in a tab, started by the server on demand. While the tab is there it is pinged; one that is gone is started again.

import { URLExt } from "@jupyterlab/coreutils";
import { Widget } from "@lumino/widgets";
import { door, Refusal } from "../door";
import { make } from "../view/dom";
import { labWords } from "../words-lab";
import { nameOf } from "./control";
import { runsIcon } from "./icons";
import { lang } from "./settings";
import { said } from "./tab";

const PING = 30_000; // milliseconds; the server ends a board that it has not heard of for five minutes

interface Board {
  path: string;
  key: string;
}

export class BoardTab extends Widget {
  private readonly words = labWords(lang());
  private readonly frame = make("iframe", "nbm-board", "", { title: "TensorBoard" });
  private readonly note = make("div", "nbm-empty", "", { role: "status" });
  private key = "";
  private timer = 0;

  constructor(readonly run: string | null) {
    super();
    this.addClass("nbm-lab");
    this.addClass("nbm-board-tab");
    this.title.icon = runsIcon;
    this.title.label = `TensorBoard: ${run ? nameOf(run) : this.words.allRuns}`;
    this.frame.hidden = true;
    this.node.append(this.note, this.frame);
    this.timer = window.setInterval(() => void this.ping(), PING);
    void this.start();
  }

  dispose(): void {
    window.clearInterval(this.timer);
    super.dispose();
  }

  protected onAfterShow(): void {
    void this.ping(); // a page that slept may show one that is gone
  }

  private async start(): Promise<void> {
    this.frame.hidden = true;
    this.say(this.words.starting, false);
    try {
      const board = await door().send<Board>("POST", "tensorboard", { id: this.run, place: null });
      if (this.isDisposed) return;
      this.key = board.key;
      this.note.hidden = true;
      this.frame.hidden = false;
      this.frame.src = URLExt.join(door().settings.baseUrl, board.path);
    } catch (error) {
      this.key = "";
      this.say(said(error), true);
    }
  }

  private async ping(): Promise<void> {
    if (!this.key) return;
    try {
      await door().send("POST", "tensorboard/ping", { key: this.key });
    } catch (error) {
      if (error instanceof Refusal && error.status === 404 && !this.isDisposed) await this.start();
    }
  }

  private say(text: string, again: boolean): void {
    this.note.hidden = false;
    this.note.replaceChildren(make("p", "", text));
    if (!again) return;
    const button = make("button", "nbm-act", this.words.again, { type: "button" });
    button.addEventListener("click", () => void this.start());
    this.note.append(button);
  }
}
