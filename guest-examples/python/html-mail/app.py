"""The component: hands the engine's call to `html_mail`."""

import html_mail
from campanile import log
from campanile.engine import Engine
from wit_world import exports
from wit_world.exports.message_formatter import Kind, Message

log.use_engine()


class MessageFormatter(exports.MessageFormatter):
    def format_message(self, mode, name, build, results):
        mail = html_mail.render(build, results, Engine())
        # No subject and no headers: both are left to the settings.
        return Message(subject=None, body=mail.html, kind=Kind.HTML, alternative=mail.text, headers=[])
