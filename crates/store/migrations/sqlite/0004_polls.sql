-- What each poller has seen: a map in JSON, for git a revision for each branch. It changes in the transaction that
-- stores the changes found, so that none is taken twice or lost.
CREATE TABLE polls (
    tenant TEXT NOT NULL,
    poller TEXT NOT NULL,
    -- What was looked at; of another source nothing is known.
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (tenant, poller)
) WITHOUT ROWID;
