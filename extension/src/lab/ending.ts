// Wiring: when a run has ended, the output that is saved becomes the final one, also where the kernel's own word for it
// did not reach this page. Of several tabs that show the document one writes: the others find the file changed.

import type { Contents } from "@jupyterlab/services";
import type { Widget } from "@lumino/widgets";
import { door, runPath } from "../door";
import { isBundle } from "../state/saved";
import { contextOf, saveQuietly, unchanged, writable } from "./document";

// Milliseconds. The kernel, where it still speaks to this page, is faster than all of these but the first.
const TOLD = 300;
const VISIBLE = 2_000;
const HIDDEN = 6_000;

/** An output that may have to be made the final one. */
export interface Ends extends Widget {
  /** Whether what is stored is older than the run's end; asked again after every wait. */
  readonly outdated: boolean;
  /** Puts the bundle into the document. */
  write(bundle: Record<string, string | object>): void;
}

/** Makes the stored output the final one, if it is not, and saves the document once. */
export async function settle(output: Ends, id: string, contents: Contents.IManager): Promise<void> {
  await pause(output.outdated ? (document.hidden ? HIDDEN : VISIBLE) : TOLD);
  const context = contextOf(output);
  if (!context || !writable(context)) return;
  await alone(`nbmodels:${context.path}`, async () => {
    if (output.isDisposed || !(await unchanged(context, contents))) return;
    if (output.outdated) await write(output, id);
    await saveQuietly(context, contents);
  });
}

async function write(output: Ends, id: string): Promise<void> {
  const bundle = await door().get<unknown>(`${runPath(id)}/face?bundle=1`).catch(() => null);
  if (isBundle(bundle) && !output.isDisposed && output.outdated) output.write(bundle);
}

const pause = (time: number): Promise<void> => new Promise((done) => setTimeout(done, time));

/** One tab after the other; where the page may not have locks (plain HTTP), the file's own state must do. */
async function alone(name: string, work: () => Promise<void>): Promise<void> {
  if (isSecureContext && navigator.locks) await navigator.locks.request(name, work);
  else await work();
}
