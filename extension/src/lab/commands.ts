// Wiring: one command for everything that can be done with a run, for the sidebar, the palette and whoever calls them.

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Dialog, InputDialog, showDialog, showErrorMessage } from "@jupyterlab/apputils";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";
import { door } from "../door";
import { alive, commands as possible, type Verb as Asked } from "../state";
import type { Row } from "../state/server";
import { fill } from "../words";
import { labWords, type LabWords } from "../words-lab";
import { currentNotebook, intoCurrent, intoNew } from "./cell";
import { control, nameOf } from "./control";
import { Names } from "./names";
import { lang } from "./settings";
import type { Sidebar } from "./sidebar";
import { said } from "./tab";
import type { Tabs } from "./tabs";

/** What the commands work with. */
export interface Desk {
  app: JupyterFrontEnd;
  sidebar: Sidebar;
  tabs: Tabs;
  tracker: INotebookTracker | null;
  /** The folder that the file browser shows. */
  folder(): string;
}

/** A command on runs: which it can be done with, and what it does. */
interface Verb {
  id: string;
  label: keyof LabWords;
  can(row: Row): boolean;
  run(rows: Row[]): Promise<unknown> | void;
  most?: number;
  least?: number;
  seldom?: true; // seen only where it can be done
}

type Args = ReadonlyPartialJSONObject;

/** Adds every command on runs. */
export function addCommands(desk: Desk): void {
  for (const verb of verbs(desk)) {
    desk.app.commands.addCommand(verb.id, {
      label: () => labWords(lang())[verb.label], // each time: the language may be set later
      isEnabled: (args) => enabled(desk, verb, args),
      isVisible: (args) => !verb.seldom || enabled(desk, verb, args),
      execute: (args) => told(async () => verb.run(await rowsOf(desk, args))),
    });
  }
}

/** Does something and shows in one line why it cannot be done. */
export async function told(act: () => Promise<unknown>): Promise<unknown> {
  try {
    return await act();
  } catch (error) {
    return showErrorMessage(labWords(lang()).failed, said(error));
  }
}

function verbs(desk: Desk): Verb[] {
  const { app, tabs } = desk;
  const readable = (row: Row): boolean => row.state !== "unreadable";
  const still = (row: Row): boolean => row.state !== "unreadable" && !alive(row.state);
  const asking = (id: string, label: keyof LabWords, verb: Asked): Verb => ({
    id,
    label,
    can: (row) => row.state !== "unreadable" && possible({ ...row, state: row.state }).includes(verb),
    run: (rows) => Promise.all(rows.map((row) => control(row.id, { do: verb }))),
  });
  return [
    { id: Names.open, label: "open", can: readable, run: (rows) => rows.forEach((row) => tabs.run(row.id)) },
    { ...asking(Names.first, "first", "first"), seldom: true, most: 1 },
    asking(Names.stop, "stop", "stop"),
    asking(Names.pause, "pause", "pause"),
    asking(Names.resume, "resume", "resume"),
    { id: Names.rename, label: "rename", can: still, most: 1, run: ([row]) => row && rename(desk, row) },
    { id: Names.remove, label: "delete", can: still, run: remove },
    { id: Names.folder, label: "openFolder", can: (row) => row.path !== null && app.commands.hasCommand(BROWSE), most: 1, run: ([row]) => row && browse(app, row) },
    { id: Names.again, label: "trainAgain", can: (row) => row.command !== "", most: 1, run: ([row]) => row && again(desk, row) },
    { id: Names.compare, label: "compare", can: readable, least: 2, run: (rows) => tabs.compare(rows.map((row) => row.id)) },
  ];
}

/** The runs that are meant: `id` or `ids` of the arguments, else those chosen in the sidebar. */
function idsOf(desk: Desk, args: Args): string[] {
  if (typeof args["id"] === "string") return [args["id"]];
  if (Array.isArray(args["ids"])) return args["ids"].filter((id): id is string => typeof id === "string");
  return desk.sidebar.chosen;
}

function enabled(desk: Desk, verb: Verb, args: Args): boolean {
  const ids = idsOf(desk, args);
  if (ids.length < (verb.least ?? 1) || ids.length > (verb.most ?? Infinity)) return false;
  return ids.every((id) => {
    const row = desk.sidebar.row(id);
    return row === undefined || verb.can(row); // one that was not heard of: the server knows
  });
}

async function rowsOf(desk: Desk, args: Args): Promise<Row[]> {
  const ids = idsOf(desk, args);
  const known = ids.map((id) => desk.sidebar.row(id));
  if (known.every((row): row is Row => row !== undefined)) return known;
  const { runs } = await door().get<{ runs: Row[] }>("runs");
  return ids.map((id) => {
    const row = runs.find((each) => each.id === id);
    if (!row) throw new Error(fill(labWords(lang()).gone, nameOf(id)));
    return row;
  });
}

async function rename(desk: Desk, row: Row): Promise<void> {
  const words = labWords(lang());
  const asked = await InputDialog.getText({ title: fill(words.renameTitle, row.name), label: words.renameLabel, text: row.name, okLabel: words.renameButton, cancelLabel: words.cancel });
  const name = asked.value?.trim();
  if (!asked.button.accept || !name || name === row.name) return;
  const renamed = await door().send<Row>("PATCH", `runs/${row.id}`, { name });
  desk.sidebar.reveal(renamed.id);
  desk.tabs.close(row.id);
}

async function remove(rows: Row[]): Promise<void> {
  const words = labWords(lang());
  const title = rows.length === 1 ? fill(words.deleteTitle, rows[0]?.name ?? "") : fill(words.deleteMany, String(rows.length));
  const names = rows.length > 1 ? `${rows.map((row) => row.name).join(words.comma)}. ` : "";
  const buttons = [Dialog.cancelButton({ label: words.cancel }), Dialog.warnButton({ label: words.deleteButton })];
  const { button } = await showDialog({ title, body: names + words.deleteBody, buttons, defaultButton: 0 });
  if (!button.accept) return;
  for (const row of rows) await door().send("DELETE", `runs/${row.id}`);
}

const BROWSE = "filebrowser:go-to-path";

async function browse(app: JupyterFrontEnd, row: Row): Promise<void> {
  if (row.path !== null) await app.commands.execute(BROWSE, { path: row.path });
}

async function again({ app, tracker, folder }: Desk, row: Row): Promise<void> {
  const panel = currentNotebook(tracker);
  if (panel) intoCurrent(app, panel, row.command, false);
  else await intoNew(app, folder(), row.command, false);
}
