// What Gerrit is told when a build begins: which one, and where it can be watched.

import { buildUrl } from "campanile-guest";

/** A word at the start of a build, or null for a build that nobody could watch. */
export function announce(builder, build, status) {
  const url = buildUrl(build, status);
  return url == null ? null : `${builder} #${build.id.number} has started: ${url}`;
}
