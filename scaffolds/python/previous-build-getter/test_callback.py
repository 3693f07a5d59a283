"""Choices among made-up builds."""

import unittest
from types import SimpleNamespace

import callback
from campanile import testing


def on_branch(number, branch):
    build_id = SimpleNamespace(builder="linux", number=number)
    return testing.build(id=build_id, source_stamps=[testing.stamp(branch=branch)])


def chosen(*earlier):
    previous = callback.choose(on_branch(7, "main"), testing.FixedStatus(builds=earlier))
    return None if previous is None else previous.number


class Choices(unittest.TestCase):
    def test_the_newest_of_the_same_branch_is_taken(self):
        self.assertEqual(chosen(on_branch(6, "next"), on_branch(5, "main"), on_branch(4, "main")), 5)

    def test_a_new_branch_has_no_previous_build(self):
        self.assertIsNone(chosen(on_branch(6, "next")))


if __name__ == "__main__":
    unittest.main()
