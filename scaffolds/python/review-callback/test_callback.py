"""Reviews of made-up builds."""

import unittest

import callback
from campanile import testing


def reviewed(result):
    return callback.review("linux", testing.build(), result, testing.FixedStatus())


class Reviews(unittest.TestCase):
    def test_a_failure_is_voted_down(self):
        message = "linux: failure\nhttps://ci.example/builders/linux/builds/7"
        self.assertEqual(reviewed("failure"), (message, -1))

    def test_what_is_tried_again_is_not_reviewed(self):
        self.assertIsNone(reviewed("retry"))


if __name__ == "__main__":
    unittest.main()
