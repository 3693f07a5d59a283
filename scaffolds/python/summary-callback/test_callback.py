"""Summaries of made-up builds."""

import unittest
from types import SimpleNamespace

import callback
from campanile.testing import Results

LINUX = SimpleNamespace(
    name="linux", results=Results.SUCCESS, results_text="success", url="https://ci.example/7"
)
WINDOWS = SimpleNamespace(name="windows", results=Results.FAILURE, results_text="failure", url=None)


class Summaries(unittest.TestCase):
    def test_one_bad_build_decides(self):
        message = "[+] linux: success https://ci.example/7\n[-] windows: failure"
        self.assertEqual(callback.summarize([LINUX, WINDOWS]), (message, -1))

    def test_good_builds_are_voted_for(self):
        self.assertEqual(callback.summarize([LINUX]), ("[+] linux: success https://ci.example/7", 1))
        self.assertIsNone(callback.summarize([]))


if __name__ == "__main__":
    unittest.main()
