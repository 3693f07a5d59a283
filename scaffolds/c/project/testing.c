// A made-up engine and build for tests, and checks that report in TAP.

#include "testing.h"

#include <stdio.h>

option_string engine_url;
option_string engine_log;
status_list_build_t engine_builds;

bool status_url_for(status_build_id_t *build, string *url) {
  (void)build;
  *url = engine_url.val;
  return engine_url.is_some;
}

bool status_log_tail(status_build_id_t *build, string *step, string *log, uint32_t lines, string *tail,
                     status_log_error_t *error) {
  (void)build, (void)step, (void)log, (void)lines;
  *tail = engine_log.val;
  *error = (status_log_error_t){STATUS_LOG_ERROR_NOT_FOUND};
  return engine_log.is_some;
}

void status_recent_builds(status_build_id_t *before, uint32_t limit, status_list_build_t *builds) {
  (void)before;
  *builds = engine_builds;
  if (builds->len > limit) {
    builds->len = limit;
  }
}

void logging_log(logging_level_t level, string *message) {
  fprintf(stderr, "%d %.*s\n", level, (int)message->len, (const char *)message->ptr);
}

option_string some(const char *value) {
  return (option_string){.is_some = true, .val = literal(value)};
}

types_build_t a_build(types_results_t results) {
  static string users[2];
  static types_log_summary_t log;
  static types_step_t steps[2];
  users[0] = literal("alice");
  users[1] = literal("bob");
  log = (types_log_summary_t){.name = literal("stdio"), .lines = 2, .bytes = 16};
  steps[0] = (types_step_t){.name = literal("git"), .results = {true, TYPES_RESULTS_SUCCESS}, .logs = {&log, 1}};
  steps[1] = (types_step_t){.name = literal("make all"), .results = {true, results}, .logs = {&log, 1}};
  return (types_build_t){
      .id = {literal("linux"), 7},
      .results = {true, results},
      .responsible_users = {users, LENGTH(users)},
      .steps = {steps, LENGTH(steps)},
  };
}

static int tests, failures;

void check(bool passed, const char *name) {
  tests++;
  failures += !passed;
  printf("%sok %d - %s\n", passed ? "" : "not ", tests, name);
}

void check_text(string have, const char *want, const char *name) {
  bool passed = string_equals(have, literal(want));
  check(passed, name);
  if (!passed) {
    printf("# want: %s\n# have: %.*s\n", want, (int)have.len, (const char *)have.ptr);
  }
}

int finish(void) {
  printf("1..%d\n", tests);
  return failures > 0;
}
