"""What Gerrit is told when a build begins: which one, and where it can be watched."""

from campanile import links


def announce(builder, build, status):
    """A word at the start of a build, or None for a build that nobody could watch."""
    url = links.build_url(build, status)
    return None if url is None else f"{builder} #{build.id.number} has started: {url}"
