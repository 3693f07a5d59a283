"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log
from wit_world import exports

log.use_engine()


class EmailLookup(exports.EmailLookup):
    def get_address(self, user):
        return callback.find(user)
