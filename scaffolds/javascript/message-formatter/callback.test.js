// Mails about made-up builds.

import assert from "node:assert/strict";
import test from "node:test";

import { build, FixedStatus, step } from "campanile-guest/testing";
import { render } from "./callback.js";

const failed = build({ steps: [step("git"), { ...step("make all"), results: "failure" }] });

test("a failure is told with the end of its log", () => {
  const status = new FixedStatus();
  const mail = render("linux", failed, "failure", status);
  assert.equal(mail.subject, "[failure] linux #7");
  assert.equal(
    mail.body,
    "linux #7: failure\nhttps://ci.example/builders/linux/builds/7\nChanges by: alice, bob\n\n" +
      "stdio of step make all ends with:\n\nline 1\nline <2>\n",
  );
  assert.deepEqual(status.asked, [["make all", "stdio", 20]]);
});

test("a success needs no log", () => {
  const { body } = render("linux", build(), "success", new FixedStatus({ url: null }));
  assert.equal(body, "linux #7: success\nChanges by: alice, bob\n");
});

test("a log that cannot be read is left out", () => {
  const { body } = render("linux", failed, "failure", new FixedStatus({ log: null }));
  assert.match(body, /Changes by: alice, bob\n$/);
});
