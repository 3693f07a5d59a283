// A text that grows, and the parts of a message.

#include "campanile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

string literal(const char *text) {
  return (string){(uint8_t *)text, strlen(text)};
}

static int compare(string a, string b) {
  size_t shorter = a.len < b.len ? a.len : b.len;
  int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
  return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool string_equals(string a, string b) {
  return compare(a, b) == 0;
}

void text_reserve(text *out, size_t more) {
  if (more <= out->capacity - out->length) {
    return;
  }
  size_t capacity = out->length + more;
  if (capacity < out->capacity * 2) {
    capacity = out->capacity * 2;
  }
  uint8_t *data = realloc(out->data, capacity);
  if (data == NULL) {
    string message = literal("out of memory");
    logging_log(LOGGING_LEVEL_ERROR, &message);
    abort();
  }
  out->data = data;
  out->capacity = capacity;
}

void text_add(text *out, string part) {
  if (part.len == 0) {
    return;
  }
  text_reserve(out, part.len);
  memcpy(out->data + out->length, part.ptr, part.len);
  out->length += part.len;
}

void text_add_literal(text *out, const char *part) {
  text_add(out, literal(part));
}

static void add_byte(text *out, uint8_t byte) {
  text_reserve(out, 1);
  out->data[out->length++] = byte;
}

void text_add_integer(text *out, uint64_t number) {
  if (number >= 10) {
    text_add_integer(out, number / 10);
  }
  add_byte(out, (uint8_t)('0' + number % 10));
}

// The replacement of a byte in html; NULL for most.
static const char *html_entity(uint8_t byte) {
  switch (byte) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  default:
    return NULL;
  }
}

void text_add_html(text *out, string part) {
  text_reserve(out, part.len);
  for (size_t i = 0; i < part.len; i++) {
    const char *entity = html_entity(part.ptr[i]);
    if (entity == NULL) {
      add_byte(out, part.ptr[i]);
    } else {
      text_add_literal(out, entity);
    }
  }
}

static bool is_unreserved(uint8_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
         byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void text_add_segment(text *out, string part) {
  static const char hex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < part.len; i++) {
    uint8_t byte = part.ptr[i];
    if (is_unreserved(byte)) {
      add_byte(out, byte);
    } else {
      add_byte(out, '%');
      add_byte(out, (uint8_t)hex[byte >> 4]);
      add_byte(out, (uint8_t)hex[byte & 15]);
    }
  }
}

// Adds a number with at least two digits. `printf` would make the component several times as large.
static void add_number(text *out, int number) {
  if (number >= 100) {
    add_number(out, number / 100);
  }
  add_byte(out, (uint8_t)('0' + number / 10 % 10));
  add_byte(out, (uint8_t)('0' + number % 10));
}

void text_add_time(text *out, double when) {
  static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const double year_10000 = 253402300800.0;
  // Written so that what is no number fails it too.
  if (!(when >= 0 && when < year_10000)) {
    add_byte(out, '?');
    return;
  }
  time_t seconds = (time_t)when;
  struct tm at;
  gmtime_r(&seconds, &at);
  text_add_literal(out, days[at.tm_wday]);
  add_byte(out, ' ');
  add_number(out, at.tm_mday);
  add_byte(out, ' ');
  text_add_literal(out, months[at.tm_mon]);
  add_byte(out, ' ');
  add_number(out, at.tm_year + 1900);
  add_byte(out, ' ');
  add_number(out, at.tm_hour);
  add_byte(out, ':');
  add_number(out, at.tm_min);
  add_byte(out, ':');
  add_number(out, at.tm_sec);
}

string text_view(const text *from) {
  return (string){from->data, from->length};
}

const char *result_word(types_results_t results) {
  static const char *const words[] = {"success",   "warnings", "failure",  "skipped",
                                      "exception", "retry",    "cancelled"};
  return words[results];
}

option_string build_url(types_build_t *build) {
  option_string url = build->url;
  if (!url.is_some) {
    url.is_some = status_url_for(&build->id, &url.val);
  }
  return url;
}

option_string log_url(option_string build_url, string step, const types_log_summary_t *log) {
  if (log->url.is_some || !build_url.is_some) {
    return log->url;
  }
  string base = build_url.val;
  while (base.len > 0 && base.ptr[base.len - 1] == '/') {
    base.len--;
  }
  text url = {0};
  text_add(&url, base);
  text_add_literal(&url, "/steps/");
  text_add_segment(&url, step);
  text_add_literal(&url, "/logs/");
  text_add_segment(&url, log->name);
  return (option_string){.is_some = true, .val = text_view(&url)};
}

static int by_name(const void *a, const void *b) {
  return compare(*(const string *)a, *(const string *)b);
}

void sort_files(types_change_t *change) {
  if (change->files.len > 0) {
    qsort(change->files.ptr, change->files.len, sizeof(string), by_name);
  }
}
