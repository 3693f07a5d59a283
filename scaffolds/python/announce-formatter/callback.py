"""What a chat bot says of a build: at its end its result and where to look, in one short line."""

from campanile import links, words


def announce(event, build, usual, status):
    """The lines to say. What begins is told as usual; an empty list would say nothing."""
    if event != "finished" or build.results is None:
        return usual
    line = f"{build.id.builder} #{build.id.number}: {words.result(build.results)}"
    url = links.build_url(build, status)
    return [line if url is None else f"{line} {url}"]
