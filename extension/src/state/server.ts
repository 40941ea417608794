// What the server extension says (nbmodels/server), as types. No code here.

import type { Cores, Queue, RunState, Sample, Snapshot } from "../state";

/** The state of a row: a run's, or that its folder cannot be read. */
export type RowState = RunState | "unreadable";

/** A run in a list. */
export interface Row {
  id: string;
  place: string;
  name: string;
  folder: string;
  path: string | null;
  model: string;
  data: string;
  title: string;
  state: RowState;
  why?: string | null;
  queue?: Queue | null;
  cores?: Cores | null;
  unreadable?: boolean;
  error: string | null;
  epoch: number | null;
  epochs: number | null;
  step: number;
  steps: number | null;
  left: number | null;
  seconds: number | null;
  started: number | null;
  metric: string | null;
  best: number | null;
  curve: (number | null)[];
  device: string;
  samples_per_second: number | null;
  command: string;
}

export interface Gpu {
  name: string;
  percent: number | null;
  memory_used: number | null;
  memory_total: number | null;
}

/** The machine, and what each living run uses of it; bytes and percent. */
export interface Devices {
  cpu: { cores: number; percent: number; memory_used: number; memory_total: number };
  gpus: Gpu[];
  runs: { id: string; name: string; cpu: number | null; memory: number | null; gpu_memory: number | null }[];
}

/** One option of a model, a data set or of training (nbmodels/option.py). */
export interface OptionInfo {
  name: string;
  type: string;
  default: OptionValue | OptionValue[];
  required: boolean;
  choices: OptionValue[];
  range: string;
  help: string;
  short: string;
  optional: boolean;
  boolean: boolean;
  low: number | null;
  high: number | null;
}

export type OptionValue = string | number | boolean | null;

export interface ModelInfo {
  name: string;
  title: string;
  doc: string;
  paper: string;
  formula: string;
  accepts: string[];
  tasks: string[];
  default_data: string;
  recipe: Record<string, unknown>;
  recipe_for: Record<string, Record<string, unknown>>;
  options: OptionInfo[];
  data: string[];
}

export interface DataInfo {
  name: string;
  title: string;
  kind: string;
  task: string;
  options: OptionInfo[];
}

/** Everything that can be trained, and on what. */
export interface Catalogue {
  models: ModelInfo[];
  data: DataInfo[];
  training: OptionInfo[];
  common: OptionInfo[];
}

/** A snapshot as the server sends it: with who the run is. */
export interface ServerSnapshot extends Snapshot {
  id: string;
  started: number | null;
  samples?: Sample[];
}

/** What is heard of one run. */
export interface News {
  view?: ServerSnapshot;
  samples?: Sample[];
  missing?: true;
}

/** What this page wants to hear: the whole of it is said each time it changes. */
export interface Wish {
  runs: boolean;
  devices: boolean;
  views: string[];
  period: number;
}

/** One message of the websocket. */
export interface Message {
  runs?: Row[];
  gone?: string[];
  all?: boolean;
  id?: string;
  view?: ServerSnapshot;
  samples?: Sample[];
  missing?: true;
  devices?: Devices;
}
