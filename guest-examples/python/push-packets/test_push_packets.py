"""Pushes over made-up packets."""

import json
import unittest
from types import SimpleNamespace

import push_packets


def packet(number, payload="{}"):
    return SimpleNamespace(id=number, event="buildFinished", timestamp="2014-04-19 23:03:46", payload=payload)


class PushPackets(unittest.TestCase):
    def test_packets_become_one_request_in_their_order(self):
        consumed, requests = push_packets.push([packet(1, '{"build": {"number": 7}}'), packet(2, "null")])
        self.assertEqual((consumed, len(requests)), (2, 1))
        self.assertEqual((requests[0]["method"], requests[0]["url"]), ("POST", push_packets.ADDRESS))
        told = json.loads(requests[0]["body"])["packets"]
        self.assertEqual([one["id"] for one in told], [1, 2])
        self.assertEqual([one["payload"] for one in told], [{"build": {"number": 7}}, None])
        self.assertEqual(told[0]["timestamp"], "2014-04-19 23:03:46")

    def test_no_more_than_fifty_are_taken(self):
        consumed, requests = push_packets.push([packet(number) for number in range(51)])
        self.assertEqual(consumed, 50)
        self.assertEqual(json.loads(requests[0]["body"])["packets"][-1]["id"], 49)

    def test_an_empty_queue_sends_nothing(self):
        self.assertEqual(push_packets.push([]), (0, []))

    def test_any_text_of_a_payload_can_be_sent(self):
        payload = '"é \\ud83d \\u0000"'
        _, requests = push_packets.push([packet(1, payload)])
        self.assertEqual(json.loads(requests[0]["body"])["packets"][0]["payload"], json.loads(payload))


if __name__ == "__main__":
    unittest.main()
