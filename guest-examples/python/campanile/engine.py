"""Questions to the engine that called this component."""

from componentize_py_types import Err
from wit_world.imports import status


class Engine:
    """Answers as a test's `testing.FixedStatus` does, from the engine itself."""

    def url_for(self, build_id):
        """The address of a build's page, or None."""
        return status.url_for(build_id)

    def recent_builds(self, before, limit):
        """Finished builds of the same builder with a lower number, newest first; at most 100."""
        return status.recent_builds(before, limit)

    def log_tail(self, build_id, step, log, lines):
        """The last `lines` lines of a log, or None if it cannot be read."""
        try:
            return status.log_tail(build_id, step, log, lines)
        except Err:
            return None
