// What Gerrit is told of a finished build: its result, where to look, and a vote.

import { buildUrl } from "campanile-guest";

// The label that is voted on, and the vote by result.
const LABEL = "Verified";
const SCORES = { success: 1, warnings: 1, failure: -1, skipped: 0, exception: -1, cancelled: 0 };

/** The review of one build, or null for a build that will be tried again. */
export function review(builder, build, results, status) {
  if (results === "retry") return null;
  const url = buildUrl(build, status);
  return {
    message: `${builder}: ${results}${url == null ? "" : `\n${url}`}`,
    labels: [{ name: LABEL, score: SCORES[results] }],
  };
}
