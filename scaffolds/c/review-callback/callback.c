// What Gerrit is told of a finished build: its result, where to look, and a vote.

#include "campanile.h"

#include <stdlib.h>

// The label that is voted on.
#define LABEL "Verified"

static int32_t score(types_results_t results) {
  switch (results) {
  case TYPES_RESULTS_SUCCESS:
  case TYPES_RESULTS_WARNINGS:
    return 1;
  case TYPES_RESULTS_FAILURE:
  case TYPES_RESULTS_EXCEPTION:
    return -1;
  default:
    return 0;
  }
}

static string message(string builder, types_build_t *build, types_results_t results) {
  text out = {0};
  text_add(&out, builder);
  text_add_literal(&out, ": ");
  text_add_literal(&out, result_word(results));
  option_string url = build_url(build);
  if (url.is_some) {
    text_add_literal(&out, "\n");
    text_add(&out, url.val);
  }
  return text_view(&out);
}

static reviews_list_label_t vote(int32_t score) {
  text name = {0};
  text_add_literal(&name, LABEL);
  reviews_label_t *label = malloc(sizeof *label);
  if (label == NULL) {
    abort();
  }
  *label = (reviews_label_t){.name = text_view(&name), .score = score};
  return (reviews_list_label_t){label, 1};
}

// The review of one build. A build that will be tried again gets none.
bool exports_callback_review_build(string *builder, exports_callback_build_t *build, exports_callback_results_t results,
                                   exports_callback_json_t *arg, exports_callback_option_review_t *review,
                                   string *error) {
  (void)arg, (void)error;
  *review = (exports_callback_option_review_t){0};
  if (results != TYPES_RESULTS_RETRY) {
    review->is_some = true;
    review->val = (reviews_review_t){message(*builder, build, results), vote(score(results))};
  }
  return true;
}
