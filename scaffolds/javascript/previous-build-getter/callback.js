// The previous build is the newest earlier one of the same branch: a broken branch says nothing about another.

// How many builds are looked at; the engine gives no more at once.
const LOOKED_AT = 100;

/** The build to compare with, or null. */
export function choose(build, status) {
  const own = branch(build);
  const previous = status.recentBuilds(build.id, LOOKED_AT).find((other) => branch(other) === own);
  return previous?.id ?? null;
}

/** The branch of the first source stamp, if there is one. */
function branch(build) {
  return build.sourceStamps[0]?.branch;
}
