// Lines about made-up builds.

#include "testing.h"

static guest_list_string_t said(exports_callback_event_t event) {
  string usual = literal("as usual"), error = {0};
  exports_callback_announcement_t announcement = {
      .event = event,
      .contact = literal("#ci"),
      .build = a_build(TYPES_RESULTS_FAILURE),
      .usual = {&usual, 1},
  };
  guest_list_string_t lines;
  check(exports_callback_announce(&announcement, &lines, &error), "there is an answer");
  check(lines.len == 1, "it is one line");
  return lines;
}

int main(void) {
  engine_url = some("https://ci.example/7");
  check_text(said(EXPORTS_CALLBACK_EVENT_FINISHED).ptr[0], "linux #7: failure https://ci.example/7",
             "the end is one short line");
  check_text(said(EXPORTS_CALLBACK_EVENT_STARTED).ptr[0], "as usual", "a start is told as usual");
  return finish();
}
