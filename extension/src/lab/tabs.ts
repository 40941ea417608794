// Wiring: the tabs of the main area, one a thing; the Lab opens them again after a reload.

import type { ILabShell, ILayoutRestorer, JupyterFrontEnd } from "@jupyterlab/application";
import { MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";
import { SplitPanel, TabPanel, type Widget } from "@lumino/widgets";
import { BoardTab } from "./board";
import { CompareTab } from "./compare";
import { FormTab, type FormDesk } from "./launcher";
import { Names } from "./names";
import { RunTab } from "./tab";

const LOW = 120; // pixels: less is not seen

interface Kept {
  command: string;
  args: ReadonlyPartialJSONObject;
}

export class Tabs {
  private readonly tracker = new WidgetTracker<MainAreaWidget>({ namespace: "nbmodels" });
  private readonly kept = new Map<string, Kept>();

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly lab: ILabShell | null,
  ) {}

  /** After a reload the tabs are there again. */
  restore(restorer: ILayoutRestorer): void {
    const kept = (widget: Widget): Kept => this.kept.get(widget.id) ?? { command: Names.show, args: {} };
    void restorer.restore(this.tracker, {
      command: Names.restore,
      args: (widget) => ({ ...kept(widget) }),
      name: (widget) => widget.id,
    });
    this.app.commands.addCommand(Names.restore, {
      execute: ({ command, args }) => this.app.commands.execute(String(command), args as ReadonlyPartialJSONObject),
    });
  }

  /** The run, live. */
  run(id: string): void {
    this.show(`nbmodels-run-${id}`, { command: Names.open, args: { id } }, () => new RunTab(id));
  }

  /** Runs side by side. */
  compare(ids: string[]): void {
    this.show(`nbmodels-compare-${[...ids].sort().join("-")}`, { command: Names.compare, args: { ids } }, () => new CompareTab(ids, (id) => this.run(id)));
  }

  /** TensorBoard on one run, or on all. */
  board(id: string | null): Widget {
    return this.show(`nbmodels-board-${id ?? "all"}`, { command: Names.board, args: id ? { id } : { all: true } }, () => new BoardTab(id));
  }

  /** The form that trains a model. */
  form(desk: FormDesk): Widget {
    return this.show("nbmodels-form", { command: Names.train, args: {} }, () => new FormTab(desk));
  }

  /** Closes what shows a run. */
  close(id: string): void {
    this.tracker.find((widget) => widget.id === `nbmodels-run-${id}` || widget.id === `nbmodels-board-${id}`)?.close();
  }

  private show(id: string, kept: Kept, make: () => Widget): Widget {
    const widget = this.tracker.find((each) => each.id === id) ?? this.add(id, kept, make());
    this.app.shell.activateById(widget.id);
    this.raise(widget);
    return widget; // the launcher makes room for it
  }

  /** Notebook 7 neither turns to what is below nor gives it any height. */
  private raise(widget: Widget): void {
    const below = widget.parent?.parent;
    if (this.lab || !(below instanceof TabPanel)) return;
    below.currentWidget = widget;
    const split = below.parent;
    if (split instanceof SplitPanel && below.node.clientHeight < LOW) split.setRelativeSizes([1, 1]);
  }

  private add(id: string, kept: Kept, content: Widget): MainAreaWidget {
    const widget = new MainAreaWidget({ content });
    widget.id = id;
    widget.title.closable = true;
    widget.title.icon = content.title.icon;
    widget.title.label = content.title.label;
    widget.toolbar.hide();
    this.kept.set(id, kept);
    widget.disposed.connect(() => void this.kept.delete(id));
    // Notebook 7 has one document a page: there it opens below.
    this.app.shell.add(widget, this.lab ? "main" : "down");
    void this.tracker.add(widget);
    return widget;
  }
}
