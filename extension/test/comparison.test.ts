import assert from "node:assert/strict";
import { test } from "node:test";
import * as comparison from "../src/state/comparison";
import * as line from "../src/state/line";
import type { Catalogue, ModelInfo, OptionInfo } from "../src/state/server";

const run = (name: string, more: Partial<comparison.Compared> = {}): comparison.Compared => ({
  id: name, name, model: "cnn", data: "digits", state: "finished", metric: "accuracy", options: {}, series: {}, ...more,
});

test("what was changed while a run went on is a row of its own", () => {
  const runs = [run("a", { changes: [{ step: 1200, old: 0.003, new: 0.01 }, { step: 2000, old: null, new: 1e-5 }] }), run("b")];
  const found = comparison.table(runs, "en").find((each) => each.name === "changed during the run");
  assert.deepEqual(found?.values, ["lr: 0.003 → 0.01 at step 1,200; lr: — → 1e-5 at step 2,000", "—"]);
  assert.equal(comparison.table([run("a"), run("b")], "en").length, 2); // model and data: no row where nothing was changed
  assert.equal(comparison.table(runs, "zh")[0]?.values[0]?.split("; ")[0], "第 1,200 步 lr：0.003 → 0.01");
});

test("curves of runs of different length lie on one axis", () => {
  const runs = [
    run("a", { series: { loss: { val: [[10, 20], [2, 1]] } } }),
    run("b", { series: { loss: { train: [[5, 10], [3, null]] }, accuracy: { val: [[5], [1]] } } }),
    run("c"),
  ];
  const { x, columns, splits } = comparison.overlay(runs, "loss", "val");
  assert.deepEqual(x, [5, 10, 20]);
  assert.deepEqual(columns, [[undefined, 2, 1], [3, null, undefined], [undefined, undefined, undefined]]);
  assert.deepEqual(splits, ["val", "train", null]);
  assert.deepEqual(comparison.metrics(runs), ["loss", "accuracy"]);
});

test("options that differ come first and are marked", () => {
  const runs = [run("a", { options: { epochs: 3, lr: 0.01 } }), run("b", { options: { epochs: 3, hidden: [64, 32] } })];
  const lines = comparison.table(runs, "en");
  assert.deepEqual(lines.map((each) => each.name), ["hidden", "lr", "model", "data", "epochs"]);
  assert.deepEqual(lines[0], { name: "hidden", values: ["usual", "64, 32"], differs: true });
  assert.ok(lines.slice(2).every((each) => !each.differs));
});

test("each run has a dash of its own, the best value is found", () => {
  assert.equal(new Set(Array.from({ length: 8 }, (_, place) => comparison.dash(place).join())).size, 8);
  assert.notDeepEqual(comparison.dash(0), comparison.dash(8));
  assert.equal(comparison.best([0.8, null, 0.9], false), 2);
  assert.equal(comparison.best([0.8, null, 0.9], true), 0);
  assert.equal(comparison.best([0.8, 0.8], true), -1);
  assert.equal(comparison.best([0.8, null], true), -1);
  assert.deepEqual([[1, [2]], null, true, { a: 1 }].map(comparison.shown), ["1, 2", "—", "true", '{"a":1}']);
});

const option = (name: string, more: Partial<OptionInfo> = {}): OptionInfo => ({
  name, type: "int", default: 1, help: "", choices: [], short: "int", optional: false, boolean: false, low: null, high: null, ...more,
});

const model: ModelInfo = {
  name: "cnn", title: "", doc: "", paper: "", formula: "", accepts: ["image"], tasks: ["classification"], default_data: "digits",
  recipe: { epochs: 8 }, recipe_for: { tagging: { epochs: 2 } }, options: [option("lr", { type: "float", default: 0.003 }), option("channels", { default: [32, 64] })], data: ["fashion-mnist", "digits"],
};

const catalogue: Catalogue = {
  models: [model],
  data: [{ name: "digits", title: "", kind: "image", task: "classification", options: [option("rows", { optional: true, default: null })] }],
  training: [option("epochs", { default: 3 }), option("lr"), option("optimizer", { choices: ["adam", "sgd"], default: "adam" }), option("compile", { type: "bool", default: false })],
  common: [option("data"), option("name", { type: "str", default: null, optional: true }), option("task")],
};

const fields = line.fields(catalogue, model, catalogue.data[0]);

test("the form's fields: the main ones first, a model's own before the training's, its recipe before the defaults", () => {
  assert.deepEqual(fields.map((field) => `${field.group} ${field.option.name}=${field.usual}`), [
    "main epochs=8", "main lr=0.003", "main optimizer=adam", "model channels=32,64", "data rows=", "training compile=false", "training name=",
  ]);
  assert.deepEqual(fields.map((field) => line.control(field.option)), ["whole", "number", "select", "whole", "whole", "tick", "text"]);
  const tags = line.fields(catalogue, model, { ...catalogue.data[0]!, task: "tagging" });
  assert.equal(tags.find((field) => field.option.name === "epochs")?.usual, "2");
  const free = option("tokens", { type: "Literal['words', 'characters'] | str", choices: ["words", "characters"] });
  assert.equal(line.control(free), "text");
  assert.equal(line.firstData(model), "digits");
  assert.equal(line.firstData({ ...model, default_data: "gone" }), "fashion-mnist");
});

test("only what is not usual is asked for", () => {
  const typed = new Map([["epochs", " 8 "], ["lr", "1e-3"], ["name", ""], ["compile", "true"]]);
  assert.deepEqual(line.asked("cnn", "digits", fields, typed), { model: "cnn", data: "digits", options: { lr: "1e-3", compile: "true" } });
  const optional = [{ option: option("hidden", { optional: true, default: 64 }), group: "model" as const, usual: "64" }];
  assert.deepEqual(line.asked("cnn", "", optional, new Map([["hidden", ""]])).options, { hidden: "none" });
  assert.deepEqual([...line.kept(fields, new Map([["lr", "1"], ["heads", "4"]]))], [["lr", "1"]]);
  assert.equal(line.about("--lr takes a number above 0, not 'x'", fields), "lr");
  assert.equal(line.about("No such thing", fields), null);
});

test("a notebook is given the loading cell only where it has none", () => {
  const train = "%bigmodel train cnn --data digits";
  assert.deepEqual(line.cellsFor(train, ["1 + 1"]), ["%load_ext nbmodels", `run = ${train}`]);
  assert.equal(line.cellsFor(train, [], "my runs")[0], '%load_ext nbmodels\n%config BigModel.runs = "my runs"');
  assert.deepEqual(line.cellsFor(train, ["# first\n%load_ext nbmodels\n"]), [`run = ${train}`]);
  assert.ok(!line.loads(["# %load_ext nbmodels"]) && line.loads(["  %reload_ext nbmodels"]));
});
