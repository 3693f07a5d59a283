// Pushes of made-up packets.

import assert from "node:assert/strict";
import test from "node:test";

import { push } from "./callback.js";

const packet = (id) => ({ id, event: "buildFinished", timestamp: "", payload: JSON.stringify({ bell: `größte 🔔 ${id}%` }) });

test("events go out in one request", () => {
  const { consumed, requests } = push([packet(1), packet(2)]);
  assert.equal(consumed, 2);
  assert.equal(requests.length, 1);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(requests[0].body)), {
    events: [
      { id: 1, event: "buildFinished", payload: { bell: "größte 🔔 1%" } },
      { id: 2, event: "buildFinished", payload: { bell: "größte 🔔 2%" } },
    ],
  });
});

test("what is too much stays queued", () => {
  assert.equal(push(Array.from({ length: 51 }, (_, id) => packet(id))).consumed, 50);
  assert.deepEqual(push([]), { consumed: 0, requests: [] });
});
