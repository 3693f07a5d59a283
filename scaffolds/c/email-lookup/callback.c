// Mail addresses of version-control users: a table of exceptions first, then a rule.

#include "campanile.h"

// Users whose address follows no rule; NULL: no mail for this one.
static const struct {
  const char *user, *address;
} table[] = {{"bob", "robert@example.com"}, {"build-bot", NULL}};

// Where everybody else has a mailbox of the same name.
#define DOMAIN "@example.org"

static bool is_of_name(uint8_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
         byte == '.' || byte == '-' || byte == '_';
}

static bool is_name(string user) {
  for (size_t i = 0; i < user.len; i++) {
    if (!is_of_name(user.ptr[i])) {
      return false;
    }
  }
  return user.len > 0;
}

// What stands between the last `<` and a `>` at the end; empty without both.
static string own_address(string user) {
  size_t from = user.len;
  while (from > 0 && user.ptr[from - 1] != '<') {
    from--;
  }
  if (from == 0 || user.ptr[user.len - 1] != '>') {
    return (string){0};
  }
  return (string){user.ptr + from, user.len - from - 1};
}

static void add_lower_case(text *out, string part) {
  size_t from = out->length;
  text_add(out, part);
  for (size_t i = from; i < out->length; i++) {
    if (out->data[i] >= 'A' && out->data[i] <= 'Z') {
      out->data[i] += 'a' - 'A';
    }
  }
}

// The address of a user, if there is one that may get mail.
bool exports_callback_get_address(string *user, option_string *address, string *error) {
  (void)error;
  text out = {0};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (string_equals(*user, literal(table[i].user))) {
      text_add_literal(&out, table[i].address == NULL ? "" : table[i].address);
      *address = (option_string){.is_some = out.length > 0, .val = text_view(&out)};
      return true;
    }
  }
  // `Alice <a@b.org>` has its address with it.
  text_add(&out, own_address(*user));
  if (out.length == 0 && is_name(*user)) {
    add_lower_case(&out, *user);
    text_add_literal(&out, DOMAIN);
  }
  *address = (option_string){.is_some = out.length > 0, .val = text_view(&out)};
  return true;
}
