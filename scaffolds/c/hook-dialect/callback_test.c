// Made-up requests of a script.

#include "testing.h"

static exports_callback_rejection_t rejection;

static bool parse(guest_tuple2_string_string_t *query, size_t count, exports_callback_parsed_t *parsed) {
  exports_callback_hook_request_t request = {.method = literal("POST"), .query = {query, count}};
  string options = literal("{}");
  return exports_callback_parse_request(&request, &options, parsed, &rejection);
}

int main(void) {
  guest_tuple2_string_string_t query[] = {
      {literal("who"), literal("ada")},
      {literal("revision"), literal("1f0c2d")},
      {literal("branch"), literal("main")},
      {literal("when"), literal("1774000000")},
  };
  exports_callback_parsed_t parsed = {0};
  check(parse(query, LENGTH(query), &parsed) && parsed.changes.len == 1, "a request makes a change");
  types_change_t change = parsed.changes.ptr[0];
  check_text(change.who, "ada", "the author is told");
  check_text(change.revision.val, "1f0c2d", "the revision is told");
  check_text(change.branch.val, "main", "the branch is told");
  check(change.when == 1774000000, "the time is told");

  check(!parse(query, 1, &parsed) && rejection.status == 400, "what is no change is refused");
  check_text(rejection.message, "there is no parameter `revision`", "what is missing is named");
  return finish();
}
