// A change hook for a forge of one's own: each commit of a JSON push becomes a change.

import { utf8Text } from "campanile-guest";

/** A request that is refused; the sender is told `status` and `message`. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Changes of a push; any other event is noted and makes none. */
export function parse(request, options) {
  const event = header(request, "x-event") ?? "push";
  if (event !== "push") return { changes: [], src: null, note: `no changes in the event ${event}` };
  const push = json(request.body);
  const { project = "" } = JSON.parse(options) ?? {};
  if (!Array.isArray(push?.commits)) throw new Refusal(400, "`commits` is not a list");
  return { changes: push.commits.map((commit) => change(push, commit, project)), src: "git", note: null };
}

function change(push, commit, project) {
  if (typeof commit.time !== "number") throw new Refusal(400, "`time` is not a number");
  return {
    who: text(commit, "author"),
    committer: null,
    revision: text(commit, "id"),
    branch: text(push, "branch"),
    when: commit.time,
    files: (commit.files ?? []).map(String),
    comments: text(commit, "message"),
    revlink: null,
    repository: text(push, "repository"),
    project,
    codebase: "",
    category: null,
    properties: [],
  };
}

function header(request, name) {
  return request.headers.find(([own]) => own.toLowerCase() === name)?.[1];
}

function json(body) {
  try {
    return JSON.parse(utf8Text(body));
  } catch (error) {
    throw new Refusal(400, `the body is not JSON: ${error.message}`);
  }
}

function text(object, name) {
  if (typeof object[name] !== "string") throw new Refusal(400, `\`${name}\` is not a text`);
  return object[name];
}
