"""The html mail over made-up builds, and over the cases that all languages share."""

import json
import unittest
from pathlib import Path
from types import SimpleNamespace

import html_mail
from campanile import testing

CASES = Path(__file__).parents[2] / "html-mail-cases.json"


def mail(status=None, **build):
    return html_mail.render(testing.build(**build), testing.Results.FAILURE, status or testing.FixedStatus())


class HtmlMail(unittest.TestCase):
    def test_the_cases_of_all_languages(self):
        cases = json.loads(CASES.read_text("utf-8"), object_hook=lambda fields: SimpleNamespace(**fields))
        self.assertGreater(len(cases), 5)
        for case in cases:
            with self.subTest(case.name):
                case.build.id = SimpleNamespace(builder="linux", number=7)
                for change in (change for stamp in case.build.source_stamps for change in stamp.changes):
                    # JSON has no word for what is not a number.
                    change.when = float("nan") if change.when is None else change.when
                status = testing.FixedStatus(case.url_for, case.log)
                told = html_mail.render(case.build, testing.Results[case.results.upper()], status)
                self.assertEqual(told.html, case.expected.body)
                self.assertEqual(told.text, case.expected.alternative)

    def test_the_last_eighty_lines_of_the_last_stdio_are_asked_for(self):
        status = testing.FixedStatus()
        mail(status)
        self.assertEqual(status.asked, [("make all", "stdio", 80)])

    def test_an_unreadable_log_is_told_and_logged(self):
        with self.assertLogs(level="WARNING") as logged:
            told = mail(testing.FixedStatus(log=None))
        self.assertIn("(the log cannot be read)", told.html)
        self.assertIn("make all.stdio", logged.output[0])

    def test_html_is_escaped_and_text_is_not(self):
        told = mail()
        self.assertIn("Alice &lt;alice@example.org&gt;", told.html)
        self.assertIn("Alice <alice@example.org>", told.text)

    def test_only_web_addresses_become_links(self):
        self.assertIn("javascript:alert(1)", mail(url="javascript:alert(1)", steps=[]).html)
        self.assertNotIn("<a ", mail(url="javascript:alert(1)", steps=[]).html)


if __name__ == "__main__":
    unittest.main()
