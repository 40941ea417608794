import assert from "node:assert/strict";
import { test } from "node:test";
import * as list from "../src/state/list";
import type { Row } from "../src/state/server";
import { mergeRows } from "../src/state/wishes";
import { labWords } from "../src/words-lab";

const NOW = new Date(2026, 10, 22, 12).getTime() / 1000;

function row(name: string, more: Partial<Row> = {}): Row {
  return {
    id: `0a1b2c3d4e5f/${name}`, place: "0a1b2c3d4e5f", name, folder: `runs/${name}`, path: null, model: "cnn", data: "digits",
    title: "cnn on digits", state: "finished", error: null, epoch: 3, epochs: 3, step: 100, steps: 100, left: null, seconds: 120,
    started: NOW - 1000, metric: "accuracy", best: 0.9, curve: [], device: "cpu", samples_per_second: null, command: "", ...more,
  };
}

const names = (rows: Row[]): string[] => rows.map((each) => each.name);

test("the filter matches name, model, data and state, every word of it", () => {
  const rows = [row("cnn-1"), row("gpt-1", { model: "gpt", data: "pydoc", title: "gpt on pydoc", state: "running" })];
  assert.deepEqual(names(list.arrange(rows, "GPT running", "name", "en")), ["gpt-1"]);
  assert.deepEqual(names(list.arrange(rows, "运行中", "name", "zh")), ["gpt-1"]);
  assert.deepEqual(names(list.arrange(rows, "digits gpt", "name", "en")), []);
  assert.deepEqual(names(list.arrange(rows, "  ", "name", "en")), ["cnn-1", "gpt-1"]);
});

test("orders: names as people count, the best of each metric, the state, else the newest", () => {
  const rows = [
    row("cnn-10", { started: 3, best: 0.7 }),
    row("cnn-9", { started: 1, best: 0.9, state: "running" }),
    row("gpt-1", { started: 2, metric: "perplexity", best: 4 }),
    row("gpt-2", { started: 4, metric: "perplexity", best: 3 }),
    row("new", { started: 5, best: null, metric: null, state: "from-the-future" as Row["state"] }),
  ];
  const by = (order: list.Order): string[] => names(list.arrange(rows, "", order, "en"));
  assert.deepEqual(by("newest"), ["new", "gpt-2", "cnn-10", "gpt-1", "cnn-9"]);
  assert.deepEqual(by("name"), ["cnn-9", "cnn-10", "gpt-1", "gpt-2", "new"]);
  assert.deepEqual(by("best"), ["cnn-9", "cnn-10", "gpt-2", "gpt-1", "new"]);
  assert.deepEqual(by("state"), ["cnn-9", "gpt-2", "cnn-10", "gpt-1", "new"]);
});

test("the head counts", () => {
  const rows = [row("a", { state: "running" }), row("b", { state: "paused" }), row("c")];
  assert.equal(list.tally(rows, 3, labWords("en")), "1 running · 3 in all");
  assert.equal(list.tally([...rows, row("d", { state: "waiting" })], 4, labWords("en")), "1 running · 1 waiting · 4 in all");
  assert.equal(list.tally(rows.slice(2), 1, labWords("en")), "1 in all");
  assert.equal(list.tally(rows, 1, labWords("zh")), "1 个运行中 · 1 / 3 个");
});

test("only a window of a long list is drawn", () => {
  assert.deepEqual(list.windowOf(0, 500, 50, 1000, 5), [0, 15]);
  assert.deepEqual(list.windowOf(25_000, 500, 50, 1000, 5), [495, 515]);
  assert.deepEqual(list.windowOf(90_000, 500, 50, 10, 5), [5, 10]);
  assert.deepEqual(list.windowOf(0, 0, 50, 0), [0, 0]);
});

test("a run's last words", () => {
  const said = (more: Partial<Row>): string => list.clause(row("a", more), "en", NOW);
  assert.equal(said({ state: "running", left: 18 }), "18 s left");
  assert.equal(said({ state: "running", left: null, epoch: 2 }), "epoch 2 of 3");
  assert.equal(said({ state: "paused", step: 40 }), "paused at 40 %");
  assert.equal(said({ state: "starting" }), "starting");
  assert.equal(said({ state: "failed", error: "out of memory" }), "out of memory");
  assert.equal(said({ state: "lost", step: 1200 }), "lost at step 1,200");
  assert.equal(said({ started: NOW - 86_400 }), "2 min, yesterday");
  assert.equal(said({ state: "stopped", started: NOW - 86_400 }), "stopped, yesterday");
  assert.equal(said({ started: null, seconds: null }), "finished");
  assert.match(said({ started: NOW - 3600 }), /^2 min, 11:02$/);
  assert.match(said({ started: NOW - 40 * 86_400 }), /^2 min, 13 Oct$/);
});

