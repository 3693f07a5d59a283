// Addresses of made-up users.

#include "testing.h"

static option_string found(const char *user) {
  string name = literal(user), error = {0};
  option_string address = {0};
  check(exports_callback_get_address(&name, &address, &error), user);
  return address;
}

int main(void) {
  check_text(found("bob").val, "robert@example.com", "the table comes first");
  check(!found("build-bot").is_some, "a robot gets no mail");
  check_text(found("Ada").val, "ada@example.org", "others are found by rule");
  check_text(found("Alice <alice@lists.example.org>").val, "alice@lists.example.org", "an address is taken as it is");
  check(!found("nobody at all").is_some, "what is no name has no address");
  return finish();
}
