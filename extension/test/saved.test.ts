import assert from "node:assert/strict";
import { test } from "node:test";
import { isBundle, MIME, outdated, readSaved, same, type Saved } from "../src/state/saved";
import type { ServerSnapshot } from "../src/state/server";

const snapshot = {
  name: "cnn-7", title: "cnn on digits", state: "running", error: null, epoch: 2, epochs: 3, step: 640, steps: 1407,
  left: 18.2, seconds: 9, lr: 0.001, device: "cpu", metric: "accuracy", figures: [["val loss", "0.2"]],
  series: { loss: { train: [[1, 2, 3], [3, null, 1]], val: [[2], [2]] } }, command: "%bigmodel train cnn",
  notes: ["Left out 4 of 30 pictures"], why: "2nd of 3", queue: { place: 2, of: 3 }, cores: { threads: 1, cores: 2, runs: 1 },
  changes: [{ step: 1200, old: 0.003, new: 0.01 }], coming: [[640, 0.01], [1407, 0]],
};
const whole = { id: "0123456789ab/cnn-7", name: "cnn-7", folder: "runs/cnn-7", started: 1.5e9, version: "0.1.0", snapshot };

function read(value: unknown): Saved {
  const saved = readSaved(value);
  assert.ok(saved);
  return saved;
}

test("what was written is read", () => {
  const saved = read(whole);
  assert.equal(saved.id, whole.id);
  assert.equal(saved.started, 1.5e9);
  assert.deepEqual(saved.snapshot, snapshot);
  assert.deepEqual(saved.samples, []);
});

test("no JSON whatever makes it throw", () => {
  const values: unknown[] = [null, undefined, 1, "x", [], {}, { snapshot: null }, { snapshot: [] }, { snapshot: { state: "odd" } }, NaN];
  for (const value of values) assert.equal(readSaved(value), null);
  for (const key of Object.keys(snapshot).filter((each) => each !== "state")) {
    for (const value of [...values, { loss: 3 }, { loss: { train: [1, 2] } }, [[[]]], [{}], { what: {} }]) {
      const saved = read({ ...whole, snapshot: { ...snapshot, [key]: value } });
      assert.equal(typeof saved.snapshot.name, "string", key);
      assert.doesNotThrow(() => JSON.stringify(saved));
    }
  }
});

test("an older file says nothing of queue, cores and changes", () => {
  const { why, queue, cores, changes, coming, ...older } = snapshot;
  const seen = read({ ...whole, snapshot: older }).snapshot;
  assert.deepEqual([seen.why, seen.queue, seen.cores, seen.changes, seen.coming], [null, null, null, [], []]);
  assert.equal(read({ ...whole, snapshot: { ...snapshot, state: "waiting" } }).snapshot.state, "waiting");
});

test("queue, cores and changes: whole numbers that can be, of limited length", () => {
  const seen = (more: object) => read({ ...whole, snapshot: { ...snapshot, ...more } }).snapshot;
  const odd: unknown[] = [null, 0, -1, 1.5, NaN, Infinity, 1e300, "2", true, [], {}];
  for (const value of odd) {
    assert.equal(seen({ queue: { place: value, of: 3 } }).queue, null);
    assert.equal(seen({ queue: { place: 1, of: value } }).queue, null);
    assert.equal(seen({ cores: { threads: 1, cores: value, runs: 1 } }).cores, null);
    assert.deepEqual(seen({ coming: [[1, 0.1], [1, 0.2], [value, value], [4, 0.1]] }).coming?.[0], [1, 0.1]);
    if (value !== 1.5) assert.deepEqual(seen({ changes: [{ step: value, old: 1, new: value }] }).changes, value === 0 ? [{ step: 0, old: 1, new: 0 }] : []);
  }
  assert.equal(seen({ queue: { place: 4, of: 3 } }).queue, null);
  assert.deepEqual(seen({ cores: { threads: 1, cores: 2, runs: 0, busy: true, more: "x" } }).cores, { threads: 1, cores: 2, runs: 0, busy: true });
  assert.deepEqual(seen({ coming: [[5, 1], [3, 1], [7, 2], [7, 3]] }).coming, [[5, 1], [7, 2]]);
  assert.equal(seen({ why: "x".repeat(999) }).why?.length, 120);
  assert.deepEqual([seen({ why: 3 }).why, seen({ why: "" }).why], [null, null]);
  const many = Array.from({ length: 5000 }, (_, step) => ({ step, old: 1, new: 1 }));
  assert.equal(seen({ changes: many }).changes?.length, 100);
  assert.equal(seen({ coming: many.map(({ step }) => [step, 1]) }).coming?.length, 200);
});

