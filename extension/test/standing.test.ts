import assert from "node:assert/strict";
import { test } from "node:test";
import type { Coming, RunState, Snapshot } from "../src/state";
import * as standing from "../src/state/standing";
import { wordsFor } from "../src/words";

const en = wordsFor("en");
const view: Snapshot = {
  name: "cnn-7", title: "cnn on digits", state: "running", error: null, epoch: 1, epochs: 3, step: 0, steps: null,
  left: null, seconds: 9, lr: 0.001, device: "cpu", metric: "accuracy", figures: [], series: {}, command: "",
};

test("a state says why, in both languages, and never the same twice", () => {
  const said = (state: RunState, why: string | null, queue = null as null | { place: number; of: number }) =>
    [standing.standing({ state, why, queue }, "en"), standing.standing({ state, why, queue }, "zh")];
  assert.deepEqual(said("waiting", "2nd of 3", { place: 2, of: 3 }), ["waiting, 2nd of 3", "等待中，第 2 位，共 3 位"]);
  assert.deepEqual(said("waiting", null, { place: 11, of: 12 }), ["waiting, 11th of 12", "等待中，第 11 位，共 12 位"]);
  assert.deepEqual(said("waiting", "3rd of 4"), ["waiting, 3rd of 4", "等待中，第 3 位，共 4 位"]); // the reason alone
  assert.deepEqual(said("waiting", "the disk is full"), ["waiting: the disk is full", "等待中：磁盘已满"]);
  assert.deepEqual(said("paused", "the disk cannot be written"), ["paused: the disk cannot be written", "已暂停：磁盘无法写入"]);
  assert.deepEqual(said("stopped", "stopped by the system"), ["stopped by the system", "被系统停止"]);
  assert.deepEqual(said("lost", "the folder was moved"), ["lost: the folder was moved", "已失联：文件夹已被移动"]);
  assert.deepEqual(said("waiting", "for Godot"), ["waiting: for Godot", "等待中：for Godot"]); // unknown ones stay
  assert.deepEqual(said("waiting", ""), ["waiting", "等待中"]);
  assert.deepEqual(said("running", "the disk is full"), ["running", "运行中"]); // what held it is over
  assert.deepEqual(said("lost", "2nd of 3"), ["lost", "已失联"]); // it waits no more
});

test("words of JavaScript's own objects are words like any other", () => {
  for (const odd of ["constructor", "__proto__", "toString"]) {
    assert.equal(standing.stateWord(odd, "zh"), odd);
    assert.equal(standing.standing({ state: "waiting", why: odd }, "zh"), `等待中：${odd}`);
  }
});

test("ordinals", () => {
  const said = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 101, 111, 112].map((place) => standing.ordinal(place, "en"));
  assert.deepEqual(said, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "101st", "111th", "112th"]);
});

test("a run in the queue is in no epoch yet", () => {
  assert.equal(standing.progress({ ...view, state: "waiting", queue: { place: 2, of: 3 } }, "en"), "waiting, 2nd of 3");
  const held = { ...view, state: "waiting" as const, why: "the disk is full", step: 640, steps: 1407 };
  assert.equal(standing.progress(held, "en"), "waiting: the disk is full · epoch 1 of 3 · step 640 of 1,407");
});

test("cores that are shared", () => {
  const said = (runs: number, more = {}, state: RunState = "running") => standing.sharing(state, { threads: 1, cores: 2, runs, ...more }, "en");
  assert.deepEqual([said(1), said(3), said(0), said(0, { busy: true })], ["sharing 2 cores with 1 run", "sharing 2 cores with 3 runs", "", "1 of 2 cores: others are busy"]);
  assert.equal(said(1, { cores: 1 }), "sharing 1 core with 1 run");
  assert.equal(said(1, {}, "finished"), "");
  assert.equal(standing.sharing("running", undefined, "en"), "");
  assert.equal(standing.sharing("running", { threads: 1, cores: 2, runs: 3 }, "zh"), "与另外 3 个训练共用 2 个核心");
  assert.equal(standing.sharing("running", { threads: 1, cores: 2, runs: 0, busy: true }, "zh"), "使用 1 / 2 个核心：其他程序正忙");
});

test("the rate to come is drawn true to its steps", () => {
  const curve = standing.curveOf([[100, 0.01], [110, 0.01], [200, 0]]);
  assert.equal(curve.length, 24);
  assert.deepEqual([curve[0], curve[2], curve[23]], [0.01, 0.01, 0]);
  assert.ok(curve.every((value, place) => place < 3 || value < (curve[place - 1] ?? 0)));
  for (const none of [[], [[5, 1]], [[5, 1], [5, 2]]] as Coming[][]) assert.deepEqual(standing.curveOf(none), []);
  assert.equal(standing.comingLabel([[100, 0.01], [200, 1e-5]], en), "rate to come, from 0.01 to 1e-5");
});

test("the curve stays within what was said, whatever the steps", () => {
  for (let seed = 1; seed < 200; seed++) {
    let [step, word] = [0, seed];
    const next = (): number => (word = (word * 1103515245 + 12345) % 2147483648) / 2147483648;
    const coming: Coming[] = Array.from({ length: 2 + (seed % 9) }, () => [(step += 1 + Math.floor(next() * 50)), next()]);
    const [curve, rates] = [standing.curveOf(coming), coming.map(([, rate]) => rate)];
    assert.equal(curve.length, 24);
    assert.ok(curve.every((rate) => rate >= Math.min(...rates) - 1e-12 && rate <= Math.max(...rates) + 1e-12));
    assert.deepEqual([curve[0], curve[23]], [rates[0], rates[rates.length - 1]]);
  }
});

test("many changes: the newest", () => {
  const changes = Array.from({ length: 6 }, (_, step) => ({ step, old: 0.1, new: 0.2 }));
  assert.equal(standing.changed(changes, "en").split("; ").length, 5);
  assert.ok(standing.changed(changes, "en").startsWith("…; "));
  assert.equal(standing.changed(undefined, "en"), "—");
});
