// Reviews of made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { build, FixedStatus } from "campanile-guest/testing";
import { review } from "./callback.js";

const reviewed = (results) => review("linux", build(), results, new FixedStatus());

test("a failure is voted down", () => {
  assert.deepEqual(reviewed("failure"), {
    message: "linux: failure\nhttps://ci.example/builders/linux/builds/7",
    labels: [{ name: "Verified", score: -1 }],
  });
});

test("what is tried again is not reviewed", () => {
  assert.equal(reviewed("retry"), null);
});
