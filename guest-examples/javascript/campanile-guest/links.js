// Addresses of builds and logs.

/** Address of the build's page: the feed's own, else the engine's; nullish if there is none. */
export function buildUrl(build, status) {
  return build.url ?? status.urlFor(build.id);
}

/** Address of a log's page: the feed's own, else one below the build's; nullish if there is none. */
export function logUrl(base, step, log) {
  if (log.url != null || base == null) return log.url;
  return `${base.replace(/\/+$/, "")}/steps/${segment(step.name)}/logs/${segment(log.name)}`;
}

/** Whether a browser would fetch it: `javascript:` and the like are not to become links. */
export function isWeb(url) {
  return /^https?:\/\//i.test(url);
}

// encodeURIComponent leaves five characters as they are that mean something in some addresses.
function segment(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
