// Words about made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { build, FixedStatus } from "campanile-guest/testing";
import { announce } from "./callback.js";

test("the start says where to look", () => {
  const text = announce("linux", build(), new FixedStatus());
  assert.equal(text, "linux #7 has started: https://ci.example/builders/linux/builds/7");
});

test("without an address nothing is said", () => {
  assert.equal(announce("linux", build(), new FixedStatus({ url: null })), null);
});
