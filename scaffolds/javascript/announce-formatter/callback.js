// What a chat bot says of a build: at its end its result and where to look, in one short line.

import { buildUrl } from "campanile-guest";

/** The lines to say. What begins is told as usual; an empty list would say nothing. */
export function announce({ event, build, usual }, status) {
  if (event !== "finished" || build.results == null) return usual;
  const url = buildUrl(build, status);
  return [`${build.id.builder} #${build.id.number}: ${build.results}${url == null ? "" : ` ${url}`}`];
}