test("a run that waits says for what", () => {
  const said = (more: Partial<Row>, lang: "en" | "zh" = "en") => list.clause(row("a", more), lang, NOW);
  const queued: Partial<Row> = { state: "waiting", why: "2nd of 3", queue: { place: 2, of: 3 }, step: 0 };
  assert.deepEqual([said(queued), said(queued, "zh")], ["waiting, 2nd of 3", "等待中，第 2 位，共 3 位"]);
  assert.equal(said({ state: "waiting", why: "the disk is full" }), "waiting: the disk is full");
  assert.equal(said({ state: "paused", step: 40, why: "the disk cannot be written" }), "paused: the disk cannot be written");
  assert.equal(said({ state: "stopped", why: "stopped by the system" }), "stopped by the system");
  assert.equal(said({ state: "lost", step: 1200, why: "the folder was moved" }), "lost: the folder was moved");
  assert.deepEqual(names(list.arrange([row("b"), row("a", queued)], "waiting 2nd", "state", "en")), ["a"]);
});

test("a folder that cannot be read has its name and one line", () => {
  const [bad] = mergeRows([], { runs: [{ unreadable: true, name: "bad", error: "status.json is no JSON" } as unknown as Row, row("a")], all: true }).slice(-1);
  assert.equal(bad?.state, "unreadable");
  assert.equal(list.clause(bad as Row, "en", NOW), "status.json is no JSON");
  assert.equal(list.clause({ ...bad, error: null } as Row, "zh", NOW), "无法读取");
  for (const order of list.ORDERS) assert.deepEqual(names(list.arrange([bad as Row, row("a")], "", order, "en")).length, 2);
  assert.deepEqual(names(list.arrange([bad as Row, row("a")], "cannot", "name", "en")), ["bad"]);
});

test("only changes of state are news", () => {
  const before = new Map([["0a1b2c3d4e5f/a", "running"], ["0a1b2c3d4e5f/b", "running"]] as const);
  assert.equal(list.news(before, [row("a"), row("b", { state: "running" }), row("c")], "en"), "a: finished");
});

test("small curves, their gaps, and what is no curve", () => {
  assert.deepEqual(list.spark([0, 1], 10, 4), ["0,4 10,0"]);
  assert.deepEqual(list.spark([1, 1, 1], 10, 4), ["0,2 5,2 10,2"]);
  assert.deepEqual(list.spark([0, 1, null, 1, 0], 8, 4), ["0,4 2,0", "6,0 8,4"]);
  assert.deepEqual([list.spark([], 10, 4), list.spark([1], 10, 4), list.spark([null, NaN], 10, 4)], [[], [], []]);
});

test("choosing with mouse and keys", () => {
  const ids = ["a", "b", "c", "d"];
  let choice = list.only("b");
  choice = list.toggled(choice, "d");
  assert.deepEqual([choice.active, choice.chosen], ["d", ["b", "d"]]);
  assert.deepEqual(list.toggled(choice, "b").chosen, ["d"]);
  assert.deepEqual(list.reached(list.only("c"), "a", ids).chosen, ["a", "b", "c"]);
  assert.deepEqual(list.reached(list.only("gone"), "a", ids).chosen, ["a"]);
  assert.equal(list.pruned(choice, new Set(ids)), choice);
  assert.deepEqual(list.pruned(choice, new Set(["b"])), { active: null, chosen: ["b"], anchor: null });
});

test("keys lead through the list and stay in it", () => {
  assert.deepEqual(["ArrowDown", "ArrowUp", "PageDown", "Home", "End", "x"].map((key) => list.step(key, 1, 10, 5)), [2, 0, 6, 0, 9, null]);
  assert.deepEqual(["ArrowDown", "ArrowUp", "Home", "End"].map((key) => list.step(key, -1, 10, 5)), [0, 9, 0, 9]);
  assert.equal(list.step("ArrowDown", 0, 0, 5), null);
  assert.equal(list.step("ArrowDown", 9, 10, 5), 9);
});

test("the panels' words in both languages", () => {
  const [en, zh] = [labWords("en"), labWords("zh")];
  assert.deepEqual(Object.keys(en).sort(), Object.keys(zh).sort());
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    assert.equal((en[key].match(/\{\d\}/g) ?? []).length, (zh[key].match(/\{\d\}/g) ?? []).length, key);
  }
});
