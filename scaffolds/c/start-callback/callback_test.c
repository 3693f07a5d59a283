// Words about made-up builds.

#include "testing.h"

static option_string announced(void) {
  types_build_t build = a_build(TYPES_RESULTS_SUCCESS);
  string builder = literal("linux"), error = {0};
  option_string said = {0};
  check(exports_callback_announce_start(&builder, &build, NULL, &said, &error), "there is an answer");
  return said;
}

int main(void) {
  engine_url = some("https://ci.example/7");
  check_text(announced().val, "linux #7 has started: https://ci.example/7", "the start says where to look");
  engine_url.is_some = false;
  check(!announced().is_some, "without an address nothing is said");
  return finish();
}
