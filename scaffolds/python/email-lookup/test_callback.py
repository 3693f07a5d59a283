"""Addresses of made-up users."""

import unittest

import callback


class Addresses(unittest.TestCase):
    def test_the_table_comes_first(self):
        self.assertEqual(callback.find("bob"), "robert@example.com")
        self.assertIsNone(callback.find("build-bot"))

    def test_others_are_found_by_rule(self):
        self.assertEqual(callback.find("Ada"), "ada@example.org")
        self.assertEqual(callback.find("Alice <alice@lists.example.org>"), "alice@lists.example.org")
        self.assertIsNone(callback.find("nobody at all"))


if __name__ == "__main__":
    unittest.main()
