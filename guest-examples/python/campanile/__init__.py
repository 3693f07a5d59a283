"""The parts of a campanile callback in Python.

`engine` and `log` talk to the engine and exist inside a component only; `escape`, `times`, `links` and `words` run
anywhere; `testing` has a made-up build and a made-up engine for tests.
"""
