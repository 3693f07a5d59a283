// Choices among made-up builds.

#include "testing.h"

static types_source_stamp_t stamps[4];

static types_build_t on_branch(types_source_stamp_t *stamp, uint64_t number, const char *branch) {
  *stamp = (types_source_stamp_t){.branch = some(branch)};
  types_build_t build = a_build(TYPES_RESULTS_SUCCESS);
  build.id.number = number;
  build.source_stamps = (types_list_source_stamp_t){stamp, 1};
  return build;
}

static exports_callback_option_build_id_t chosen(void) {
  types_build_t build = on_branch(&stamps[0], 7, "main");
  exports_callback_option_build_id_t previous = {0};
  string error = {0};
  check(exports_callback_get_previous_build(&build, &previous, &error), "there is a choice");
  return previous;
}

int main(void) {
  types_build_t earlier[] = {on_branch(&stamps[1], 6, "next"), on_branch(&stamps[2], 5, "main"),
                             on_branch(&stamps[3], 4, "main")};
  engine_builds = (status_list_build_t){earlier, LENGTH(earlier)};
  exports_callback_option_build_id_t previous = chosen();
  check(previous.is_some && previous.val.number == 5, "the newest of the same branch is taken");

  engine_builds.len = 1;
  check(!chosen().is_some, "a new branch has no previous build");
  return finish();
}
