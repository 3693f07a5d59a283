//! The queue of deliveries: claims, leases, retries and lists.
//!
//! A claim takes the rows of a target that wait, are not `blocked` and are `due`, and sets `due` to the end of the lease:
//! a lease that ran out is thus due by itself, and nobody has to look for engines that died.
//!
//! `blocked` is kept true to "an older one of the same tenant, target and ordering key waits" by `block_new`,
//! `recovery::retry` and `drop_waiting`, `outcomes::settle` and `Queues::make_room`, so that a claim looks only at rows that it takes. One that is blocked
//! without an older one would never go out; one that is free beside an older one could overtake it.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::writer::OperationResult;
use crate::{
    Attempt, Delivery, DeliveryId, DeliveryQuery, DeliveryState, Lease, Predecessor, QueuePosition, Standing,
    StoreError, TargetDue,
};
use campanile_model::{Timestamp, TraceContext};

/// Blocks those of the new deliveries that have an older one of their key before them.
pub(super) async fn block_new(tx: &mut SqliteConnection, first: DeliveryId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries AS d SET blocked = 1 WHERE d.id >= ? AND d.ordering_key IS NOT NULL AND EXISTS \
         (SELECT 1 FROM deliveries o WHERE o.state = 'waiting' AND o.tenant = d.tenant AND o.target = d.target \
          AND o.ordering_key = d.ordering_key AND o.id < d.id)",
    )
    .bind(first)
    .execute(tx)
    .await?;
    Ok(())
}

/// Claims the first due ones of each target; those that are due longest go first, and the result is in order of id.
pub(super) async fn claim(
    tx: &mut SqliteConnection,
    owner: &str,
    targets: &[(String, String, u32)],
    until: Timestamp,
    now: Timestamp,
) -> Result<OperationResult, StoreError> {
    let mut ids: Vec<i64> = Vec::new();
    let token = new_token();
    // Target by target: with one limit for all of them, one with a long queue would be all that is ever claimed.
    for (tenant, target, quota) in targets {
        let taken = sqlx::query_scalar::<_, i64>(
            "UPDATE deliveries SET lease_owner = ?, lease_token = ?, due = ? WHERE id IN (SELECT id FROM deliveries \
             WHERE tenant = ? AND target = ? AND state = 'waiting' AND blocked = 0 AND due <= ? \
             ORDER BY due, id LIMIT ?) \
             RETURNING id",
        )
        .bind(owner)
        .bind(token)
        .bind(until.as_micros())
        .bind(tenant)
        .bind(target)
        .bind(now.as_micros())
        .bind(quota);
        ids.extend(taken.fetch_all(&mut *tx).await?);
    }
    claimed(tx, ids).await
}

/// Makes the token of a claim: no other one has it, in no other run either.
fn new_token() -> i64 {
    fastrand::i64(1..)
}

/// Binds leases as rows of id, token and tenant.
fn rows(leases: &[Lease]) -> String {
    let rows: Vec<_> = leases.iter().map(|lease| (lease.delivery, lease.token, &lease.tenant)).collect();
    serde_json::json!(rows).to_string()
}

/// Tells if any waits behind this one in its ordering key.
pub(super) async fn has_followers(
    reader: &mut SqliteConnection,
    first: DeliveryId,
) -> Result<bool, StoreError> {
    let sql = format!("SELECT EXISTS ({FOLLOWERS})");
    // Safe: constants.
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(first).fetch_one(reader).await?)
}

/// Deliveries of the same tenant, target and ordering key that wait behind the one that is bound.
const FOLLOWERS: &str = "SELECT d.id FROM deliveries f JOIN deliveries d ON d.tenant = f.tenant AND d.target = f.target \
     AND d.ordering_key = f.ordering_key AND d.state = 'waiting' AND d.id > f.id WHERE f.id = ?";

/// Claims those that wait right behind a claimed one. They stay blocked: should their lease run out, they go out after
/// the first one and not beside it.
pub(super) async fn claim_run(
    tx: &mut SqliteConnection,
    owner: &str,
    first: &Lease,
    limit: u32,
    until: Timestamp,
) -> Result<OperationResult, StoreError> {
    let sql = format!(
        "UPDATE deliveries SET lease_owner = ?, lease_token = ?, due = ? WHERE id IN ({FOLLOWERS} AND f.tenant = ? \
         AND f.lease_token = ? ORDER BY d.id LIMIT ?) RETURNING id"
    );
    // Safe: constants.
    let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(owner).bind(new_token()).bind(until.as_micros());
    let query = query.bind(first.delivery).bind(&first.tenant).bind(first.token).bind(limit);
    let ids = query.fetch_all(&mut *tx).await?;
    claimed(tx, ids).await
}

