// The html mail: result, worker, links, reason, source, blamelist, changes, and the end of the last `stdio` log.

#include "campanile.h"

// How much of the log is shown; the headings say it too.
#define LOG_LINES 80

// The end of one log.
typedef struct {
  bool exists;
  string label;
  option_string url;
  string text;
} log_end;

// What both bodies say, gathered once.
typedef struct {
  const types_build_t *build;
  string result;
  option_string url;
  string source;
  string blamelist;
  log_end log;
} mail_parts;

static string upper_case(const char *word) {
  text out = {0};
  text_add_literal(&out, word);
  for (size_t i = 0; i < out.length; i++) {
    out.data[i] -= 'a' - 'A';
  }
  return text_view(&out);
}

static bool is_filled(option_string value) {
  return value.is_some && value.val.len > 0;
}

// `CODEBASE: [branch B] REV-or-HEAD (plus patch) (PATCH COMMENT)`, without the parts that are absent.
static void add_stamp(text *out, const types_source_stamp_t *stamp) {
  if (stamp->codebase.len > 0) {
    text_add(out, stamp->codebase);
    text_add_literal(out, ": ");
  }
  if (is_filled(stamp->branch)) {
    text_add_literal(out, "[branch ");
    text_add(out, stamp->branch.val);
    text_add_literal(out, "] ");
  }
  text_add(out, is_filled(stamp->revision) ? stamp->revision.val : literal("HEAD"));
  if (stamp->patch.is_some) {
    text_add_literal(out, " (plus patch)");
    if (stamp->patch.val.comment.len > 0) {
      text_add_literal(out, " (");
      text_add(out, stamp->patch.val.comment);
      text_add_literal(out, ")");
    }
  }
}

static string source_of(const types_build_t *build) {
  text out = {0};
  for (size_t i = 0; i < build->source_stamps.len; i++) {
    text_add_literal(&out, i > 0 ? ", " : "");
    add_stamp(&out, &build->source_stamps.ptr[i]);
  }
  return text_view(&out);
}

static string join(guest_list_string_t list, const char *separator) {
  text out = {0};
  for (size_t i = 0; i < list.len; i++) {
    text_add_literal(&out, i > 0 ? separator : "");
    text_add(&out, list.ptr[i]);
  }
  return text_view(&out);
}

static log_end read_end(types_build_t *build, option_string build_url, types_step_t *step, types_log_summary_t *log) {
  text label = {0};
  text_add(&label, step->name);
  text_add_literal(&label, ".");
  text_add(&label, log->name);
  log_end end = {.exists = true, .label = text_view(&label), .url = log_url(build_url, step->name, log)};
  status_log_error_t error;
  if (!status_log_tail(&build->id, &step->name, &log->name, LOG_LINES, &end.text, &error)) {
    end.text = literal("(the log cannot be read)");
  }
  return end;
}

static log_end last_stdio(types_build_t *build, option_string build_url) {
  for (size_t s = build->steps.len; s-- > 0;) {
    types_step_t *step = &build->steps.ptr[s];
    for (size_t l = step->logs.len; l-- > 0;) {
      types_log_summary_t *log = &step->logs.ptr[l];
      if (string_equals(log->name, literal("stdio"))) {
        return read_end(build, build_url, step, log);
      }
    }
  }
  return (log_end){.exists = false};
}

static mail_parts gather(types_build_t *build, types_results_t results) {
  for (size_t s = 0; s < build->source_stamps.len; s++) {
    types_list_change_t changes = build->source_stamps.ptr[s].changes;
    for (size_t c = 0; c < changes.len; c++) {
      sort_files(&changes.ptr[c]);
    }
  }
  option_string url = build_url(build);
  return (mail_parts){
      .build = build,
      .result = upper_case(result_word(results)),
      .url = url,
      .source = source_of(build),
      .blamelist = join(build->responsible_users, ","),
      .log = last_stdio(build, url),
  };
}

static void add_bold(text *out, string value) {
  text_add_literal(out, "<b>");
  text_add_html(out, value);
  text_add_literal(out, "</b>");
}

static bool starts_with_ignoring_case(string value, const char *lower) {
  string start = literal(lower);
  if (value.len < start.len) {
    return false;
  }
  for (size_t i = 0; i < start.len; i++) {
    uint8_t byte = value.ptr[i];
    if (byte >= 'A' && byte <= 'Z') {
      byte += 'a' - 'A';
    }
    if (byte != start.ptr[i]) {
      return false;
    }
  }
  return true;
}

// A link for web addresses; anything else, such as `javascript:`, is shown as text.
static void add_link(text *out, string url) {
  if (!starts_with_ignoring_case(url, "http://") && !starts_with_ignoring_case(url, "https://")) {
    text_add_html(out, url);
    return;
  }
  text_add_literal(out, "<a href=\"");
  text_add_html(out, url);
  text_add_literal(out, "\">");
  text_add_html(out, url);
  text_add_literal(out, "</a>");
}

static void add_row(text *out, const char *label, string value, void (*add_value)(text *, string)) {
  text_add_literal(out, "<tr><td>");
  text_add_literal(out, label);
  text_add_literal(out, "</td><td>");
  add_value(out, value);
  text_add_literal(out, "</td></tr>\n");
}

