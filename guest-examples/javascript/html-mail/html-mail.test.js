// The html mail over made-up builds, and over the cases that all languages share.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { build, FixedStatus } from "campanile-guest/testing";
import { render, stampText } from "./html-mail.js";

const CASES = new URL("../../html-mail-cases.json", import.meta.url);

const mail = (fields, status = new FixedStatus()) => render(build(fields), "failure", status);

for (const { name, results, url_for, log, build, expected } of JSON.parse(readFileSync(CASES, "utf8"))) {
  test(`the case: ${name}`, () => {
    const told = render(asHanded(build), results, new FixedStatus({ url: url_for, log }));
    assert.equal(told.html, expected.body);
    assert.equal(told.text, expected.alternative);
  });
}

test("the last eighty lines of the last stdio are asked for", () => {
  const status = new FixedStatus();
  mail({}, status);
  assert.deepEqual(status.asked, [["make all", "stdio", 80]]);
});

test("an unreadable log is told and logged", (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  assert.match(mail({}, new FixedStatus({ log: null })).html, /\(the log cannot be read\)/);
  assert.match(warn.mock.calls[0].arguments[0], /make all\.stdio.*not-found/);
});

test("html is escaped and text is not", () => {
  const told = mail();
  assert.match(told.html, /Alice &lt;alice@example\.org&gt;/);
  assert.match(told.text, /Alice <alice@example\.org>/);
});

test("a stamp without revision is HEAD", () => {
  assert.equal(stampText({ codebase: "lib", branch: null, revision: null, patch: null }), "lib: HEAD");
});

/** The build with the names that the engine hands to JavaScript, and with the number JSON has no word for. */
function asHanded({ source_stamps, responsible_users, ...build }) {
  for (const change of source_stamps.flatMap(({ changes }) => changes)) change.when ??= NaN;
  return { ...build, sourceStamps: source_stamps, responsibleUsers: responsible_users };
}