/// Defers the oldest one of a key that nobody has leased: those behind it are blocked by it.
pub(super) async fn defer_target(
    tx: &mut SqliteConnection,
    tenant: &str,
    target: &str,
    key: &str,
    until: Timestamp,
) -> Result<OperationResult, StoreError> {
    sqlx::query(
        "UPDATE deliveries SET not_before = max(not_before, ?1), due = max(due, ?1) WHERE id = (SELECT min(id) \
         FROM deliveries WHERE state = 'waiting' AND tenant = ?2 AND target = ?3 AND ordering_key = ?4 \
         AND lease_owner IS NULL)",
    )
    .bind(until.as_micros())
    .bind(tenant)
    .bind(target)
    .bind(key)
    .execute(tx)
    .await?;
    Ok(OperationResult::Done)
}

/// Ends some leases; what somebody else has claimed since stays leased.
pub(super) async fn release_unattempted(
    tx: &mut SqliteConnection,
    leases: &[Lease],
) -> Result<OperationResult, StoreError> {
    sqlx::query(
        "UPDATE deliveries AS d SET lease_owner = NULL, due = not_before, interrupted = interrupted - (interrupted IN (2, 4)) FROM json_each(?) r \
         WHERE d.id = r.value->>0 AND d.lease_token = r.value->>1 AND d.tenant = r.value->>2 AND d.state = 'waiting'",
    )
    .bind(rows(leases))
    .execute(tx)
    .await?;
    Ok(OperationResult::Done)
}

/// Reads deliveries that were just leased, in order of id.
async fn claimed(tx: &mut SqliteConnection, ids: Vec<DeliveryId>) -> Result<OperationResult, StoreError> {
    if ids.is_empty() {
        return Ok(OperationResult::Claimed(Vec::new()));
    }
    let ids = serde_json::Value::from(ids).to_string();
    let sql = format!(
        "SELECT {COLUMNS}, NULL AS behind, NULL AS behind_until, d.message, \
         iif(d.message IS NULL AND e.name <> 'buildFinished', e.payload, NULL) AS payload FROM deliveries d {JOINS} \
         WHERE d.id IN (SELECT value FROM json_each(?)) ORDER BY d.id"
    );
    // A finished build is told with the logs that came since, which are asked for when it is prepared.
    // Safe: constants.
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids).fetch_all(tx).await?;
    Ok(OperationResult::Claimed(rows.iter().map(delivery).collect::<Result<_, _>>()?))
}

/// Releases all that `owner` has leased; it is due as it was before. The tokens stay: should somebody be at work all the
/// same, what came of it counts until the next claim.
pub(super) async fn release(tx: &mut SqliteConnection, owner: &str) -> Result<OperationResult, StoreError> {
    sqlx::query(
        "UPDATE deliveries SET lease_owner = NULL, due = not_before, interrupted = interrupted - (interrupted IN (2, 4)) WHERE state = 'waiting' AND lease_owner = ?",
    )
    .bind(owner)
    .execute(tx)
    .await?;
    Ok(OperationResult::Done)
}

/// Reads the time of the next possible claim of each target: of one that is not yet due, or of a lease that runs out.
pub(super) async fn due(reader: &mut SqliteConnection) -> Result<Vec<TargetDue>, StoreError> {
    // From one target's first row to the next one's along the index: `GROUP BY` would look at all that each of them has
    // waiting, and workers ask this whenever they have nothing to do.
    let due: Vec<(String, String, i64)> = sqlx::query_as(
        "WITH RECURSIVE first (id) AS (SELECT id FROM (SELECT id FROM deliveries WHERE state = 'waiting' \
         AND blocked = 0 ORDER BY tenant, target, due LIMIT 1) \
         UNION ALL SELECT (SELECT n.id FROM deliveries n WHERE n.state = 'waiting' AND n.blocked = 0 \
         AND (n.tenant, n.target) > (f.tenant, f.target) ORDER BY n.tenant, n.target, n.due LIMIT 1) \
         FROM first CROSS JOIN deliveries f ON f.id = first.id) \
         SELECT d.tenant, d.target, d.due FROM first CROSS JOIN deliveries d ON d.id = first.id",
    )
    .fetch_all(reader)
    .await?;
    let due = due.into_iter();
    Ok(due
        .map(|(tenant, target, due)| TargetDue { tenant, target, due: Timestamp::from_micros(due) })
        .collect())
}