static string time_of(const types_change_t *change) {
  text out = {0};
  text_add_time(&out, change->when);
  return text_view(&out);
}

static void add_change(text *out, const types_change_t *change) {
  text_add_literal(out, "<table cellspacing=\"10\">\n");
  add_row(out, "Repository:", change->repository, text_add_html);
  add_row(out, "Project:", change->project, text_add_html);
  add_row(out, "Time:", time_of(change), text_add_html);
  add_row(out, "Changed by:", change->who, text_add_html);
  add_row(out, "Comments:", change->comments, text_add_html);
  text_add_literal(out, "<tr><td>Files:</td><td>");
  for (size_t i = 0; i < change->files.len; i++) {
    text_add_literal(out, i > 0 ? "<br>" : "");
    text_add_html(out, change->files.ptr[i]);
  }
  text_add_literal(out, "</td></tr>\n</table>\n");
}

static void add_log(text *out, const log_end *log) {
  if (log->url.is_some) {
    text_add_literal(out, "<i>Detailed log of last build step:</i> ");
    add_link(out, log->url.val);
    text_add_literal(out, "<br>\n");
  }
  text_add_literal(out, "<h4>Last 80 lines of &quot;");
  text_add_html(out, log->label);
  text_add_literal(out, "&quot;</h4>\n<pre>\n");
  text_add_html(out, log->text);
  text_add_literal(out, "\n</pre>\n");
}

static string html(const mail_parts *parts) {
  const types_build_t *build = parts->build;
  text out = {0};
  text_reserve(&out, 4096 + parts->log.text.len + parts->log.text.len / 8);
  text_add_literal(&out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n<h4>Build status: ");
  text_add_html(&out, parts->result);
  text_add_literal(&out, "</h4>\n<table cellspacing=\"10\">\n");
  add_row(&out, "Worker for this Build:", build->worker, add_bold);
  if (parts->url.is_some) {
    add_row(&out, "Complete logs for all build steps:", parts->url.val, add_link);
  }
  add_row(&out, "Build Reason:", build->reason, text_add_html);
  if (parts->source.len > 0) {
    add_row(&out, "Build Source Stamp:", parts->source, add_bold);
  }
  add_row(&out, "Blamelist:", parts->blamelist, text_add_html);
  text_add_literal(&out, "</table>\n");
  for (size_t s = 0; s < build->source_stamps.len; s++) {
    types_list_change_t changes = build->source_stamps.ptr[s].changes;
    text_add_literal(&out, changes.len > 0 ? "<h4>Recent Changes:</h4>\n" : "");
    for (size_t c = 0; c < changes.len; c++) {
      add_change(&out, &changes.ptr[c]);
    }
  }
  if (parts->log.exists) {
    add_log(&out, &parts->log);
  }
  text_add_literal(&out, "<br><br>\n<b>-The Buildbot</b>\n</body></html>\n");
  return text_view(&out);
}

static void add_line(text *out, const char *label, string value) {
  text_add_literal(out, label);
  text_add(out, value);
  text_add_literal(out, "\n");
}

static string plain(const mail_parts *parts) {
  const types_build_t *build = parts->build;
  text out = {0};
  text_reserve(&out, 2048 + parts->log.text.len);
  add_line(&out, "Build status: ", parts->result);
  add_line(&out, "Worker for this Build: ", build->worker);
  if (parts->url.is_some) {
    add_line(&out, "Complete logs for all build steps: ", parts->url.val);
  }
  add_line(&out, "Build Reason: ", build->reason);
  if (parts->source.len > 0) {
    add_line(&out, "Build Source Stamp: ", parts->source);
  }
  add_line(&out, "Blamelist: ", parts->blamelist);
  for (size_t s = 0; s < build->source_stamps.len; s++) {
    types_list_change_t changes = build->source_stamps.ptr[s].changes;
    for (size_t c = 0; c < changes.len; c++) {
      const types_change_t *change = &changes.ptr[c];
      add_line(&out, "\nRepository: ", change->repository);
      add_line(&out, "Project: ", change->project);
      add_line(&out, "Time: ", time_of(change));
      add_line(&out, "Changed by: ", change->who);
      add_line(&out, "Comments: ", change->comments);
      add_line(&out, "Files: ", join(change->files, " "));
    }
  }
  if (parts->log.exists) {
    add_line(&out, "\nLast 80 lines of ", parts->log.label);
    if (parts->log.url.is_some) {
      add_line(&out, "", parts->log.url.val);
    }
    add_line(&out, "\n", parts->log.text);
  }
  add_line(&out, "\n", literal("-The Buildbot"));
  return text_view(&out);
}

// The callback: an html body with a plain-text twin; the subject is left to the settings.
bool exports_formatter_format_message(exports_formatter_mode_t mode, string *name, exports_formatter_build_t *build,
                                      exports_formatter_results_t results, exports_formatter_message_t *message,
                                      string *error) {
  (void)mode, (void)name, (void)error;
  mail_parts parts = gather(build, results);
  *message = (exports_formatter_message_t){
      .body = html(&parts),
      .kind = EXPORTS_FORMATTER_KIND_HTML,
      .alternative = {.is_some = true, .val = plain(&parts)},
  };
  return true;
}
