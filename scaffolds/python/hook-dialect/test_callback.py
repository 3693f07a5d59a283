"""Made-up requests of a forge."""

import json
import unittest
from types import SimpleNamespace

import callback

PUSH = {
    "repository": "https://git.example.org/bells",
    "branch": "main",
    "commits": [
        {
            "id": "1f0c2d",
            "author": "Ada <ada@example.org>",
            "time": 1774000000,
            "message": "ring",
            "files": ["tower.c"],
        }
    ],
}


def request(body, headers=()):
    return SimpleNamespace(method="POST", query=[], headers=list(headers), body=body.encode())


class Requests(unittest.TestCase):
    def test_a_commit_becomes_a_change(self):
        changes, note = callback.parse(request(json.dumps(PUSH)), '{"project": "bells"}')
        self.assertIsNone(note)
        self.assertEqual([one["revision"] for one in changes], ["1f0c2d"])
        self.assertEqual((changes[0]["who"], changes[0]["branch"]), ("Ada <ada@example.org>", "main"))
        self.assertEqual((changes[0]["project"], changes[0]["files"]), ("bells", ["tower.c"]))

    def test_other_events_make_no_change(self):
        changes, note = callback.parse(request("", [("X-Event", "issue")]), "{}")
        self.assertEqual((changes, note), ([], "no changes in the event issue"))

    def test_what_is_no_push_is_refused(self):
        for body in ["", "{}", "[]", '{"branch": "b", "commits": [{}]}']:
            with self.assertRaises(callback.Refusal) as refused:
                callback.parse(request(body), "{}")
            self.assertEqual(refused.exception.status, 400)


if __name__ == "__main__":
    unittest.main()
