// The mail about two made-up builds, byte for byte, and the parts that are easily got wrong. Reports in TAP.

#include "campanile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tests, failures;

static void check(bool passed, const char *name) {
  tests++;
  failures += !passed;
  printf("%sok %d - %s\n", passed ? "" : "not ", tests, name);
}

static void check_text(string have, string want, const char *name) {
  check(string_equals(have, want), name);
  if (!string_equals(have, want)) {
    printf("# want: %.*s\n# have: %.*s\n", (int)want.len, (const char *)want.ptr, (int)have.len, (const char *)have.ptr);
  }
}

// The engine, as far as the mail asks it.

static bool log_is_readable;

bool status_url_for(status_build_id_t *build, string *url) {
  text out = {0};
  text_add_literal(&out, "https://ci.example/builders/");
  text_add(&out, build->builder);
  text_add_literal(&out, build->number == 7 ? "/builds/7" : "/builds/?");
  *url = text_view(&out);
  return true;
}

bool status_log_tail(status_build_id_t *build, string *step, string *log, uint32_t lines, string *tail,
                     status_log_error_t *error) {
  (void)build, (void)step, (void)log;
  if (!log_is_readable) {
    *error = (status_log_error_t){STATUS_LOG_ERROR_TOO_LARGE};
    return false;
  }
  text out = {0};
  char line[16];
  for (uint32_t n = 101 - lines; n < 100; n++) {
    snprintf(line, sizeof line, "line %u\n", n);
    text_add_literal(&out, line);
  }
  text_add_literal(&out, "line <100>");
  *tail = text_view(&out);
  return true;
}

void logging_log(logging_level_t level, string *message) {
  fprintf(stderr, "%d %.*s\n", level, (int)message->len, (const char *)message->ptr);
}

// The made-up builds.

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static option_string some(const char *value) {
  return (option_string){.is_some = true, .val = literal(value)};
}

static types_change_t a_change(string *files, size_t count) {
  return (types_change_t){
      .who = literal("Alice <alice@example.org>"),
      .when = 1397948626.0,
      .files = {files, count},
      .comments = literal("fix <b> & c"),
      .repository = literal("git://x/y"),
      .project = literal("quad"),
  };
}

static types_source_stamp_t a_stamp(types_change_t *changes, size_t count) {
  return (types_source_stamp_t){
      .branch = some("main"),
      .revision = some("abc123"),
      .patch = {.is_some = true, .val = {.level = 1, .author = literal("bob"), .comment = literal("try <this>")}},
      .changes = {changes, count},
  };
}

static types_step_t a_step(const char *name, types_log_summary_t *log) {
  *log = (types_log_summary_t){.name = literal("stdio"), .lines = 100, .bytes = 800};
  return (types_step_t){.name = literal(name), .logs = {log, 1}};
}

static exports_formatter_message_t format(types_build_t *build, types_results_t results) {
  string name = literal("linux"), error = {0};
  exports_formatter_message_t message;
  check(exports_formatter_format_message(EXPORTS_FORMATTER_MODE_FAILING, &name, build, results, &message, &error),
        "the mail is made");
  return message;
}

static string file(const char *path) {
  FILE *from = fopen(path, "rb");
  if (from == NULL) {
    perror(path);
    exit(1);
  }
  text out = {0};
  text_reserve(&out, 1 << 16);
  out.length = fread(out.data, 1, out.capacity, from);
  fclose(from);
  return text_view(&out);
}

static void check_mail(exports_formatter_message_t mail, const char *html, const char *plain) {
  check_text(mail.body, file(html), "the html body is as expected");
  check(mail.alternative.is_some, "there is a plain-text twin");
  check_text(mail.alternative.val, file(plain), "the plain-text twin is as expected");
  check(mail.kind == EXPORTS_FORMATTER_KIND_HTML, "the mail is html");
  check(!mail.subject.is_some && mail.headers.len == 0, "subject and headers are left to the settings");
}

static void test_failure(void) {
  log_is_readable = true;
  string users[] = {literal("alice"), literal("bob")};
  string files[] = {literal("b.c"), literal("a.c")};
  types_change_t change = a_change(files, LENGTH(files));
  types_source_stamp_t stamp = a_stamp(&change, 1);
  types_log_summary_t logs[2];
  types_step_t steps[] = {a_step("git", &logs[0]), a_step("make all", &logs[1])};
  types_build_t build = {
      .id = {literal("linux"), 7},
      .reason = literal("scheduler 'a'\nsecond line"),
      .worker = literal("w1"),
      .responsible_users = {users, LENGTH(users)},
      .source_stamps = {&stamp, 1},
      .steps = {steps, LENGTH(steps)},
  };
  check_mail(format(&build, TYPES_RESULTS_FAILURE), EXPECTED "/failure.html", EXPECTED "/failure.txt");
}

static void test_odd(void) {
  log_is_readable = false;
  string files[] = {literal("b"),  literal("a"), literal("\xc3\xa9"), literal("B"),
                    literal("ab"), literal("a"), literal("")};
  types_change_t changes[] = {a_change(files, LENGTH(files)), a_change(NULL, 0)};
  changes[0].when = NAN;
  changes[0].comments = (string){(uint8_t *)"12345678<&>\"'9\0", 15};
  changes[1].when = 253402300799.5;
  types_source_stamp_t stamps[] = {a_stamp(NULL, 0), a_stamp(changes, LENGTH(changes))};
  stamps[0].codebase = literal("lib<");
  stamps[0].branch = some("");
  stamps[0].revision = some("");
  stamps[0].patch.is_some = false;
  stamps[1].branch = some("b&b");
  stamps[1].revision.is_some = false;
  stamps[1].patch.val.comment = literal("");
  types_log_summary_t logs[2];
  types_step_t steps[] = {a_step("a/b~ \xc3\xa9%", &logs[0]), a_step("make all", &logs[1])};
  logs[1].name = literal("stdio.txt");
  types_build_t build = {
      .id = {literal("linux"), 7},
      .url = some("HTTPS://ci.example/b//"),
      .reason = literal("a&b\r\n\t\"q\" '\xc3\xa9' \xf0\x9f\x94\x94"),
      .source_stamps = {stamps, LENGTH(stamps)},
      .steps = {steps, LENGTH(steps)},
  };
  check_mail(format(&build, TYPES_RESULTS_CANCELLED), EXPECTED "/odd.html", EXPECTED "/odd.txt");
}

static void test_unsafe_url(void) {
  types_build_t build = {.url = some("javascript:alert(1)")};
  string body = format(&build, TYPES_RESULTS_SUCCESS).body;
  char *ended = calloc(body.len + 1, 1);
  memcpy(ended, body.ptr, body.len);
  check(strstr(ended, "<td>javascript:alert(1)</td>") != NULL, "an address that is none of the web is shown");
  check(strstr(ended, "<a href") == NULL, "an address that is none of the web is no link");
}

static void check_time(double when, const char *want) {
  text out = {0};
  text_add_time(&out, when);
  check_text(text_view(&out), literal(want), want);
}

static void test_times(void) {
  check_time(0, "Thu 01 Jan 1970 00:00:00");
  check_time(951782400.9, "Tue 29 Feb 2000 00:00:00");
  check_time(1735689599, "Tue 31 Dec 2024 23:59:59");
  check_time(INFINITY, "?");
  check_time(-1, "?");
  check_time(1e18, "?");
}

int main(void) {
  test_failure();
  test_odd();
  test_unsafe_url();
  test_times();
  printf("1..%d\n", tests);
  return failures > 0;
}
