"""A made-up build and a made-up engine, for tests outside a component.

The records have the attributes of the generated ones, as far as the examples look at them.
"""

from enum import Enum
from types import SimpleNamespace

Results = Enum("Results", "SUCCESS WARNINGS FAILURE SKIPPED EXCEPTION RETRY CANCELLED", start=0)


class FixedStatus:
    """An engine that knows one address, one log and some builds; `log` None: it cannot be read."""

    def __init__(self, url="https://ci.example/builders/linux/builds/7", log="line 1\nline <2>", builds=()):
        self.url = url
        self.log = log
        self.builds = builds
        self.asked = []

    def url_for(self, build_id):
        return self.url

    def recent_builds(self, before, limit):
        return list(self.builds[:limit])

    def log_tail(self, build_id, step, log, lines):
        self.asked.append((step, log, lines))
        return self.log


def change(**fields):
    """A change of two files with html in its comments."""
    made_up = dict(
        who="Alice <alice@example.org>",
        when=1_397_948_626.0,
        files=["b.c", "a.c"],
        comments="fix <b> & c",
        repository="git://x/y",
        project="quad",
    )
    return SimpleNamespace(**made_up | fields)


def stamp(**fields):
    """A patched source stamp on branch `main` with one change."""
    made_up = dict(
        codebase="",
        branch="main",
        revision="abc123",
        patch=SimpleNamespace(comment="try <this>"),
        changes=[change()],
    )
    return SimpleNamespace(**made_up | fields)


def step(name, results=Results.SUCCESS):
    """A step with one log."""
    return SimpleNamespace(name=name, results=results, logs=[SimpleNamespace(name="stdio", url=None)])


def build(**fields):
    """Build 7 of `linux`, with one source stamp and two steps."""
    made_up = dict(
        id=SimpleNamespace(builder="linux", number=7),
        url=None,
        reason="scheduler 'a'\nsecond line",
        worker="w1",
        responsible_users=["alice", "bob"],
        source_stamps=[stamp()],
        steps=[step("git"), step("make all")],
    )
    return SimpleNamespace(**made_up | fields)