test("an id that is none asks the server for nothing", () => {
  const ids = ["../../etc", "0123456789ab/../x", "0123456789AB/x", "0123456789ab/_x", "0123456789ab/x?y", "0123456789ab/", 3, null];
  for (const id of ids) assert.equal(read({ ...whole, id }).id, null, String(id));
  assert.equal(read({ ...whole, id: "0123456789ab/训练-1.2" }).id, "0123456789ab/训练-1.2");
});

test("curves: steps that rise, numbers or gaps", () => {
  const curve = (value: unknown) => read({ ...whole, snapshot: { ...snapshot, series: { loss: { train: value } } } }).snapshot.series["loss"]?.train;
  assert.deepEqual(curve([[1, 1, "2", 0, 3, -1, 4], [1, 2, 3, 4, "x", 6, Infinity]]), [[1, 3, 4], [1, null, null]]);
  assert.equal(curve([[], []]), undefined);
  assert.equal(curve([[1]]), undefined);
  assert.equal(curve([new Array(9000).fill(0).map((_, step) => step), new Array(9000).fill(1)])?.[0].length, 2000);
});

test("loss, metric, the rest; a line to copy is one of ours", () => {
  const series = { accuracy: {}, alpha: {}, loss: {} };
  const seen = (command: string) => read({ ...whole, snapshot: { ...snapshot, series, command } }).snapshot;
  assert.deepEqual(Object.keys(seen("").series), ["loss", "accuracy", "alpha"]);
  assert.deepEqual(["%bigmodel train cnn", "!rm -r x", "%bigmodel\n!x", "%bigmodel a\n!x"].map((line) => seen(line).command), ["%bigmodel train cnn", "", "", ""]);
});

test("hostile names stay names", () => {
  const series = JSON.parse('{"__proto__": {"train": [[1], [1]]}, "<img src=x onerror=alert(1)>": {"train": [[1], [1]]}}') as object;
  const { snapshot: seen } = read({ ...whole, snapshot: { ...snapshot, series } });
  assert.deepEqual(Object.keys(seen.series), ["__proto__", "<img src=x onerror=alert(1)>"]);
  assert.equal(Object.getPrototypeOf(seen.series), Object.prototype);
});

test("only pictures that came along", () => {
  const src = ["data:image/png;base64,AAAA", "https://example.org/x.png", "data:image/svg+xml;base64,AAAA", "javascript:1", "data:image/png;base64,\"><b>"];
  const samples = src.map((each, epoch) => ({ epoch, step: epoch, src: each, text: null }));
  const saved = read({ ...whole, snapshot: { ...snapshot, samples: [...samples, { epoch: 9, step: 9, src: null, text: "said" }, 3] } });
  assert.deepEqual(saved.samples.map((sample) => sample.src ?? sample.text), [src[0], "said"]);
});

test("what was asked for is a text of limited length, or nothing", () => {
  const caption = (value: unknown): unknown => {
    const samples = [{ epoch: 1, step: 1, src: "data:image/png;base64,AAAA", text: null, caption: value }];
    return read({ ...whole, snapshot: { ...snapshot, samples } }).samples[0]?.caption;
  };
  assert.equal(caption("a three · <b>"), "a three · <b>");
  assert.equal(caption("x".repeat(500)), "x".repeat(400));
  assert.deepEqual([caption(undefined), caption(null), caption(3), caption("")], [null, null, null, null]);
});

test("a run of the same name is another run", () => {
  const view = { ...snapshot, id: whole.id, started: 1.5e9 + 0.005 } as unknown as ServerSnapshot;
  assert.ok(same(read(whole), view));
  assert.ok(!same(read(whole), { ...view, started: 1.5e9 + 1 }));
  assert.ok(!same(read({ ...whole, started: null }), { ...view, started: null }));
});

test("the notebook is behind when the run has ended without it", () => {
  const view = { ...snapshot, id: whole.id, started: 1.5e9 } as unknown as ServerSnapshot;
  assert.ok(!outdated(read(whole), view));
  assert.ok(outdated(read(whole), { ...view, state: "finished" }));
  const finished = read({ ...whole, snapshot: { ...snapshot, state: "finished" } });
  assert.ok(!outdated(finished, { ...view, state: "finished" }));
  assert.ok(outdated(finished, { ...view, state: "finished", step: 700 })); // it was resumed
});

test("a bundle is written only if it is one", () => {
  assert.ok(isBundle({ [MIME]: whole, "text/plain": "cnn-7", "text/html": "<b>" }));
  for (const value of [null, [], "", {}, { [MIME]: {} }, { [MIME]: whole }]) assert.ok(!isBundle(value));
});
