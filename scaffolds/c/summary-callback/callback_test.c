// Summaries of made-up builds.

#include "testing.h"

static exports_callback_option_review_t summary(exports_callback_build_info_t *builds, size_t count) {
  exports_callback_list_build_info_t list = {builds, count};
  exports_callback_option_review_t review = {0};
  string error = {0};
  check(exports_callback_summarize(&list, TYPES_RESULTS_FAILURE, NULL, &review, &error), "there is an answer");
  return review;
}

int main(void) {
  exports_callback_build_info_t builds[] = {
      {.name = literal("linux"),
       .results = TYPES_RESULTS_SUCCESS,
       .results_text = literal("success"),
       .url = some("https://ci.example/7")},
      {.name = literal("windows"), .results = TYPES_RESULTS_FAILURE, .results_text = literal("failure")},
  };
  exports_callback_option_review_t both = summary(builds, 2);
  check_text(both.val.message, "[+] linux: success https://ci.example/7\n[-] windows: failure",
             "each builder has a line");
  check(both.val.labels.ptr[0].score == -1, "one bad build decides");
  check(summary(builds, 1).val.labels.ptr[0].score == 1, "good builds are voted for");
  check(!summary(builds, 0).is_some, "without builds there is no review");
  return finish();
}
