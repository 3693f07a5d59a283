// Choices among made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { build, stamp } from "campanile-guest/testing";
import { choose } from "./callback.js";

const onBranch = (number, branch) =>
  build({ id: { builder: "linux", number }, sourceStamps: [stamp({ branch })] });

const chosen = (earlier) => choose(onBranch(7, "main"), { recentBuilds: () => earlier })?.number ?? null;

test("the newest of the same branch is taken", () => {
  assert.equal(chosen([onBranch(6, "next"), onBranch(5, "main"), onBranch(4, "main")]), 5);
});

test("a new branch has no previous build", () => {
  assert.equal(chosen([onBranch(6, "next")]), null);
});
