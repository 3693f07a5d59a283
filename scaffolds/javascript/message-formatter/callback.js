// A short mail: what came of the build, who changed something, and the end of the log that tells why it failed.

import { buildUrl } from "campanile-guest";

// How much of the log goes into the mail.
const LOG_LINES = 20;

/** The mail about one build. */
export function render(name, build, results, status) {
  const url = buildUrl(build, status);
  const lines = [
    `${name} #${build.id.number}: ${results}`,
    ...(url == null ? [] : [url]),
    `Changes by: ${build.responsibleUsers.join(", ")}`,
    ...logEnd(build, status),
  ];
  return {
    // A header is one line.
    subject: `[${results}] ${name} #${build.id.number}`.replace(/\s+/g, " "),
    body: `${lines.join("\n")}\n`,
    kind: "plain",
    alternative: null,
    headers: [],
  };
}

/** The last lines of the failed step's first log; none without a log that can be read. */
function logEnd(build, status) {
  const step = build.steps.find(({ results }) => results === "failure" || results === "exception");
  const log = step?.logs[0];
  if (!log) return [];
  try {
    const text = status.logTail(build.id, step.name, log.name, LOG_LINES);
    return ["", `${log.name} of step ${step.name} ends with:`, "", text];
  } catch (error) {
    console.warn(`${log.name} of step ${step.name} cannot be read`, error.payload ?? error);
    return [];
  }
}
