// The previous build is the newest earlier one of the same branch: a broken branch says nothing about another.

#include "campanile.h"

// How many builds are looked at; the engine gives no more at once.
#define LOOKED_AT 100

// The branch of the first source stamp, if there is one.
static option_string branch(const types_build_t *build) {
  return build->source_stamps.len > 0 ? build->source_stamps.ptr[0].branch : (option_string){0};
}

static bool is_same(option_string a, option_string b) {
  return a.is_some == b.is_some && (!a.is_some || string_equals(a.val, b.val));
}

// The build to compare with, if there is one.
bool exports_callback_get_previous_build(exports_callback_build_t *build, exports_callback_option_build_id_t *previous,
                                         string *error) {
  (void)error;
  *previous = (exports_callback_option_build_id_t){0};
  status_list_build_t earlier;
  status_recent_builds(&build->id, LOOKED_AT, &earlier);
  for (size_t i = 0; i < earlier.len && !previous->is_some; i++) {
    if (is_same(branch(&earlier.ptr[i]), branch(build))) {
      *previous = (exports_callback_option_build_id_t){.is_some = true, .val = earlier.ptr[i].id};
    }
  }
  return true;
}
