"""A change hook for a forge of one's own: each commit of a JSON push becomes a change."""

import json


class Refusal(Exception):
    """A request that is refused; the sender is told `status` and the text."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def parse(request, options):
    """The changes of a push and a note; any other event is noted and makes no change."""
    event = header(request, "x-event") or "push"
    if event != "push":
        return [], f"no changes in the event {event}"
    try:
        push = json.loads(request.body)
        project = json.loads(options).get("project", "")
        return [change(push, commit, project) for commit in push["commits"]], None
    # UnicodeDecodeError and JSONDecodeError are ValueErrors.
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refusal(400, f"this is no push: {error!r}")


def change(push, commit, project):
    return dict(
        who=str(commit["author"]),
        committer=None,
        revision=str(commit["id"]),
        branch=str(push["branch"]),
        when=float(commit["time"]),
        files=[str(name) for name in commit.get("files", [])],
        comments=str(commit["message"]),
        revlink=None,
        repository=str(push["repository"]),
        project=project,
        codebase="",
        category=None,
        properties=[],
    )


def header(request, name):
    """The first header of this name, whatever its case."""
    return next((value for own, value in request.headers if own.lower() == name), None)
