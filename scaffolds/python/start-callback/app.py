"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log
from campanile.engine import Engine
from wit_world import exports

log.use_engine()


class StartCallback(exports.StartCallback):
    def announce_start(self, builder, build, arg):
        return callback.announce(builder, build, Engine())