/// Extends the leases that still count, and returns the ids of their deliveries.
pub(super) async fn renew(
    tx: &mut SqliteConnection,
    leases: &[Lease],
    until: Timestamp,
) -> Result<OperationResult, StoreError> {
    let renewed = sqlx::query_scalar(
        "UPDATE deliveries AS d SET due = ? FROM json_each(?) r WHERE d.id = r.value->>0 \
         AND d.lease_token = r.value->>1 AND d.tenant = r.value->>2 AND d.state = 'waiting' \
         AND d.lease_owner IS NOT NULL RETURNING id",
    )
    .bind(until.as_micros())
    .bind(rows(leases))
    .fetch_all(tx)
    .await?;
    Ok(OperationResult::Renewed(renewed))
}

/// Lists deliveries, newest first, without their messages: a list of many megabytes helps nobody.
pub(super) async fn list(
    reader: &mut SqliteConnection,
    tenant: &str,
    query: &DeliveryQuery,
) -> Result<Vec<Delivery>, StoreError> {
    let index = index_for(query);
    let mut sql = sqlx::QueryBuilder::<sqlx::Sqlite>::new(format!(
        "SELECT {COLUMNS}, {BEHIND}, NULL AS message, NULL AS payload FROM deliveries d {index} {JOINS} {JOIN_BEHIND} \
         WHERE d.tenant = "
    ));
    push_filter(&mut sql, tenant, query);
    sql.push(" ORDER BY d.id DESC LIMIT ").push_bind(query.page.limit);
    let rows = sql.build().fetch_all(reader).await?;
    rows.iter().map(delivery).collect()
}

/// Names the index by which a query is answered, where SQLite would not find it.
pub(super) fn index_for(query: &DeliveryQuery) -> &'static str {
    // Of two indexes with the same terms SQLite takes the one of the target's whole history: without `ANALYZE` it doesn't
    // know that only a few of many thousands wait. At a stop this is asked again and again.
    match query {
        DeliveryQuery { state: Some(DeliveryState::Waiting), target: Some(_), event: None, .. } => {
            "INDEXED BY deliveries_waiting"
        }
        _ => "",
    }
}

/// Adds the tenant, and all filters behind it, to a statement that ends with `d.tenant = `.
pub(super) fn push_filter(sql: &mut sqlx::QueryBuilder<sqlx::Sqlite>, tenant: &str, query: &DeliveryQuery) {
    sql.push_bind(tenant.to_owned());
    if let Some(state) = query.state {
        // As text: of a bound state SQLite does not know that the index of what waits has all of it.
        sql.push(" AND d.state = '").push(state.name()).push("'");
    }
    if let Some(target) = &query.target {
        sql.push(" AND d.target = ").push_bind(target.clone());
    }
    if let Some(event) = query.event {
        sql.push(" AND d.event = ").push_bind(event);
    }
    if let Some(before) = query.page.before {
        sql.push(" AND d.id < ").push_bind(before);
    }
    if let Some(since) = query.since {
        sql.push(" AND d.created >= ").push_bind(since.as_micros());
    }
    if let Some(until) = query.until {
        sql.push(" AND d.created < ").push_bind(until.as_micros());
    }
}

/// Reads a delivery with its attempts, oldest first.
pub(super) async fn one(
    reader: &mut SqliteConnection,
    tenant: &str,
    id: DeliveryId,
) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, {BEHIND}, d.message, NULL AS payload FROM deliveries d {JOINS} {JOIN_BEHIND} \
         WHERE d.tenant = ? AND d.id = ?"
    );
    // Safe: constants.
    let row = sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(id).fetch_optional(&mut *reader).await?;
    let Some(row) = row else { return Ok(None) };
    let attempts: Vec<(i64, String, Option<String>, String)> =
        sqlx::query_as("SELECT at, state, code, text FROM attempts WHERE delivery = ? ORDER BY id")
            .bind(id)
            .fetch_all(reader)
            .await?;
    let attempts = attempts
        .into_iter()
        .map(|(at, name, code, text)| {
            Ok(Attempt { at: Timestamp::from_micros(at), state: state(&name)?, code, text })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Some((delivery(&row)?, attempts)))
}

