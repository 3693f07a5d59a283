// What Gerrit is told when a build begins: which one, and where it can be watched.

#include "campanile.h"

// A word at the start of a build; none for a build that nobody could watch.
bool exports_callback_announce_start(string *builder, exports_callback_build_t *build, exports_callback_json_t *arg,
                                     option_string *said, string *error) {
  (void)arg, (void)error;
  *said = (option_string){0};
  option_string url = build_url(build);
  if (url.is_some) {
    text out = {0};
    text_add(&out, *builder);
    text_add_literal(&out, " #");
    text_add_integer(&out, build->id.number);
    text_add_literal(&out, " has started: ");
    text_add(&out, url.val);
    *said = (option_string){.is_some = true, .val = text_view(&out)};
  }
  return true;
}
