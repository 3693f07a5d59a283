"""Turns queued events into one JSON request, fifty of them at most."""

import json
import logging

ADDRESS = "https://events.example.org/buildbot"
MOST = 50


def push(packets):
    """How many packets are taken, and the requests that carry them; the rest of the queue waits for the next call."""
    batch = packets[:MOST]
    if not batch:
        return 0, []
    logging.info("%d of %d packets go to %s", len(batch), len(packets), ADDRESS)
    return len(batch), [request(batch)]


def request(packets):
    """One POST with all of `packets`, in their order."""
    told = {"packets": [packet_fields(packet) for packet in packets]}
    return dict(
        method="POST",
        url=ADDRESS,
        headers=[("Content-Type", "application/json")],
        # ASCII, because a payload may hold half of a surrogate pair, which has no UTF-8.
        body=json.dumps(told, ensure_ascii=True).encode("ascii"),
    )


def packet_fields(packet):
    return {
        "id": packet.id,
        "event": packet.event,
        "timestamp": packet.timestamp,
        "payload": json.loads(packet.payload),
    }
