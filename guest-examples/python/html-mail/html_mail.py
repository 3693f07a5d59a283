"""The html mail: result, worker, links, reason, source, blamelist, changes, and the end of the last `stdio` log."""

import logging
from typing import NamedTuple

from campanile import links, times, words
from campanile.escape import html as escape

LOG_LINES = 80


class Mail(NamedTuple):
    """One mail, told twice."""

    html: str
    text: str


class LogEnd(NamedTuple):
    """The end of one log."""

    label: str
    url: str | None
    text: str


class Parts(NamedTuple):
    """What both tellings say, gathered once."""

    result: str
    url: str | None
    source: str
    blamelist: str
    log: LogEnd | None


def render(build, results, status):
    """The mail about a build; `status` answers questions as `campanile.engine.Engine` does."""
    url = links.build_url(build, status)
    parts = Parts(
        result=words.result(results).upper(),
        url=url,
        source=", ".join(stamp_text(stamp) for stamp in build.source_stamps),
        blamelist=",".join(build.responsible_users),
        log=last_stdio(build, url, status),
    )
    return Mail(html="".join(html_parts(build, parts)), text="".join(text_parts(build, parts)))


def stamp_text(stamp):
    """`CODEBASE: [branch B] REV-or-HEAD (plus patch) (PATCH COMMENT)`, without the parts that are absent."""
    text = f"{stamp.codebase}: " if stamp.codebase else ""
    if stamp.branch:
        text += f"[branch {stamp.branch}] "
    text += stamp.revision or "HEAD"
    if stamp.patch is not None:
        text += " (plus patch)"
        if stamp.patch.comment:
            text += f" ({stamp.patch.comment})"
    return text


def last_stdio(build, build_url, status):
    """The end of the last log named `stdio`, or None without such a log."""
    found = [(step, log) for step in build.steps for log in step.logs if log.name == "stdio"]
    if not found:
        return None
    step, log = found[-1]
    label = f"{step.name}.{log.name}"
    text = status.log_tail(build.id, step.name, log.name, LOG_LINES)
    if text is None:
        logging.warning("the log `%s` cannot be read", label)
        text = "(the log cannot be read)"
    return LogEnd(label, links.log_url(build_url, step, log), text)


def html_parts(build, parts):
    yield '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n'
    yield f'<h4>Build status: {escape(parts.result)}</h4>\n<table cellspacing="10">\n'
    yield row("Worker for this Build:", f"<b>{escape(build.worker)}</b>")
    if parts.url is not None:
        yield row("Complete logs for all build steps:", link(parts.url))
    yield row("Build Reason:", escape(build.reason))
    if parts.source:
        yield row("Build Source Stamp:", f"<b>{escape(parts.source)}</b>")
    yield row("Blamelist:", escape(parts.blamelist))
    yield "</table>\n"
    for stamp in build.source_stamps:
        if stamp.changes:
            yield "<h4>Recent Changes:</h4>\n"
        for change in stamp.changes:
            yield from change_html(change)
    if parts.log:
        yield from log_html(parts.log)
    yield "<br><br>\n<b>-The Buildbot</b>\n</body></html>\n"


def change_html(change):
    yield '<table cellspacing="10">\n'
    yield row("Repository:", escape(change.repository))
    yield row("Project:", escape(change.project))
    yield row("Time:", times.text(change.when))
    yield row("Changed by:", escape(change.who))
    yield row("Comments:", escape(change.comments))
    yield row("Files:", "<br>".join(escape(file) for file in sorted(change.files)))
    yield "</table>\n"


def log_html(log):
    if log.url is not None:
        yield f"<i>Detailed log of last build step:</i> {link(log.url)}<br>\n"
    yield f"<h4>Last {LOG_LINES} lines of &quot;{escape(log.label)}&quot;</h4>\n"
    yield f"<pre>\n{escape(log.text)}\n</pre>\n"


def row(label, value):
    return f"<tr><td>{label}</td><td>{value}</td></tr>\n"


def link(url):
    """A link for web addresses; anything else, such as `javascript:`, is shown as text."""
    shown = escape(url)
    return f'<a href="{shown}">{shown}</a>' if links.is_web(url) else shown


def text_parts(build, parts):
    yield f"Build status: {parts.result}\n"
    yield f"Worker for this Build: {build.worker}\n"
    if parts.url is not None:
        yield f"Complete logs for all build steps: {parts.url}\n"
    yield f"Build Reason: {build.reason}\n"
    if parts.source:
        yield f"Build Source Stamp: {parts.source}\n"
    yield f"Blamelist: {parts.blamelist}\n"
    for stamp in build.source_stamps:
        for change in stamp.changes:
            yield from change_text(change)
    if parts.log:
        yield f"\nLast {LOG_LINES} lines of {parts.log.label}\n"
        if parts.log.url is not None:
            yield f"{parts.log.url}\n"
        yield f"\n{parts.log.text}\n"
    yield "\n-The Buildbot\n"


def change_text(change):
    yield f"\nRepository: {change.repository}\n"
    yield f"Project: {change.project}\n"
    yield f"Time: {times.text(change.when)}\n"
    yield f"Changed by: {change.who}\n"
    yield f"Comments: {change.comments}\n"
    yield f"Files: {' '.join(sorted(change.files))}\n"
