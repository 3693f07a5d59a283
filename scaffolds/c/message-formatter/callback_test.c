// Mails about made-up builds.

#include "testing.h"

static exports_callback_message_t mail(types_results_t results) {
  types_build_t build = a_build(results);
  string name = literal("linux"), error = {0};
  exports_callback_message_t message = {0};
  check(exports_callback_format_message(0, &name, &build, results, &message, &error), "the mail is made");
  return message;
}

int main(void) {
  engine_url = some("https://ci.example/7");
  engine_log = some("line 1\nline <2>");
  exports_callback_message_t failure = mail(TYPES_RESULTS_FAILURE);
  check_text(failure.subject.val, "[failure] linux #7", "the subject says what failed");
  check_text(failure.body,
             "linux #7: failure\nhttps://ci.example/7\nChanges by: alice, bob\n"
             "\nstdio of step make all ends with:\n\nline 1\nline <2>\n",
             "a failure is told with the end of its log");

  engine_url.is_some = false;
  check_text(mail(TYPES_RESULTS_SUCCESS).body, "linux #7: success\nChanges by: alice, bob\n", "a success needs no log");

  engine_log.is_some = false;
  check_text(mail(TYPES_RESULTS_FAILURE).body, "linux #7: failure\nChanges by: alice, bob\n",
             "a log that cannot be read is left out");
  return finish();
}
