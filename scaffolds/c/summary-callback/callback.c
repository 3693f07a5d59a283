// What Gerrit is told of a whole buildset: a line for each builder, and one vote.

#include "campanile.h"

#include <stdlib.h>

// The label that is voted on.
#define LABEL "Verified"

static bool is_good(const exports_callback_build_info_t *info) {
  return info->results == TYPES_RESULTS_SUCCESS || info->results == TYPES_RESULTS_WARNINGS;
}

// Adds `[-] linux: failure https://...`.
static void add_line(text *out, const exports_callback_build_info_t *info) {
  text_add_literal(out, is_good(info) ? "[+] " : "[-] ");
  text_add(out, info->name);
  text_add_literal(out, ": ");
  text_add(out, info->results_text);
  if (info->url.is_some) {
    text_add_literal(out, " ");
    text_add(out, info->url.val);
  }
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

// One review for all builds: for the change only if every build is good.
bool exports_callback_summarize(exports_callback_list_build_info_t *builds, exports_callback_results_t results,
                                exports_callback_json_t *arg, exports_callback_option_review_t *review, string *error) {
  (void)results, (void)arg, (void)error;
  *review = (exports_callback_option_review_t){0};
  if (builds->len == 0) {
    return true;
  }
  text out = {0};
  bool all_good = true;
  for (size_t i = 0; i < builds->len; i++) {
    text_add_literal(&out, i > 0 ? "\n" : "");
    add_line(&out, &builds->ptr[i]);
    all_good = all_good && is_good(&builds->ptr[i]);
  }
  review->is_some = true;
  review->val = (reviews_review_t){text_view(&out), vote(all_good ? 1 : -1)};
  return true;
}
