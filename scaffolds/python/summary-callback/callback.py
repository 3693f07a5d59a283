"""What Gerrit is told of a whole buildset: a line for each builder, and one vote."""

from campanile import words

# The label that is voted on.
LABEL = "Verified"


def summarize(builds):
    """Message and vote for all builds, for the change only if every build is good; None without builds."""
    if not builds:
        return None
    return "\n".join(map(line, builds)), 1 if all(map(is_good, builds)) else -1


def line(info):
    """`[-] linux: failure https://...`"""
    text = f"{'[+]' if is_good(info) else '[-]'} {info.name}: {info.results_text}"
    return text if info.url is None else f"{text} {info.url}"


def is_good(info):
    return words.result(info.results) in ("success", "warnings")
