import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row, ServerSnapshot } from "../src/state/server";
import { backOff, mergeNews, mergeRows, period, Wishes } from "../src/state/wishes";

const row = (name: string, started: number, step = 0) => ({ id: `0/${name}`, name, started, step }) as Row;

test("wishes are counted: the last that leaves ends one", () => {
  const wishes = new Wishes();
  assert.ok(wishes.empty);
  wishes.more("runs");
  wishes.more({ view: "a" });
  wishes.more({ view: "a" });
  assert.deepEqual(wishes.wish(0.5), { runs: true, devices: false, views: ["a"], period: 0.5 });
  wishes.less({ view: "a" });
  assert.ok(wishes.has("a"));
  wishes.less({ view: "a" });
  wishes.less("runs");
  wishes.less("runs"); // one too many
  wishes.more("runs");
  assert.deepEqual(wishes.wish(1), { runs: true, devices: false, views: [], period: 1 });
  assert.ok(!wishes.empty);
});

test("tries grow rarer, up to every 15 seconds", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 60].map(backOff), [1, 2, 4, 8, 15, 15]);
});

test("a period that the server takes", () => {
  assert.deepEqual([0.5, 0, 99, NaN, "1", undefined].map(period), [0.5, 0.2, 10, 0.5, 0.5, 0.5]);
});

test("rows: changed, gone, complete; the newest first", () => {
  const first = mergeRows([], { runs: [row("a", 1), row("b", 2)], all: true });
  assert.deepEqual(first.map((each) => each.name), ["b", "a"]);
  const second = mergeRows(first, { runs: [row("a", 1, 9), row("c", 3)], gone: ["0/b"] });
  assert.deepEqual(second.map((each) => `${each.name}${each.step}`), ["c0", "a9"]);
  assert.deepEqual(mergeRows(second, { runs: [row("d", 4)], all: true }).map((each) => each.name), ["d"]);
  assert.deepEqual(mergeRows(second, {}), second);
});

test("news of a run: what did not come again still holds", () => {
  const view = { name: "a" } as ServerSnapshot;
  const samples = [{ epoch: 1, step: 1, src: null, text: "x" }];
  const both = mergeNews(mergeNews({}, { id: "0/a", view, samples }), { id: "0/a", view: { ...view, step: 3 } });
  assert.equal(both.view?.step, 3);
  assert.equal(both.samples, samples);
  assert.deepEqual(mergeNews(both, { id: "0/a", missing: true }), { missing: true });
  assert.deepEqual(mergeNews({ missing: true }, { id: "0/a", view }), { view });
});
