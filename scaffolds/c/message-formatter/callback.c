// A short mail: what came of the build, who changed something, and the end of the log that tells why it failed.

#include "campanile.h"

// How much of the log goes into the mail.
#define LOG_LINES 20

static void add_build(text *out, string name, const types_build_t *build) {
  text_add(out, name);
  text_add_literal(out, " #");
  text_add_integer(out, build->id.number);
}

static string subject(string name, const types_build_t *build, types_results_t results) {
  text out = {0};
  text_add_literal(&out, "[");
  text_add_literal(&out, result_word(results));
  text_add_literal(&out, "] ");
  add_build(&out, name, build);
  // A header is one line.
  for (size_t i = 0; i < out.length; i++) {
    if (out.data[i] < ' ') {
      out.data[i] = ' ';
    }
  }
  return text_view(&out);
}

static void add_users(text *out, guest_list_string_t users) {
  text_add_literal(out, "Changes by: ");
  for (size_t i = 0; i < users.len; i++) {
    text_add_literal(out, i > 0 ? ", " : "");
    text_add(out, users.ptr[i]);
  }
  text_add_literal(out, "\n");
}

static bool has_failed(const types_step_t *step) {
  return step->results.is_some &&
         (step->results.val == TYPES_RESULTS_FAILURE || step->results.val == TYPES_RESULTS_EXCEPTION);
}

// Adds the last lines of the step's first log, if it has one that can be read.
static void add_log_end(text *out, types_build_t *build, types_step_t *step) {
  string tail;
  status_log_error_t error;
  if (step->logs.len == 0 ||
      !status_log_tail(&build->id, &step->name, &step->logs.ptr[0].name, LOG_LINES, &tail, &error)) {
    return;
  }
  text_add_literal(out, "\n");
  text_add(out, step->logs.ptr[0].name);
  text_add_literal(out, " of step ");
  text_add(out, step->name);
  text_add_literal(out, " ends with:\n\n");
  text_add(out, tail);
  text_add_literal(out, "\n");
}

static string body(string name, types_build_t *build, types_results_t results) {
  text out = {0};
  add_build(&out, name, build);
  text_add_literal(&out, ": ");
  text_add_literal(&out, result_word(results));
  text_add_literal(&out, "\n");
  option_string url = build_url(build);
  if (url.is_some) {
    text_add(&out, url.val);
    text_add_literal(&out, "\n");
  }
  add_users(&out, build->responsible_users);
  for (size_t i = 0; i < build->steps.len; i++) {
    if (has_failed(&build->steps.ptr[i])) {
      add_log_end(&out, build, &build->steps.ptr[i]);
      break;
    }
  }
  return text_view(&out);
}

// The mail about one build.
bool exports_callback_format_message(exports_callback_mode_t mode, string *name, exports_callback_build_t *build,
                                     exports_callback_results_t results, exports_callback_message_t *message,
                                     string *error) {
  (void)mode, (void)error;
  *message = (exports_callback_message_t){
      .subject = {.is_some = true, .val = subject(*name, build, results)},
      .body = body(*name, build, results),
      .kind = EXPORTS_CALLBACK_KIND_PLAIN,
  };
  return true;
}
