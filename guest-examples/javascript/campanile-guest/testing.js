// A made-up build and a made-up engine, for tests outside a component.

/** An engine that knows one address and one log; without `log` it cannot be read. */
export class FixedStatus {
  asked = [];

  constructor({ url = "https://ci.example/builders/linux/builds/7", log = "line 1\nline <2>" } = {}) {
    Object.assign(this, { url, log });
  }

  urlFor() {
    return this.url;
  }

  logTail(_build, step, log, lines) {
    this.asked.push([step, log, lines]);
    if (this.log == null) throw Object.assign(new Error("no such log"), { payload: { tag: "not-found" } });
    return this.log;
  }
}

/** A change of two files with html in its comments. */
export const change = (fields) => ({
  who: "Alice <alice@example.org>",
  when: 1397948626,
  files: ["b.c", "a.c"],
  comments: "fix <b> & c",
  repository: "git://x/y",
  project: "quad",
  ...fields,
});

/** A patched source stamp on branch `main` with one change. */
export const stamp = (fields) => ({
  codebase: "",
  branch: "main",
  revision: "abc123",
  patch: { comment: "try <this>" },
  changes: [change()],
  ...fields,
});

/** A step with one log. */
export const step = (name) => ({ name, logs: [{ name: "stdio", url: null }] });

/** Build 7 of `linux`, with one source stamp and two steps. */
export const build = (fields) => ({
  id: { builder: "linux", number: 7 },
  url: null,
  reason: "scheduler 'a'\nsecond line",
  worker: "w1",
  text: ["failed", "make"],
  responsibleUsers: ["alice", "bob"],
  sourceStamps: [stamp()],
  steps: [step("git"), step("make all")],
  ...fields,
});
