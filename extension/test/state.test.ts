import assert from "node:assert/strict";
import { test } from "node:test";
import * as state from "../src/state";
import { progress } from "../src/state/standing";
import { fill, label, pickLang, wordsFor } from "../src/words";

const en = wordsFor("en");
const view: state.Snapshot = {
  name: "cnn-7", title: "cnn on digits", state: "running", error: null, epoch: 2, epochs: 3, step: 640, steps: 1407,
  left: 18.2, seconds: 9, lr: 0.001, device: "cpu", metric: "accuracy", figures: [], series: {}, command: "",
};

test("progress is said in words", () => {
  assert.equal(progress(view, "en"), "epoch 2 of 3 · step 640 of 1,407");
  assert.equal(state.clock(view, en), "18 s left");
  assert.equal(progress({ ...view, state: "finished", step: 1407, epoch: 3 }, "en"), "finished · epoch 3 of 3 · 1,407 steps");
  assert.equal(state.clock({ ...view, state: "stopped" }, en), "took 9 s");
  assert.equal(state.clock({ ...view, left: null }, en), "");
  assert.equal(progress({ ...view, state: "starting", step: 0, epoch: null }, "en"), "starting");
});

test("durations", () => {
  const said = [0.4, 18, 150, 3900, 200_000, null, Infinity].map((seconds) => state.duration(seconds, en));
  assert.deepEqual(said, ["0 s", "18 s", "3 min", "1 h 5 min", "2 d 7 h", "", ""]);
});

test("figures and learning rates", () => {
  const figures = [0.8941, 241.71, 8312.4, 0.000012, 0, null].map((value) => state.figure(value));
  assert.deepEqual(figures, ["0.894", "241.7", "8,312", "1.2e-5", "0.000", "—"]);
  assert.deepEqual([0.001, 0.00003, 0.00057417, null].map(state.rate), ["0.001", "3e-5", "0.0005742", ""]);
  assert.deepEqual(["1e-3", "0,01", " 0.5 ", "-1", "0", "abc", ""].map(state.readRate), [0.001, 0.01, 0.5, null, null, null, null]);
});

test("each state has its buttons", () => {
  const buttons = (now: state.RunState, queue: state.Queue | null = null) => state.commands({ state: now, queue });
  assert.deepEqual(buttons("running"), ["pause", "stop"]);
  assert.deepEqual(buttons("paused"), ["resume", "stop"]);
  assert.deepEqual(buttons("lost"), ["resume"]);
  assert.deepEqual(buttons("finished"), []);
  assert.deepEqual(buttons("waiting", { place: 2, of: 3 }), ["first", "stop"]);
  assert.deepEqual(buttons("waiting", { place: 1, of: 3 }), ["stop"]);
  assert.deepEqual(buttons("waiting"), ["stop"]); // for room on the disk
  assert.deepEqual(buttons("from-the-future" as state.RunState), []);
});

test("a button wakes when what it asked is done", () => {
  const done = (verb: state.Verb, now: state.RunState, place = 0) => state.done(verb, { state: now, queue: place ? { place, of: 3 } : null });
  assert.deepEqual([done("stop", "finished"), done("stop", "running"), done("stop", "waiting", 2)], [true, false, false]);
  assert.deepEqual([done("resume", "starting"), done("resume", "waiting", 2), done("resume", "paused")], [true, true, false]);
  assert.deepEqual([done("first", "waiting", 2), done("first", "waiting", 1), done("first", "running")], [false, true, true]);
  assert.deepEqual((["starting", "waiting", "running", "paused", "stopped", "lost"] as const).map(state.alive), [true, true, true, true, false, false]);
});

test("curves are aligned on their steps, gaps stay gaps", () => {
  const splits: state.Splits = { train: [[1, 2, 4], [3, null, 1]], val: [[3, 4], [2, 1.5]] };
  const { x, train, val, smooth } = state.align(splits, false, false);
  assert.deepEqual(x, [1, 2, 3, 4]);
  assert.deepEqual(train, [3, null, undefined, 1]);
  assert.deepEqual(val, [undefined, undefined, 2, 1.5]);
  assert.deepEqual(smooth, []);
  assert.deepEqual(state.align({ train: [[1, 2], [0, 1]] }, false, true).train, [null, 1]);
  assert.deepEqual(state.align({}, true, false).x, []);
});

test("smoothing keeps the level and the gaps", () => {
  const flat = state.smooth(new Array<number>(50).fill(2));
  assert.ok(flat.every((value) => value !== null && Math.abs(value - 2) < 1e-9));
  assert.equal(state.smooth([1, null, 1])[1], null);
});

test("the newest value is the newest, also where it is no number", () => {
  assert.equal(state.newest({ train: [[1, 2], [3, 2]], val: [[2], [5]] }), 5);
  assert.equal(state.newest({ train: [[1, 2], [3, null]] }), null); // and not the 3 of the step before
  assert.equal(state.newest({ train: [[1], [3]], val: [[], []] }), 3);
  assert.equal(state.newest({}), null);
});

test("the axis of values", () => {
  const [low, high] = state.extent({ train: [[1, 2], [0.9, 0.95]] });
  assert.ok(low > 0.8 && low < 0.9 && high > 0.95);
  assert.equal(state.extent({ train: [[1, 2], [0.1, 2]] })[0], 0);
  const spike = [1000, ...new Array<number>(200).fill(0).map((_, i) => 1 + (i % 10) / 10)];
  assert.ok(state.extent({ train: [spike.map((_, i) => i), spike] })[1] < 10);
  assert.deepEqual(state.extent({}), [0, 1]);
  const [under, over] = state.extent({ val: [[1], [5]] });
  assert.ok(under < 5 && over > 5);
});

test("the axis of steps follows a young run", () => {
  const young = (step: number, steps: number | null, now: state.RunState = "running") =>
    state.lastStep({ ...view, state: now, steps, series: { loss: { train: [[1, step], [1, 1]] } } });
  assert.equal(young(100, 16000), 125);
  assert.equal(young(900, 1000), 1000);
  assert.equal(young(100, null), 100);
  assert.equal(young(100, 16000, "stopped"), 100);
});

test("a logarithm only of what falls towards nought", () => {
  assert.ok(state.mayBeLog("loss", { train: [[1], [0.5]] }));
  assert.ok(!state.mayBeLog("loss", { train: [[1], [-0.5]] }));
  assert.ok(!state.mayBeLog("accuracy", { train: [[1], [0.5]] }));
});

test("words in both languages", () => {
  const zh = wordsFor("zh");
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  assert.equal(pickLang("", "zh-CN"), "zh");
  assert.equal(pickLang("en", "zh-CN"), "en");
  assert.equal(label("val accuracy", "zh"), "验证准确率");
  assert.equal(label("val my_score", "zh"), "val my_score");
  assert.equal(fill("{0} of {1}", "1", "2"), "1 of 2");
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    assert.equal((en[key].match(/\{\d\}/g) ?? []).length, (zh[key].match(/\{\d\}/g) ?? []).length, key);
  }
  assert.equal(progress({ ...view, state: "running" }, "zh"), "第 2 轮，共 3 轮 · 第 640 步，共 1,407 步");
});
