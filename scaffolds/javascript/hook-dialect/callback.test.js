// Made-up requests of a forge.

import assert from "node:assert/strict";
import test from "node:test";

import { parse } from "./callback.js";

const request = (body, headers = []) => ({ method: "POST", query: [], headers, body: new TextEncoder().encode(body) });
const push = {
  repository: "https://git.example.org/bells",
  branch: "main",
  commits: [{ id: "1f0c2d", author: "Ada <ada@example.org>", time: 1774000000, message: "größte 🔔", files: ["tower.c"] }],
};

test("a commit becomes a change", () => {
  const { changes, src } = parse(request(JSON.stringify(push)), '{"project": "bells"}');
  assert.equal(src, "git");
  assert.equal(changes.length, 1);
  const { who, revision, branch, project, files, comments } = changes[0];
  assert.deepEqual([who, revision, branch, project], ["Ada <ada@example.org>", "1f0c2d", "main", "bells"]);
  assert.deepEqual([files, comments], [["tower.c"], "größte 🔔"]);
});

test("other events make no change", () => {
  assert.deepEqual(parse(request("", [["X-Event", "issue"]]), "{}").changes, []);
});

test("what is no push is refused", () => {
  for (const body of ["", "{}", '{"repository": "r", "branch": "b", "commits": [{"time": 1}]}']) {
    assert.throws(() => parse(request(body), "{}"), { status: 400 });
  }
});
