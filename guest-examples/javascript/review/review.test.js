// Reviews of made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { build, FixedStatus } from "campanile-guest/testing";
import { review } from "./review.js";

const of = (results, arg, status = new FixedStatus()) => review("linux", build(), results, arg, status);

test("a failure is told and scored", () => {
  assert.deepEqual(of("failure"), {
    message: "linux #7: FAILURE\n\nfailed make\n\nhttps://ci.example/builders/linux/builds/7",
    labels: [{ name: "Verified", score: -1 }],
  });
});

test("a success is scored one up", () => {
  assert.deepEqual(of("success", null).labels, [{ name: "Verified", score: 1 }]);
});

test("what is tried again is not reviewed", () => {
  assert.equal(of("retry"), null);
});

test("a result without a score gives no label", () => {
  assert.deepEqual(of("skipped").labels, []);
});

test("the labels of the settings stand in for our own", () => {
  const arg = JSON.stringify({ labels: { "Lint-Ok": { failure: -2 }, Verified: { success: 2 } } });
  assert.deepEqual(of("failure", arg).labels, [{ name: "Lint-Ok", score: -2 }]);
  assert.deepEqual(of("success", arg).labels, [{ name: "Verified", score: 2 }]);
  assert.deepEqual(of("failure", "{}").labels, [{ name: "Verified", score: -1 }]);
});

test("a score that is no whole number is refused", () => {
  assert.throws(() => of("failure", '{"labels": {"Verified": {"failure": "-1"}}}'), /Verified/);
});

test("without an address none is told", () => {
  const { message } = of("success", null, new FixedStatus({ url: null }));
  assert.equal(message, "linux #7: SUCCESS\n\nfailed make");
});
