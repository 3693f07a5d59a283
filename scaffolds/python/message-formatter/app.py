"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log, words
from campanile.engine import Engine
from wit_world import exports
from wit_world.exports.message_formatter import Kind, Message

log.use_engine()


class MessageFormatter(exports.MessageFormatter):
    def format_message(self, mode, name, build, results):
        subject, body = callback.render(name, build, words.result(results), Engine())
        return Message(subject=subject, body=body, kind=Kind.PLAIN, alternative=None, headers=[])
