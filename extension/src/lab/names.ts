// The ids of the commands, and their order in the menu of a run.

export const Names = {
  open: "nbmodels:open",
  first: "nbmodels:start-next",
  stop: "nbmodels:stop",
  pause: "nbmodels:pause",
  resume: "nbmodels:resume",
  rename: "nbmodels:rename",
  remove: "nbmodels:delete",
  folder: "nbmodels:open-folder",
  again: "nbmodels:train-again",
  compare: "nbmodels:compare",
  board: "nbmodels:tensorboard",
  train: "nbmodels:train",
  quickstart: "nbmodels:quickstart",
  show: "nbmodels:show-runs",
  restore: "nbmodels:restore",
} as const;

/** The menu of a run; an empty name is a line between two groups. */
export const MENU: readonly string[] = [
  Names.open,
  Names.board,
  Names.compare,
  "",
  Names.first,
  Names.pause,
  Names.resume,
  Names.stop,
  "",
  Names.again,
  Names.folder,
  "",
  Names.rename,
  Names.remove,
];
