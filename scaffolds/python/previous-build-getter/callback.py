"""The previous build is the newest earlier one of the same branch: a broken branch says nothing about another."""

# How many builds are looked at; the engine gives no more at once.
LOOKED_AT = 100


def choose(build, status):
    """The id of the build to compare with, or None."""
    for other in status.recent_builds(build.id, LOOKED_AT):
        if branch(other) == branch(build):
            return other.id
    return None


def branch(build):
    """The branch of the first source stamp, if there is one."""
    return build.source_stamps[0].branch if build.source_stamps else None
