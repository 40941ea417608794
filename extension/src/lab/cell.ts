// How a line gets into a notebook: below the cursor of the one at hand, or into a new one.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { PathExt } from "@jupyterlab/coreutils";
import { type INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import { cellsFor, loads } from "../state/line";
import { runsFolder } from "./settings";

/** The notebook that was used last, null where there is none that can be written. */
export function currentNotebook(tracker: INotebookTracker | null): NotebookPanel | null {
  const panel = tracker?.currentWidget ?? null;
  return panel && !panel.isDisposed && panel.context.contentsModel?.writable !== false ? panel : null;
}

/** `train.ipynb`. */
export const notebookName = (panel: NotebookPanel): string => PathExt.basename(panel.context.path);

/** Puts the line below the active cell, with the cell that loads the extension where the notebook has none; runs it if asked. */
export function intoCurrent(app: JupyterFrontEnd, panel: NotebookPanel, line: string, run: boolean): void {
  const notebook = panel.content;
  const sources = notebook.widgets.filter((cell) => cell.model.type === "code").map((cell) => cell.model.sharedModel.getSource());
  if (run && loads(sources)) loadFirst(panel);
  for (const source of cellsFor(line, sources, runsFolder())) {
    NotebookActions.insertBelow(notebook);
    notebook.activeCell?.model.sharedModel.setSource(source);
    // Not awaited: what comes first stands first in the kernel's queue, however busy it is.
    if (run) void NotebookActions.run(notebook, panel.sessionContext);
  }
  app.shell.activateById(panel.id);
}

/** The notebook has the loading cell, but this kernel may never have seen it: it is run where it was not. */
function loadFirst(panel: NotebookPanel): void {
  const notebook = panel.content;
  const cells = notebook.widgets.filter((cell) => loads([cell.model.sharedModel.getSource()]));
  if (cells.some((cell) => cell.model.type === "code" && cell.model.sharedModel.toJSON()["execution_count"] !== null)) return;
  const place = notebook.widgets.findIndex((cell) => cell === cells[0]);
  const active = notebook.activeCellIndex;
  notebook.deselectAll();
  notebook.activeCellIndex = place;
  void NotebookActions.run(notebook, panel.sessionContext);
  notebook.activeCellIndex = active;
}

/** A new notebook beside the others, with the line in it; it is run where this page shows it. */
export async function intoNew(app: JupyterFrontEnd, folder: string, line: string, run: boolean): Promise<void> {
  const { contents, kernelspecs } = app.serviceManager;
  await kernelspecs.ready;
  const name = kernelspecs.specs?.default ?? "python3";
  const kernel = { name, display_name: kernelspecs.specs?.kernelspecs[name]?.display_name ?? name };
  const { path } = await contents.newUntitled({ path: folder, type: "notebook" });
  await contents.save(path, { type: "notebook", format: "json", content: notebookOf(cellsFor(line, [], runsFolder()), kernel) });
  const panel = (await app.commands.execute("docmanager:open", { path, factory: "Notebook", kernel: { name } })) as NotebookPanel | undefined;
  if (!panel?.content || !run) return; // Notebook 7 opens it in a page of its own
  await panel.revealed;
  await panel.sessionContext.ready;
  await NotebookActions.runAll(panel.content, panel.sessionContext);
}

function notebookOf(sources: string[], kernel: { name: string; display_name: string }): object {
  const cells = sources.map((source) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source, id: newId() }));
  return { cells, metadata: { kernelspec: { ...kernel, language: "python" } }, nbformat: 4, nbformat_minor: 5 };
}

const newId = (): string => Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("");
