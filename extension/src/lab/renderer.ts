// Wiring: the run in a notebook's output, drawn from the server and not from the kernel. It lives through a reload, a
// busy kernel, a restart, and tomorrow; where the server does not know the run, what was saved is drawn.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { NotebookActions } from "@jupyterlab/notebook";
import { IRenderMimeRegistry, type IRenderMime } from "@jupyterlab/rendermime";
import type { Contents } from "@jupyterlab/services";
import { Widget } from "@lumino/widgets";
import { door, Refusal } from "../door";
import { alive, type Command } from "../state";
import { MIME, outdated, readSaved, same, type Saved } from "../state/saved";
import type { News, ServerSnapshot } from "../state/server";
import { make } from "../view/dom";
import { Output } from "../view/output";
import { type Words, wordsFor } from "../words";
import { control } from "./control";
import { contextOf, saveQuietly } from "./document";
import { type Ends, settle } from "./ending";
import { changed, lang } from "./settings";

const RANK = -20; // below ipywidgets' -10: of two faces the one that needs no kernel
const GRACE = 3_000; // milliseconds that a lost server may take to come back before a word is said of it

class RunOutput extends Widget implements IRenderMime.IRenderer, Ends {
  private model: IRenderMime.IMimeModel | null = null;
  private saved: Saved | null = null;
  private output: Output | null = null;
  private seen: News = {}; // the last that was heard of the very run that is in the notebook
  private news: News = {};
  private followed = "";
  private silent = false;
  private settled = ""; // the end that was seen to already: once each
  private leave: (() => void)[] = [];

  constructor(private readonly contents: Contents.IManager) {
    super();
    this.addClass("nbm-output");
    changed.connect(this.anew, this);
  }

  /** Draws the output; called again whenever the notebook's own copy changes. */
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const told = this.saved !== null && alive(this.saved.snapshot.state);
    this.model = model;
    this.saved = readSaved(model.data[MIME]);
    if (this.saved?.id && model.trusted) this.follow(this.saved.id);
    else this.unfollow();
    this.draw();
    const over = this.saved && !alive(this.saved.snapshot.state);
    if (told && over && this.saved?.id && model.trusted) void settle(this, this.saved.id, this.contents);
    return Promise.resolve();
  }

  /** Whether the run has ended and the notebook's copy does not say so. */
  get outdated(): boolean {
    const view = this.known();
    return this.saved !== null && view !== null && outdated(this.saved, view);
  }

  write(bundle: Record<string, string | object>): void {
    this.model?.setData({ data: bundle as IRenderMime.IMimeModel["data"] });
  }

  dispose(): void {
    if (this.isDisposed) return;
    changed.disconnect(this.anew, this);
    this.unfollow();
    this.output?.destroy();
    super.dispose();
  }

  private follow(id: string): void {
    if (this.followed === id) return;
    this.unfollow();
    this.followed = id;
    this.leave.push(
      door().onConnection((open) => open || this.doubt(door().absent ? 0 : GRACE)),
      door().watchRun(id, (news) => this.hear(news)),
    );
    this.doubt(GRACE);
  }

  private unfollow(): void {
    for (const leave of this.leave) leave();
    this.leave = [];
    this.followed = "";
    this.news = this.seen = {};
  }

  private hear(news: News): void {
    this.news = news;
    this.silent = false;
    if (this.known()) this.seen = news;
    this.draw();
    this.end();
  }

  /** No connection: what goes for a moment only is no news. */
  private doubt(wait: number): void {
    setTimeout(() => {
      if (this.isDisposed || !this.followed || door().connected) return;
      this.silent = true;
      this.draw();
    }, wait);
  }

  /** The server's view, if it is of the run that the notebook means. */
  private known(): ServerSnapshot | null {
    const { view } = this.news;
    return view && this.saved && same(this.saved, view) ? view : null;
  }

  private end(): void {
    const view = this.known();
    if (!view || !this.outdated || !this.followed) return;
    const end = `${view.state} ${view.step}`;
    if (this.settled === end) return;
    this.settled = end;
    void settle(this, this.followed, this.contents);
  }

  private draw(): void {
    if (!this.saved) return this.drawUnreadable();
    this.output ??= this.made();
    const { snapshot, samples } = this.saved;
    const view = this.known();
    const last = this.seen.view;
    if (view && !this.silent) this.output.live(view, this.news.samples ?? samples);
    else if (last) this.output.still(last, this.seen.samples ?? samples, this.why(this.silent ? "noServer" : "gone"));
    else this.output.still(snapshot, samples, this.why(this.reason()));
  }

  /** Why only the saved copy is drawn; null while the server is being asked. */
  private reason(): keyof Words | null {
    if (!this.model?.trusted) return "untrusted";
    return !this.followed || this.silent || this.news.missing || this.news.view ? "notHere" : null;
  }

  private why(word: keyof Words | null): string {
    return word ? wordsFor(lang())[word] : "";
  }

  private made(): Output {
    this.node.replaceChildren();
    const output = new Output(lang(), (command) => void this.ask(command));
    this.node.append(output.element);
    return output;
  }

  private drawUnreadable(): void {
    this.output?.destroy();
    this.output = null;
    const plain = this.model?.data["text/plain"];
    const text = typeof plain === "string" ? plain.slice(0, 4000) : "";
    this.node.replaceChildren(make("pre", "nbm-unreadable", [this.why("unreadable"), text].filter(Boolean).join("\n")));
  }

  /** The language is another one. */
  private anew(): void {
    if (!this.output || this.output.lang === lang()) return;
    this.output.destroy();
    this.output = null;
    this.draw();
  }

  private async ask(command: Command): Promise<void> {
    try {
      if (!(await control(this.followed, command))) this.output?.complain("");
    } catch (error) {
      const hint = error instanceof Refusal ? error.hint : "";
      const said = error instanceof Refusal ? error.message : this.why("noServer");
      this.output?.complain([said, hint].filter(Boolean).join(". "));
    }
  }
}

export const renderer: JupyterFrontEndPlugin<void> = {
  id: "nbmodels:renderer",
  description: "Draws runs in the outputs of cells.",
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, registry: IRenderMimeRegistry) => {
    const { contents } = app.serviceManager;
    const createRenderer = (): RunOutput => new RunOutput(contents);
    registry.addFactory({ safe: true, mimeTypes: [MIME], createRenderer }, RANK);
    // An output that is not saved before its page is closed is gone: the file has it as soon as its cell is done.
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const { outputs = [] } = cell.model.toJSON() as { outputs?: { data?: object }[] };
      if (outputs.some(({ data }) => data && MIME in data)) void saveQuietly(contextOf(notebook), contents);
    });
  },
};
