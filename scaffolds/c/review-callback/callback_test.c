// Reviews of made-up builds.

#include "testing.h"

static exports_callback_option_review_t reviewed(types_results_t results) {
  types_build_t build = a_build(results);
  string builder = literal("linux"), error = {0};
  exports_callback_option_review_t review = {0};
  check(exports_callback_review_build(&builder, &build, results, NULL, &review, &error), "there is an answer");
  return review;
}

int main(void) {
  engine_url = some("https://ci.example/7");
  exports_callback_option_review_t review = reviewed(TYPES_RESULTS_FAILURE);
  check_text(review.val.message, "linux: failure\nhttps://ci.example/7", "a failure is told");
  check(review.val.labels.len == 1 && review.val.labels.ptr[0].score == -1, "a failure is voted down");
  check_text(review.val.labels.ptr[0].name, "Verified", "the label is voted on");
  check(!reviewed(TYPES_RESULTS_RETRY).is_some, "what is tried again is not reviewed");
  return finish();
}