/// Reads the counts by state, which triggers keep.
pub(super) async fn counts(reader: &mut SqliteConnection) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, count FROM delivery_counts").fetch_all(reader).await?;
    let count = |state: DeliveryState| rows.iter().find(|(name, _)| name == state.name());
    Ok(DeliveryState::ALL
        .into_iter()
        .map(|state| (state, count(state).map_or(0, |(_, count)| u64::try_from(*count).unwrap_or(0))))
        .collect())
}

/// Reads where deliveries stand.
pub(super) async fn standings(
    reader: &mut SqliteConnection,
    tenant: &str,
    ids: &[DeliveryId],
) -> Result<Vec<Standing>, StoreError> {
    let rows: Vec<(i64, String, Option<String>, bool)> = sqlx::query_as(
        "SELECT d.id, d.state, d.code, d.lease_owner IS NOT NULL FROM json_each(?) j \
         CROSS JOIN deliveries d ON d.id = j.value WHERE d.tenant = ?",
    )
    .bind(serde_json::Value::from(ids).to_string())
    .bind(tenant)
    .fetch_all(reader)
    .await?;
    rows.into_iter()
        .map(|(id, name, code, is_leased)| Ok(Standing { id, state: state(&name)?, code, is_leased }))
        .collect()
}

/// Columns that a delivery is read from; its predecessor, message and payload, or none in their places, come behind these.
const COLUMNS: &str = "d.id, d.tenant, d.event, e.name, e.subject, d.target, d.ordering_key, d.state, d.attempts, \
     d.created, d.not_before, d.code, d.text, d.callback_version, d.lease_token, d.interrupted, d.number, d.traceparent, \
     q.started";
/// Tables of these columns, beside `deliveries d`.
const JOINS: &str = "JOIN events e ON e.id = d.event \
     LEFT JOIN queues q ON q.tenant = d.tenant AND q.target = d.target AND d.number IS NOT NULL";

/// The columns of a predecessor, by `JOIN_BEHIND`.
const BEHIND: &str = "p.id AS behind, p.not_before AS behind_until";
/// The oldest one of the ordering key, for those that wait behind it.
const JOIN_BEHIND: &str = "LEFT JOIN deliveries p ON d.state = 'waiting' AND d.blocked = 1 AND p.id = \
     (SELECT min(o.id) FROM deliveries o WHERE o.state = 'waiting' AND o.tenant = d.tenant AND o.target = d.target \
     AND o.ordering_key = d.ordering_key AND o.id < d.id)";

/// Reads a delivery from its row.
fn delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    let position = |number: i64, started| QueuePosition {
        number: number.cast_unsigned(),
        started: Timestamp::from_micros(started),
    };
    let (number, started): (Option<i64>, Option<i64>) = (row.try_get("number")?, row.try_get("started")?);
    let predecessor = |id, not_before| Predecessor { id, not_before: Timestamp::from_micros(not_before) };
    let (behind, until): (Option<i64>, Option<i64>) = (row.try_get("behind")?, row.try_get("behind_until")?);
    Ok(Delivery {
        id: row.try_get("id")?,
        tenant: row.try_get("tenant")?,
        event: row.try_get("event")?,
        event_name: row.try_get("name")?,
        subject: row.try_get("subject")?,
        target: row.try_get("target")?,
        ordering_key: row.try_get("ordering_key")?,
        place: number.zip(started).map(|(number, started)| position(number, started)),
        state: state(row.try_get("state")?)?,
        attempts: row.try_get("attempts")?,
        created: Timestamp::from_micros(row.try_get("created")?),
        not_before: Timestamp::from_micros(row.try_get("not_before")?),
        behind: behind.zip(until).map(|(id, not_before)| predecessor(id, not_before)),
        code: row.try_get("code")?,
        text: row.try_get("text")?,
        callback_version: row.try_get("callback_version")?,
        trace: row.try_get::<Option<&str>, _>("traceparent")?.and_then(TraceContext::parse),
        message: row.try_get("message")?,
        lease_token: row.try_get("lease_token")?,
        is_suspect: row.try_get::<i64, _>("interrupted")? > 0,
        payload: row.try_get("payload")?,
    })
}

/// Reads a state by its name.
fn state(name: &str) -> Result<DeliveryState, StoreError> {
    DeliveryState::from_name(name).ok_or_else(|| StoreError::Corrupt {
        what: "a delivery".to_owned(),
        source: format!("`{name}` is no state").into(),
    })
}
