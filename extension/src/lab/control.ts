// Wiring: asks something of a run; where the server wants to know first whether its files are trusted, asks the user.

import { Dialog, showDialog } from "@jupyterlab/apputils";
import { door, Refusal } from "../door";
import type { Command } from "../state";
import { fill } from "../words";
import { labWords } from "../words-lab";
import { lang } from "./settings";

/** Asks the server; false where the user would not trust what came with the run. Refusal where the server says no. */
export async function control(id: string, command: Command): Promise<boolean> {
  try {
    await door().control(id, command);
  } catch (error) {
    if (!(error instanceof Refusal) || !error.trust || command.do === "lr" || command.trust) throw error;
    if (!(await trusted(nameOf(id)))) return false;
    await door().control(id, { ...command, trust: true });
  }
  return true;
}

/** The name in a run's id. */
export const nameOf = (id: string): string => id.split("/").slice(1).join("/") || id;

async function trusted(name: string): Promise<boolean> {
  const words = labWords(lang());
  const buttons = [Dialog.cancelButton({ label: words.cancel }), Dialog.warnButton({ label: words.trustButton })];
  const { button } = await showDialog({ title: fill(words.trustTitle, name), body: words.trustBody, buttons, defaultButton: 0 });
  return button.accept;
}
