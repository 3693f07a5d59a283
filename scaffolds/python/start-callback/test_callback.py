"""Words about made-up builds."""

import unittest

import callback
from campanile import testing


class Words(unittest.TestCase):
    def test_the_start_says_where_to_look(self):
        text = callback.announce("linux", testing.build(), testing.FixedStatus())
        self.assertEqual(text, "linux #7 has started: https://ci.example/builders/linux/builds/7")

    def test_without_an_address_nothing_is_said(self):
        self.assertIsNone(callback.announce("linux", testing.build(), testing.FixedStatus(url=None)))


if __name__ == "__main__":
    unittest.main()
