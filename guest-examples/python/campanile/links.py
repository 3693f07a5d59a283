"""Addresses of builds and logs."""

import re
from urllib.parse import quote

# ASCII only: ignoring case would otherwise take the long s for an s.
_WEB = re.compile("https?://", re.IGNORECASE | re.ASCII)


def build_url(build, status):
    """Address of the build's page: the feed's own, else the engine's."""
    return build.url if build.url is not None else status.url_for(build.id)


def log_url(build_url, step, log):
    """Address of a log's page: the feed's own, else one below the build's."""
    if log.url is not None:
        return log.url
    if build_url is None:
        return None
    return f"{build_url.rstrip('/')}/steps/{quote(step.name, safe='')}/logs/{quote(log.name, safe='')}"


def is_web(url):
    """Whether a browser would fetch it: `javascript:` and the like are not to become links."""
    return _WEB.match(url) is not None
