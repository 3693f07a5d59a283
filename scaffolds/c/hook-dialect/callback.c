// A change hook for scripts: one change, told by the parameters of the request's address.
//
//     curl -X POST 'https://ci.example.org/change_hook/DIALECT?who=ada&revision=1f0c2d&when=1774000000'
//
// `branch`, `comments`, `repository` and `project` may be told too.

#include "campanile.h"

#include <stdlib.h>

static string owned(string value) {
  text out = {0};
  text_add(&out, value);
  return text_view(&out);
}

// The first parameter of this name.
static option_string parameter(const exports_callback_hook_request_t *request, const char *name) {
  for (size_t i = 0; i < request->query.len; i++) {
    if (string_equals(request->query.ptr[i].f0, literal(name))) {
      return (option_string){.is_some = true, .val = owned(request->query.ptr[i].f1)};
    }
  }
  return (option_string){0};
}

// Seconds since 1970, as far as they are written in digits.
static double seconds(string digits) {
  double sum = 0;
  for (size_t i = 0; i < digits.len && digits.ptr[i] >= '0' && digits.ptr[i] <= '9'; i++) {
    sum = sum * 10 + (digits.ptr[i] - '0');
  }
  return sum;
}

static bool refuse(exports_callback_rejection_t *rejection, const char *missing) {
  text message = {0};
  text_add_literal(&message, "there is no parameter `");
  text_add_literal(&message, missing);
  text_add_literal(&message, "`");
  *rejection = (exports_callback_rejection_t){.status = 400, .message = text_view(&message)};
  return false;
}

// The one change of the request; without an author or a revision it is refused.
bool exports_callback_parse_request(exports_callback_hook_request_t *request, exports_callback_json_t *options,
                                    exports_callback_parsed_t *parsed, exports_callback_rejection_t *rejection) {
  (void)options;
  option_string who = parameter(request, "who");
  option_string revision = parameter(request, "revision");
  if (!who.is_some) {
    return refuse(rejection, "who");
  }
  if (!revision.is_some) {
    return refuse(rejection, "revision");
  }
  types_change_t *change = malloc(sizeof *change);
  if (change == NULL) {
    abort();
  }
  *change = (types_change_t){
      .who = who.val,
      .revision = revision,
      .branch = parameter(request, "branch"),
      .when = seconds(parameter(request, "when").val),
      .comments = parameter(request, "comments").val,
      .repository = parameter(request, "repository").val,
      .project = parameter(request, "project").val,
  };
  *parsed = (exports_callback_parsed_t){
      .changes = {change, 1}, .src = {.is_some = true, .val = owned(literal("git"))}};
  return true;
}
