// Queued events become one JSON request, which the engine sends and retries.

import { utf8Bytes } from "campanile-guest";

// Where the events go.
const ADDRESS = "https://events.example.org/builds";
// No more events go into one request; the rest waits for the next call.
const MOST = 50;

/** How many packets are taken, and the request that carries them, oldest first. */
export function push(packets) {
  const batch = packets.slice(0, MOST);
  return { consumed: batch.length, requests: batch.length ? [request(batch)] : [] };
}

function request(packets) {
  const events = packets.map(({ id, event, payload }) => ({ id, event, payload: JSON.parse(payload) }));
  return {
    method: "POST",
    url: ADDRESS,
    headers: [["Content-Type", "application/json"]],
    body: utf8Bytes(JSON.stringify({ events })),
  };
}
