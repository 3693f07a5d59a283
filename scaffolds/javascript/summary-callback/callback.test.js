// Summaries of made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { summarize } from "./callback.js";

const linux = { name: "linux", results: "success", resultsText: "success", url: "https://ci.example/7" };
const windows = { name: "windows", results: "failure", resultsText: "failure", url: null };

test("one bad build decides", () => {
  assert.deepEqual(summarize([linux, windows]), {
    message: "[+] linux: success https://ci.example/7\n[-] windows: failure",
    labels: [{ name: "Verified", score: -1 }],
  });
});

test("good builds are voted for", () => {
  assert.deepEqual(summarize([linux]).labels, [{ name: "Verified", score: 1 }]);
  assert.equal(summarize([]), null);
});
