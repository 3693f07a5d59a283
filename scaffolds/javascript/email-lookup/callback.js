// Mail addresses of version-control users: a table of exceptions first, then a rule.

// Users whose address follows no rule; null: no mail for this one.
const TABLE = new Map([
  ["bob", "robert@example.com"],
  ["build-bot", null],
]);
// Where everybody else has a mailbox of the same name.
const DOMAIN = "example.org";

/** The address of a user, or null for one that gets no mail. */
export function find(user) {
  if (TABLE.has(user)) return TABLE.get(user);
  // `Alice <a@b.org>` has its address with it.
  const own = /<([^<>]+)>$/.exec(user);
  if (own) return own[1];
  return /^[\w.-]+$/.test(user) ? `${user.toLowerCase()}@${DOMAIN}` : null;
}
