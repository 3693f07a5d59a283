"""Lines about made-up builds."""

import unittest
from types import SimpleNamespace

import callback
from campanile import testing


def said(event):
    build = testing.build(results=SimpleNamespace(name="FAILURE"))
    return callback.announce(event, build, ["as usual"], testing.FixedStatus())


class Lines(unittest.TestCase):
    def test_the_end_is_one_short_line(self):
        self.assertEqual(said("finished"), ["linux #7: failure https://ci.example/builders/linux/builds/7"])

    def test_a_start_is_told_as_usual(self):
        self.assertEqual(said("started"), ["as usual"])


if __name__ == "__main__":
    unittest.main()
