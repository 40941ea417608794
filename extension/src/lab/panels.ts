// Wiring: the plugin of the panels. Whatever the application lacks (Notebook 7 has no launcher, no Lab shell) is done without.

import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker } from "@jupyterlab/notebook";
import "uplot/dist/uPlot.min.css";
import "../live.css";
import "../panels.css";
import { labWords, type LabWords } from "../words-lab";
import { addCommands, type Desk, told } from "./commands";
import { runsIcon } from "./icons";
import { addCards } from "./launcher";
import { Names } from "./names";
import { quickstart } from "./quickstart";
import { lang } from "./settings";
import { Sidebar } from "./sidebar";
import { Tabs } from "./tabs";

const CATEGORY = "nbmodels";

const plugin: JupyterFrontEndPlugin<void> = {
  id: "nbmodels:panels",
  description: "The runs and devices at the side, the commands on runs, the form, the comparison and TensorBoard.",
  autoStart: true,
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, ILauncher, IDefaultFileBrowser, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    lab: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    browser: IDefaultFileBrowser | null,
    tracker: INotebookTracker | null,
  ): void => {
    const tabs = new Tabs(app, lab);
    const sidebar = new Sidebar(app.commands);
    const desk: Desk = { app, sidebar, tabs, tracker, folder: () => browser?.model.path ?? "" };
    app.shell.add(sidebar, "left", { rank: 350 });
    addCommands(desk);
    addOthers(desk);
    restorer?.add(sidebar, sidebar.id);
    if (restorer) tabs.restore(restorer);
    for (const command of Object.values(Names)) if (command !== Names.restore) palette?.addItem({ command, category: CATEGORY });
    if (launcher) addCards(launcher);
  },
};

/** The commands that need no run. */
function addOthers(desk: Desk): void {
  const { app, tabs } = desk;
  const words = (): LabWords => labWords(lang()); // each time: the language may be set later
  app.commands.addCommand(Names.train, {
    label: () => words().train,
    caption: () => words().trainCaption,
    icon: runsIcon,
    execute: () => tabs.form(desk),
  });
  app.commands.addCommand(Names.quickstart, {
    label: () => words().quickstart,
    caption: () => words().quickstartCaption,
    icon: runsIcon,
    execute: () => told(() => quickstart(app, desk.folder())),
  });
  app.commands.addCommand(Names.board, {
    label: ({ id }) => (id ? words().tensorboardOf : words().tensorboard),
    caption: () => words().tensorboardCaption,
    icon: ({ id }) => (id ? undefined : runsIcon),
    execute: ({ id }) => tabs.board(typeof id === "string" ? id : null),
  });
  app.commands.addCommand(Names.show, {
    label: () => words().showRuns,
    execute: () => app.shell.activateById(desk.sidebar.id),
  });
}

export const panels: JupyterFrontEndPlugin<unknown>[] = [plugin];
