"""Renders mails as an installed Buildbot does, by its own formatter and templates.

Reads {"title", "url", "mode", "builds": [builds as our events have them], "templates": {NAME: {"type", "template",
"subject"}}} from standard input; a template or subject that is null is Buildbot's default. Prints {NAME: {"template",
"subject", "mails": [{"body", "subject"} for each build]}}.
"""

import json
import sys
from types import SimpleNamespace

from buildbot.process.results import Results
from buildbot.reporters import message

DEFAULTS = {"plain": message.default_body_template_plain, "html": message.default_body_template_html}


def properties(build):
    """The properties of a build, with those that a master sets."""
    stamp = build["source_stamps"][0]
    found = {name: (stamp.get(name), "Build") for name in ("branch", "revision", "repository", "codebase", "project")}
    found.update(buildername=(build["builder"], "Builder"), buildnumber=(build["number"], "Build"))
    found.update(workername=(build["worker"], "Worker"))
    found.update((name, (value, source)) for name, value, source in build["properties"])
    return found


def step(number, told):
    """A step as the data API has it."""
    logs = [dict(log, stepname=told["name"]) for log in told.get("logs", [])]
    state = " ".join(told.get("text", []))
    results = Results.index(told["results"])
    return {"number": number, "name": told["name"], "results": results, "state_string": state, "logs": logs}


def as_buildbot_has_it(build, previous):
    """A build as `getDetailsForBuild` gives it to formatters."""
    stamps = [
        {"branch": None, "revision": None, "patch": None, "codebase": "", "project": "", **stamp}
        for stamp in build["source_stamps"]
    ]
    return {
        "number": build["number"],
        "results": Results.index(build["results"]),
        "state_string": " ".join(build["text"]),
        "builder": {"name": build["builder"], "builderid": 1},
        "buildset": {"sourcestamps": stamps},
        "properties": properties(build),
        "prev_build": previous and {"results": Results.index(previous["results"])},
        "steps": [step(*numbered) for numbered in enumerate(build["steps"])],
    }


def main():
    asked = json.load(sys.stdin)
    master = SimpleNamespace(config=SimpleNamespace(title=asked["title"], buildbotURL=asked["url"]))
    answer = {}
    for name, wanted in asked["templates"].items():
        formatter = message.MessageFormatter(
            template=wanted["template"], subject=wanted["subject"], template_type=wanted["type"]
        )
        mails = []
        for previous, build in zip([None, *asked["builds"]], asked["builds"]):
            authors = {change["who"] for stamp in build["source_stamps"] for change in stamp["changes"]}
            formatter.format_message_for_build(
                master,
                as_buildbot_has_it(build, previous),
                mode=tuple(asked["mode"]),
                users=sorted(authors),
            ).addCallbacks(mails.append, lambda failure: failure.raiseException())
        answer[name] = {
            "template": wanted["template"] or DEFAULTS[wanted["type"]],
            "subject": wanted["subject"] or message.default_subject_template,
            "mails": [{"body": mail["body"], "subject": mail["subject"]} for mail in mails],
        }
    json.dump(answer, sys.stdout)


main()
