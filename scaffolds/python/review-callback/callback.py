"""What Gerrit is told of a finished build: its result, where to look, and a vote."""

from campanile import links

# The label that is voted on, and the vote by result.
LABEL = "Verified"
SCORES = {"success": 1, "warnings": 1, "failure": -1, "skipped": 0, "exception": -1, "cancelled": 0}


def review(builder, build, result, status):
    """Message and vote for one build, or None for a build that will be tried again."""
    if result == "retry":
        return None
    message = f"{builder}: {result}"
    url = links.build_url(build, status)
    if url is not None:
        message += f"\n{url}"
    return message, SCORES[result]
