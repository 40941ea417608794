// The form as pure functions: which fields it has, what stands in them, what is asked of the server, the cells it writes. No DOM.

import type { Catalogue, DataInfo, ModelInfo, OptionInfo } from "./server";

export const FIRST: readonly string[] = ["epochs", "batch_size", "lr", "optimizer"]; // the rest folds away
const LOAD = "%load_ext nbmodels";

export type Control = "select" | "tick" | "whole" | "number" | "text";
export type Group = "main" | "model" | "data" | "training";

/** One field: an option, where it belongs, and the text that needs not be typed. */
export interface Field {
  option: OptionInfo;
  group: Group;
  usual: string;
}

/** What POST line takes. */
export interface Asked {
  model: string;
  data: string;
  options: Record<string, string>;
}

/** The fields for a model on a data set; the recipe of the model goes before the defaults of all training. */
export function fields(catalogue: Catalogue, model: ModelInfo, data: DataInfo | undefined): Field[] {
  const recipe = { ...model.recipe, ...model.recipe_for[data?.task ?? ""] };
  const own = model.options.map((option): Field => ({ option, group: "model", usual: usual(option, recipe) }));
  const known = new Set(model.options.map((option) => option.name));
  const common = catalogue.common.filter(({ name }) => name !== "data" && (name !== "task" || model.tasks.length > 1));
  const rest = [...catalogue.training, ...common].filter((option) => !known.has(option.name));
  const training = rest.map((option): Field => ({ option, group: "training", usual: usual(option, recipe) }));
  const given = (data?.options ?? []).map((option): Field => ({ option, group: "data", usual: usual(option, {}) }));
  const all = [...own, ...given, ...training].map((field) => (FIRST.includes(field.option.name) ? { ...field, group: "main" as const } : field));
  const place = (field: Field): number => (field.group === "main" ? FIRST.indexOf(field.option.name) : FIRST.length);
  return all.sort((a, b) => place(a) - place(b));
}

function usual(option: OptionInfo, recipe: Record<string, unknown>): string {
  return written(option.name in recipe ? recipe[option.name] : option.default);
}

/** A value as it is typed: `32,64,64`, `true`, `0.003`, nothing for none. */
export function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.map(written).join(",") : String(value);
}

/** The control that fits an option. */
export function control(option: OptionInfo): Control {
  if (option.choices?.length) return /\| str\b/.test(option.type) ? "text" : "select"; // a choice, or anything else that is typed
  const kind = option.type.replace(/\s*\|\s*None/, "");
  if (kind === "bool" && !option.optional) return "tick";
  if (kind === "int") return "whole";
  return kind === "float" ? "number" : "text";
}

/** Only what is not the usual goes into the line; an emptied field of an option that may be none says `none`. */
export function asked(model: string, data: string, all: readonly Field[], typed: ReadonlyMap<string, string>): Asked {
  const options: Record<string, string> = {};
  for (const field of all) {
    const text = (typed.get(field.option.name) ?? field.usual).trim();
    if (text === field.usual) continue;
    if (text) options[field.option.name] = text;
    else if (field.option.optional) options[field.option.name] = "none";
  }
  return { model, data, options };
}

/** What was typed and still has a field, once the model or the data is another. */
export function kept(all: readonly Field[], typed: ReadonlyMap<string, string>): Map<string, string> {
  const names = new Set(all.map((field) => field.option.name));
  return new Map([...typed].filter(([name]) => names.has(name)));
}

/** The option that an error speaks of: `--batch-size takes a whole number …` is about batch_size. */
export function about(message: string, all: readonly Field[]): string | null {
  const flag = /--([\w-]+)/.exec(message)?.[1];
  const name = flag?.replace(/-/g, "_");
  return all.some((field) => field.option.name === name) ? (name ?? null) : null;
}

/** The data of a model as it stands in the form at first: its own default where that fits. */
export const firstData = (model: ModelInfo): string => (model.data.includes(model.default_data ?? "") ? model.default_data : model.data[0]) ?? "";

/** The line as a cell keeps its run: `run = %bigmodel train …`. */
export const asCell = (line: string): string => (line.startsWith("%bigmodel train") ? `run = ${line}` : line);

/** Whether one of a notebook's cells loads the extension. */
export const loads = (sources: readonly string[]): boolean => sources.some((source) => /^\s*%(re)?load_ext\s+nbmodels\b/m.test(source));

/** The cell that loads the extension, and says where runs live when the settings name a folder. */
export const loadCell = (folder: string): string => (folder ? `${LOAD}\n%config BigModel.runs = ${JSON.stringify(folder)}` : LOAD);

/** The cells that a line needs: the extension is loaded first where no cell does. */
export function cellsFor(line: string, sources: readonly string[], folder = ""): string[] {
  return loads(sources) ? [asCell(line)] : [loadCell(folder), asCell(line)];
}
