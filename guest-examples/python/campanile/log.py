"""Python's own `logging`, written to the tenant's callback log.

`print` and tracebacks get there too: the engine takes what a component writes to its standard output and error.
"""

import logging

from wit_world.imports import logging as engine


class EngineHandler(logging.Handler):
    """Hands each record to the engine, with its level."""

    def emit(self, record):
        engine.log(_level(record.levelno), self.format(record))


def use_engine():
    """Makes the engine the one place where log records go."""
    logging.basicConfig(handlers=[EngineHandler()], level=logging.DEBUG, format="%(message)s", force=True)


def _level(number):
    if number >= logging.ERROR:
        return engine.Level.ERROR
    if number >= logging.WARNING:
        return engine.Level.WARN
    if number >= logging.INFO:
        return engine.Level.INFO
    return engine.Level.DEBUG
