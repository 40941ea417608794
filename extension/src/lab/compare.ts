// Wiring: the tab that compares runs. Each is watched, so that curves of runs at work go on.

import { Widget } from "@lumino/widgets";
import { door } from "../door";
import type { Compared } from "../state/comparison";
import type { ServerSnapshot } from "../state/server";
import { Comparison } from "../view/compare";
import { onTheme } from "../view/theme";
import { fill } from "../words";
import { labWords } from "../words-lab";
import { runsIcon } from "./icons";
import { lang } from "./settings";

/** What the snapshot says of how the run was asked for. */
type Told = ServerSnapshot & Partial<Pick<Compared, "model" | "data" | "options">>;

export class CompareTab extends Widget {
  private readonly view: Comparison;
  private readonly heard = new Map<string, Compared>();
  private readonly forget = onTheme(() => this.view.repaint());
  private leave: (() => void)[] = [];

  constructor(
    readonly runs: readonly string[],
    open: (id: string) => void,
  ) {
    super();
    this.addClass("nbm-lab");
    this.addClass("nbm-tab");
    this.title.icon = runsIcon;
    this.title.label = fill(labWords(lang()).comparing, String(runs.length));
    this.view = new Comparison(lang(), open);
    this.node.append(this.view.element);
  }

  dispose(): void {
    this.deaf();
    this.forget();
    this.view.destroy();
    super.dispose();
  }

  protected onAfterShow(): void {
    this.hear();
  }

  protected onAfterAttach(): void {
    if (this.isVisible) this.hear();
  }

  protected onBeforeHide(): void {
    this.deaf();
  }

  private hear(): void {
    if (this.leave.length) return;
    this.leave = this.runs.map((id) => door().watchRun(id, ({ view }) => view && this.take(id, view)));
  }

  private deaf(): void {
    this.leave.forEach((leave) => leave());
    this.leave = [];
  }

  private take(id: string, view: Told): void {
    const { name, state, why = null, queue = null, metric, series, changes = [], model = "", data = "", options = {} } = view;
    this.heard.set(id, { id, name, state, why, queue, metric, series, changes, model, data, options });
    this.view.draw(this.runs.map((run) => this.heard.get(run)).filter((run): run is Compared => run !== undefined));
  }
}
