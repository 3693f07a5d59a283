"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.hook_dialect import Parsed, Rejection
from wit_world.imports.types import Change

log.use_engine()


class HookDialect(exports.HookDialect):
    def parse_request(self, request, options):
        try:
            changes, note = callback.parse(request, options)
        except callback.Refusal as refusal:
            raise Err(Rejection(refusal.status, str(refusal)))
        return Parsed([Change(**fields) for fields in changes], "git", note)
