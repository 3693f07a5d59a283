"""Mail addresses of version-control users: a table of exceptions first, then a rule."""

import re

# Users whose address follows no rule; None: no mail for this one.
TABLE = {"bob": "robert@example.com", "build-bot": None}
# Where everybody else has a mailbox of the same name.
DOMAIN = "example.org"


def find(user):
    """The address of a user, or None for one that gets no mail."""
    if user in TABLE:
        return TABLE[user]
    # `Alice <a@b.org>` has its address with it.
    own = re.search("<([^<>]+)>$", user)
    if own:
        return own[1]
    return f"{user.lower()}@{DOMAIN}" if re.fullmatch("[A-Za-z0-9._-]+", user) else None
