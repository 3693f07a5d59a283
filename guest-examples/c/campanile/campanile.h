// What callbacks in C share: a text that grows, and the parts of a message.
//
// The types come from `guest.h`, which wit-bindgen makes of the contract.
// Nothing here fails: when memory runs out, that is logged and the call ends. Nothing is freed either: an instance
// lives for one call, and its memory goes with it.
#ifndef CAMPANILE_H
#define CAMPANILE_H

#include "guest.h"

typedef guest_string_t string;
typedef guest_option_string_t option_string;

// The string of a C literal, without a copy.
string literal(const char *text);
bool string_equals(string a, string b);

// A text that grows; it starts as `{0}`.
typedef struct {
  uint8_t *data;
  size_t length, capacity;
} text;

// Makes room for `more` bytes, so that adding them does not copy what is there.
void text_reserve(text *out, size_t more);
void text_add(text *out, string part);
void text_add_literal(text *out, const char *part);
// Adds a number in decimal digits.
void text_add_integer(text *out, uint64_t number);
// Adds `part` with the five characters that mean something in html replaced.
void text_add_html(text *out, string part);
// Adds `part` as one segment of a URL's path, percent-encoded.
void text_add_segment(text *out, string part);
// Adds seconds since 1970 as `Sat 19 Apr 2014 23:03:46` in UTC; as `?` what is before 1970, after 9999 or no number.
void text_add_time(text *out, double when);
// What the text says; valid until it grows.
string text_view(const text *from);

// `success`, `warnings`, `failure`, `skipped`, `exception`, `retry` or `cancelled`.
const char *result_word(types_results_t results);

// Address of the build's page: the feed's own, else the engine's.
option_string build_url(types_build_t *build);
// Address of a log's page: the feed's own, else one below the build's.
option_string log_url(option_string build_url, string step, const types_log_summary_t *log);

// Puts the files of a change in order of name.
void sort_files(types_change_t *change);

#endif
