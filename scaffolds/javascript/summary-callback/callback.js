// What Gerrit is told of a whole buildset: a line for each builder, and one vote.

// The label that is voted on.
const LABEL = "Verified";

/** One review for all builds, for the change only if every build is good; null without builds. */
export function summarize(builds) {
  if (!builds.length) return null;
  return {
    message: builds.map(line).join("\n"),
    labels: [{ name: LABEL, score: builds.every(isGood) ? 1 : -1 }],
  };
}

/** `[-] linux: failure https://...` */
function line(info) {
  const mark = isGood(info) ? "[+]" : "[-]";
  return `${mark} ${info.name}: ${info.resultsText}${info.url == null ? "" : ` ${info.url}`}`;
}

function isGood({ results }) {
  return results === "success" || results === "warnings";
}
