"""Mails about made-up builds."""

import unittest

import callback
from campanile import testing


class Mails(unittest.TestCase):
    def setUp(self):
        self.failed = testing.build(
            steps=[testing.step("git"), testing.step("make all", testing.Results.FAILURE)]
        )

    def test_a_failure_is_told_with_the_end_of_its_log(self):
        status = testing.FixedStatus()
        subject, body = callback.render("linux", self.failed, "failure", status)
        self.assertEqual(subject, "[failure] linux #7")
        self.assertEqual(
            body,
            "linux #7: failure\nhttps://ci.example/builders/linux/builds/7\nChanges by: alice, bob\n\n"
            "stdio of step make all ends with:\n\nline 1\nline <2>\n",
        )
        self.assertEqual(status.asked, [("make all", "stdio", 20)])

    def test_a_success_needs_no_log(self):
        _, body = callback.render("linux", testing.build(), "success", testing.FixedStatus(url=None))
        self.assertEqual(body, "linux #7: success\nChanges by: alice, bob\n")

    def test_a_log_that_cannot_be_read_is_left_out(self):
        _, body = callback.render("linux", self.failed, "failure", testing.FixedStatus(log=None))
        self.assertTrue(body.endswith("Changes by: alice, bob\n"), body)


if __name__ == "__main__":
    unittest.main()
