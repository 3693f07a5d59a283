// What a chat bot says of a build: at its end its result and where to look, in one short line.

#include "campanile.h"

#include <stdlib.h>

static string line(types_build_t *build) {
  text out = {0};
  text_add(&out, build->id.builder);
  text_add_literal(&out, " #");
  text_add_integer(&out, build->id.number);
  text_add_literal(&out, ": ");
  text_add_literal(&out, result_word(build->results.val));
  option_string url = build_url(build);
  if (url.is_some) {
    text_add_literal(&out, " ");
    text_add(&out, url.val);
  }
  return text_view(&out);
}

// The lines to say. What begins is told as usual; an empty list would say nothing.
bool exports_callback_announce(exports_callback_announcement_t *announcement, guest_list_string_t *said,
                               string *error) {
  (void)error;
  if (announcement->event != EXPORTS_CALLBACK_EVENT_FINISHED || !announcement->build.results.is_some) {
    *said = announcement->usual;
    return true;
  }
  string *lines = malloc(sizeof *lines);
  if (lines == NULL) {
    abort();
  }
  *lines = line(&announcement->build);
  *said = (guest_list_string_t){lines, 1};
  return true;
}
