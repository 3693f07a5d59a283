// Lines about made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { build, FixedStatus } from "campanile-guest/testing";
import { announce } from "./callback.js";

const said = (event) =>
  announce({ event, contact: "#ci", build: build({ results: "failure" }), usual: ["as usual"] }, new FixedStatus());

test("the end is one short line", () => {
  assert.deepEqual(said("finished"), ["linux #7: failure https://ci.example/builders/linux/builds/7"]);
});

test("a start is told as usual", () => {
  assert.deepEqual(said("started"), ["as usual"]);
});
