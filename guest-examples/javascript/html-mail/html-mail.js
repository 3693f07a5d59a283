// The html mail: result, worker, links, reason, source, blamelist, changes, and the end of the last `stdio` log.

import { buildUrl, html as escape, isWeb, logUrl, sorted, time } from "campanile-guest";

const LOG_LINES = 80;

/** The mail about a build, told twice: `html` and `text`. `status` answers questions as the engine does. */
export function render(build, results, status) {
  const url = buildUrl(build, status);
  const parts = {
    build,
    url,
    result: results.toUpperCase(),
    source: build.sourceStamps.map(stampText).join(", "),
    blamelist: build.responsibleUsers.join(","),
    log: lastStdio(build, url, status),
  };
  return { html: htmlOf(parts), text: textOf(parts) };
}

/** `CODEBASE: [branch B] REV-or-HEAD (plus patch) (PATCH COMMENT)`, without the parts that are absent. */
export function stampText({ codebase, branch, revision, patch }) {
  return [
    codebase && `${codebase}: `,
    branch && `[branch ${branch}] `,
    revision || "HEAD",
    patch && " (plus patch)",
    patch?.comment && ` (${patch.comment})`,
  ].filter(Boolean).join("");
}

function lastStdio(build, url, status) {
  const found = build.steps.flatMap((step) => step.logs.map((log) => ({ step, log })));
  const last = found.findLast(({ log }) => log.name === "stdio");
  if (!last) return null;
  const { step, log } = last;
  const label = `${step.name}.${log.name}`;
  return { label, url: logUrl(url, step, log), text: endOf(build, step, log, label, status) };
}

function endOf(build, step, log, label, status) {
  try {
    return status.logTail(build.id, step.name, log.name, LOG_LINES);
  } catch (why) {
    // What the contract calls an error comes as the payload of a thrown one.
    console.warn(`the log \`${label}\` cannot be read: ${why.payload?.tag ?? why}`);
    return "(the log cannot be read)";
  }
}

function htmlOf({ build, url, result, source, blamelist, log }) {
  return [
    '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n',
    `<h4>Build status: ${escape(result)}</h4>\n<table cellspacing="10">\n`,
    row("Worker for this Build:", bold(build.worker)),
    url == null ? "" : row("Complete logs for all build steps:", link(url)),
    row("Build Reason:", escape(build.reason)),
    source && row("Build Source Stamp:", bold(source)),
    row("Blamelist:", escape(blamelist)),
    "</table>\n",
    ...build.sourceStamps.map(changesHtml),
    log ? logHtml(log) : "",
    "<br><br>\n<b>-The Buildbot</b>\n</body></html>\n",
  ].join("");
}

function changesHtml({ changes }) {
  return changes.length ? "<h4>Recent Changes:</h4>\n" + changes.map(changeHtml).join("") : "";
}

function changeHtml(change) {
  return [
    '<table cellspacing="10">\n',
    row("Repository:", escape(change.repository)),
    row("Project:", escape(change.project)),
    row("Time:", time(change.when)),
    row("Changed by:", escape(change.who)),
    row("Comments:", escape(change.comments)),
    row("Files:", sorted(change.files).map(escape).join("<br>")),
    "</table>\n",
  ].join("");
}

function logHtml({ label, url, text }) {
  const page = url == null ? "" : `<i>Detailed log of last build step:</i> ${link(url)}<br>\n`;
  const title = `<h4>Last ${LOG_LINES} lines of &quot;${escape(label)}&quot;</h4>\n`;
  return `${page}${title}<pre>\n${escape(text)}\n</pre>\n`;
}

function row(label, value) {
  return `<tr><td>${label}</td><td>${value}</td></tr>\n`;
}

function bold(text) {
  return `<b>${escape(text)}</b>`;
}

// Anything but a web address, such as `javascript:`, is shown as text.
function link(url) {
  return isWeb(url) ? `<a href="${escape(url)}">${escape(url)}</a>` : escape(url);
}

function textOf({ build, url, result, source, blamelist, log }) {
  const lines = [
    `Build status: ${result}`,
    `Worker for this Build: ${build.worker}`,
    ...(url == null ? [] : [`Complete logs for all build steps: ${url}`]),
    `Build Reason: ${build.reason}`,
    ...(source ? [`Build Source Stamp: ${source}`] : []),
    `Blamelist: ${blamelist}`,
    ...build.sourceStamps.flatMap(({ changes }) => changes).flatMap(changeText),
    ...(log ? logText(log) : []),
    "",
    "-The Buildbot",
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function changeText(change) {
  return [
    "",
    `Repository: ${change.repository}`,
    `Project: ${change.project}`,
    `Time: ${time(change.when)}`,
    `Changed by: ${change.who}`,
    `Comments: ${change.comments}`,
    `Files: ${sorted(change.files).join(" ")}`,
  ];
}

function logText({ label, url, text }) {
  return ["", `Last ${LOG_LINES} lines of ${label}`, ...(url == null ? [] : [url]), "", text];
}
