// Addresses of made-up users.

import assert from "node:assert/strict";
import test from "node:test";

import { find } from "./callback.js";

test("the table comes first", () => {
  assert.equal(find("bob"), "robert@example.com");
  assert.equal(find("build-bot"), null);
});

test("others are found by rule", () => {
  assert.equal(find("Ada"), "ada@example.org");
  assert.equal(find("Alice <alice@lists.example.org>"), "alice@lists.example.org");
  assert.equal(find("nobody at all"), null);
});
