"""The component: hands the engine's call to `callback`."""

import callback
from campanile import log, words
from campanile.engine import Engine
from wit_world import exports
from wit_world.imports.reviews import Label, Review

log.use_engine()


class ReviewCallback(exports.ReviewCallback):
    def review_build(self, builder, build, results, arg):
        review = callback.review(builder, build, words.result(results), Engine())
        if review is None:
            return None
        message, score = review
        return Review(message, [Label(callback.LABEL, score)])
