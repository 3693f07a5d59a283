"""Results in the words that Buildbot's users know."""


def result(results):
    """`success`, `warnings`, `failure`, `skipped`, `exception`, `retry` or `cancelled`."""
    return results.name.lower()
