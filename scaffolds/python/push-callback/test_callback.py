"""Pushes of made-up packets."""

import json
import unittest
from types import SimpleNamespace

import callback


def packet(number):
    payload = json.dumps({"n": number})
    return SimpleNamespace(id=number, event="buildFinished", timestamp="", payload=payload)


class Pushes(unittest.TestCase):
    def test_events_go_out_in_one_request(self):
        consumed, requests = callback.push([packet(1), packet(2)])
        self.assertEqual((consumed, len(requests)), (2, 1))
        events = json.loads(requests[0]["body"])["events"]
        self.assertEqual(events[1], {"id": 2, "event": "buildFinished", "payload": {"n": 2}})

    def test_what_is_too_much_stays_queued(self):
        self.assertEqual(callback.push([packet(number) for number in range(51)])[0], 50)
        self.assertEqual(callback.push([]), (0, []))


if __name__ == "__main__":
    unittest.main()
