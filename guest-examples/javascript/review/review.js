// What a review says about a build: its result in words, and labels by result.

import { buildUrl } from "campanile-guest";

// Results that are not named here give the label no score.
const LABELS = {
  Verified: { success: 1, warnings: 1, failure: -1, exception: -1, cancelled: 0 },
};

/**
 * The review of a finished build, or null for a build that is tried again.
 *
 * `arg` may be JSON such as `{"labels": {"Verified": {"success": 2, "failure": -2}}}`; it stands in for LABELS.
 */
export function review(builder, build, results, arg, status) {
  if (results === "retry") return null;
  const { labels = LABELS } = (arg && JSON.parse(arg)) || {};
  return { message: message(builder, build, results, status), labels: scores(labels, results) };
}

function message(builder, build, results, status) {
  const url = buildUrl(build, status);
  return [
    `${builder} #${build.id.number}: ${results.toUpperCase()}`,
    ...(build.text.length ? [build.text.join(" ")] : []),
    ...(url == null ? [] : [url]),
  ].join("\n\n");
}

function scores(labels, results) {
  return Object.entries(labels)
    .filter(([, byResult]) => results in byResult)
    .map(([name, byResult]) => ({ name, score: whole(byResult[results], name, results) }));
}

function whole(score, name, results) {
  if (!Number.isInteger(score)) throw new Error(`the score of \`${name}\` for ${results} is no whole number`);
  return score;
}
