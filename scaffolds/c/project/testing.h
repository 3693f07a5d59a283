// A made-up engine and build for tests, and checks that report in TAP.
#ifndef TESTING_H
#define TESTING_H

#include "campanile.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

// What the engine answers, whatever build or log it is asked for; a test sets it.
extern option_string engine_url;
extern option_string engine_log;
extern status_list_build_t engine_builds;

option_string some(const char *value);
// Build 7 of `linux`, by alice and bob, with the steps `git` and `make all`, which has this result.
types_build_t a_build(types_results_t results);

void check(bool passed, const char *name);
void check_text(string have, const char *want, const char *name);
// Ends the report; the program's exit code.
int finish(void);

#endif
