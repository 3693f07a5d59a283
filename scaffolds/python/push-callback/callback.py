"""Queued events become one JSON request, which the engine sends and retries."""

import json

# Where the events go.
ADDRESS = "https://events.example.org/builds"
# No more events go into one request; the rest waits for the next call.
MOST = 50


def push(packets):
    """How many packets are taken, and the request that carries them, oldest first."""
    batch = packets[:MOST]
    return len(batch), [request(batch)] if batch else []


def request(packets):
    """One POST with all of `packets`."""
    events = [{"id": one.id, "event": one.event, "payload": json.loads(one.payload)} for one in packets]
    return dict(
        method="POST",
        url=ADDRESS,
        headers=[("Content-Type", "application/json")],
        # ASCII, because a payload may hold half of a surrogate pair, which has no UTF-8.
        body=json.dumps({"events": events}).encode("ascii"),
    )
