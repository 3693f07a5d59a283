"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log
from campanile.engine import Engine
from wit_world import exports

log.use_engine()


class AnnounceFormatter(exports.AnnounceFormatter):
    def announce(self, announcement):
        event = announcement.event.name.lower()
        return callback.announce(event, announcement.build, announcement.usual, Engine())
