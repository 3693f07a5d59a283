"""Times as people read them. A callback has no time zone, so they are in UTC."""

from datetime import datetime, timezone

# Year 10000 begins: later times are no times.
_LATEST = 253_402_300_800


def text(when):
    """`Sat 19 Apr 2014 23:03:46`, or `?` for what is no time: not a number, before 1970, after 9999."""
    if not 0 <= when < _LATEST:
        return "?"
    # Whole seconds first: datetime rounds, and the last moment of a second belongs to that second.
    return datetime.fromtimestamp(int(when), timezone.utc).strftime("%a %d %b %Y %H:%M:%S")
