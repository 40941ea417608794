// Wiring: the document that an output is in, and saving it without a word: never a dialog, never over another's change.

import { DocumentWidget, type DocumentRegistry } from "@jupyterlab/docregistry";
import type { Contents } from "@jupyterlab/services";
import type { Widget } from "@lumino/widgets";

export type Context = DocumentRegistry.Context;

const MARGIN = 500; // milliseconds by which a file system's clock may differ: the Lab's own margin

const saving = new WeakMap<Context, boolean>();

/** The context of the document that holds the widget; null for one that stands in no document. */
export function contextOf(widget: Widget): Context | null {
  for (let above: Widget | null = widget; above; above = above.parent) {
    if (above instanceof DocumentWidget) return watched((above as DocumentWidget).context);
  }
  return null;
}

/** Whether a change to the document can reach its file by way of this page. */
export function writable(context: Context): boolean {
  return !context.isDisposed && context.isReady && context.contentsModel?.writable !== false;
}

/** Whether the file is as this page last read or wrote it, and may be written. */
export async function unchanged(context: Context, contents: Contents.IManager): Promise<boolean> {
  const known = context.contentsModel;
  if (!known || saving.get(context)) return false;
  try {
    const found = await contents.get(context.path, { content: false, hash: true });
    if (found.writable === false) return false;
    if (known.hash && found.hash) return known.hash === found.hash;
    return new Date(found.last_modified).getTime() - new Date(known.last_modified).getTime() <= MARGIN;
  } catch {
    return false; // gone, or the server is: saving would ask the reader what to do
  }
}

/** Saves a document that has changes, where that needs no question. A document of several writers saves itself. */
export async function saveQuietly(context: Context | null, contents: Contents.IManager): Promise<void> {
  if (!context || !writable(context) || !context.model.dirty || context.model.collaborative) return;
  if (!(await unchanged(context, contents)) || !context.model.dirty) return;
  await context.save().catch(() => undefined);
}

/** Knows from now on whether the document is being saved: two saves at once would find each other's file. */
function watched(context: Context): Context {
  if (!saving.has(context)) {
    saving.set(context, false);
    context.saveState.connect((_, state) => void saving.set(context, state === "started"));
  }
  return context;
}
