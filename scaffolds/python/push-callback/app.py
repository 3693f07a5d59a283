"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log
from wit_world import exports
from wit_world.exports.push_callback import HttpRequest, Pushed

log.use_engine()


class PushCallback(exports.PushCallback):
    def push_packets(self, packets):
        consumed, requests = callback.push(packets)
        return Pushed(consumed, [HttpRequest(**fields) for fields in requests])
