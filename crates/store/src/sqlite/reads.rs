//! Reads of events and of their projection: builders, builds, buildsets, changes.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::merge;
use crate::{BuildQuery, BuilderRow, EventId, Page, Run, StoreError, parse};
use campanile_model::{Build, BuildId, Builder, Buildset, Change, Event, Step};

/// Builds of a builder that have not finished among which those of a run are looked for.
const RUNNING_OF_RUNS: u32 = 1_000;
/// Builds of a builder that have finished among which those of a run are looked for.
const FINISHED_OF_RUNS: u32 = 20;

/// Reads an event as it was stored; a finished build in it also has the logs that came since.
pub(super) async fn event(
    reader: &mut SqliteConnection,
    tenant: &str,
    id: EventId,
) -> Result<Option<Event>, StoreError> {
    let payload: Option<String> =
        sqlx::query_scalar("SELECT payload FROM events WHERE id = ? AND tenant = ?")
            .bind(id)
            .bind(tenant)
            .fetch_optional(&mut *reader)
            .await?;
    let Some(payload) = payload else { return Ok(None) };
    let event = parse(&format!("event {id}"), &payload)?;
    let Event::BuildFinished { build } = event else { return Ok(Some(event)) };
    let Some(row) = build_row(reader, tenant, &build.id()).await? else {
        return Ok(Some(Event::BuildFinished { build }));
    };
    let mut builds = vec![(row, *build)];
    attach_logs(reader, &mut builds).await?;
    Ok(builds.pop().map(|(_, build)| Event::BuildFinished { build: Box::new(build) }))
}

/// Lists builders in natural order of their names.
pub(super) async fn builders(
    reader: &mut SqliteConnection,
    tenant: &str,
) -> Result<Vec<BuilderRow>, StoreError> {
    let rows: Vec<(String, Option<i64>)> = sqlx::query_as(
        "SELECT data, (SELECT max(number) FROM builds b WHERE b.tenant = r.tenant AND b.builder = r.name) \
         FROM builders r WHERE tenant = ?",
    )
    .bind(tenant)
    .fetch_all(reader)
    .await?;
    let mut builders = rows
        .into_iter()
        .map(|(data, last)| {
            let builder: Builder = parse("a builder", &data)?;
            Ok(BuilderRow { builder, last_build: last.map(i64::cast_unsigned) })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    builders.sort_by(|a, b| merge::natural_order(&a.builder.name, &b.builder.name));
    Ok(builders)
}

/// Lists builds, newest first: of one builder by number; of all by when they became known, where `before` is the number
/// of rows to pass over.
pub(super) async fn builds(
    reader: &mut SqliteConnection,
    tenant: &str,
    query: &BuildQuery,
) -> Result<Vec<Build>, StoreError> {
    let rows = match &query.builder {
        Some(builder) => {
            sqlx::query_as(
                "SELECT id, finished IS NOT NULL, data FROM builds \
                 WHERE tenant = ? AND builder = ? AND number < ? ORDER BY number DESC LIMIT ?",
            )
            .bind(tenant)
            .bind(builder)
            .bind(query.page.before.unwrap_or(i64::MAX))
            .bind(query.page.limit)
            .fetch_all(&mut *reader)
            .await?
        }
        None => {
            sqlx::query_as(
                "SELECT id, finished IS NOT NULL, data FROM builds WHERE tenant = ? \
                 ORDER BY id DESC LIMIT ? OFFSET ?",
            )
            .bind(tenant)
            .bind(query.page.limit)
            .bind(query.page.before.unwrap_or(0))
            .fetch_all(&mut *reader)
            .await?
        }
    };
    assemble(reader, rows).await
}

/// Reads a build.
pub(super) async fn build(
    reader: &mut SqliteConnection,
    tenant: &str,
    id: &BuildId,
) -> Result<Option<Build>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, finished IS NOT NULL, data FROM builds WHERE tenant = ? AND builder = ? AND number = ?",
    )
    .bind(tenant)
    .bind(&id.builder)
    .bind(id.number.cast_signed())
    .fetch_all(&mut *reader)
    .await?;
    Ok(assemble(reader, rows).await?.pop())
}

/// Finds the row of a build.
pub(super) async fn build_row(
    reader: &mut SqliteConnection,
    tenant: &str,
    id: &BuildId,
) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar("SELECT id FROM builds WHERE tenant = ? AND builder = ? AND number = ?")
        .bind(tenant)
        .bind(&id.builder)
        .bind(id.number.cast_signed())
        .fetch_optional(reader)
        .await?)
}

/// Lists finished builds with a lower number that can be a previous build, newest first.
pub(super) async fn earlier_builds(
    reader: &mut SqliteConnection,
    tenant: &str,
    before: &BuildId,
    limit: u32,
) -> Result<Vec<Build>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, 1, data FROM builds INDEXED BY builds_earlier WHERE tenant = ? AND builder = ? AND number < ? \
         AND finished IS NOT NULL AND results IS NOT 5 ORDER BY number DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(&before.builder)
    .bind(i64::try_from(before.number).unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(&mut *reader)
    .await?;
    assemble(reader, rows).await
}

/// Lists builds that have not finished, lowest number first.
pub(super) async fn running_builds(
    reader: &mut SqliteConnection,
    tenant: &str,
    builder: &str,
) -> Result<Vec<Build>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, 0, data FROM builds INDEXED BY builds_running \
         WHERE tenant = ? AND builder = ? AND finished IS NULL ORDER BY number",
    )
    .bind(tenant)
    .bind(builder)
    .fetch_all(&mut *reader)
    .await?;
    assemble(reader, rows).await
}

/// Looks for the builds of a run, those that have not finished first. The store compares, so that what is not of it isn't
/// read: a builder may have thousands that never end.
pub(super) async fn run(
    reader: &mut SqliteConnection,
    (tenant, builder): (&str, &str),
    property: &str,
    text: &str,
) -> Result<Run, StoreError> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(number) FROM builds WHERE tenant = ? AND builder = ?")
            .bind(tenant)
            .bind(builder)
            .fetch_one(&mut *reader)
            .await?;
    let mut rows = Vec::new();
    for (statement, limit) in [
        (
            "SELECT id, 0, data FROM (SELECT id, data FROM builds INDEXED BY builds_running \
             WHERE tenant = ? AND builder = ? AND finished IS NULL ORDER BY number DESC LIMIT ?) \
             WHERE EXISTS (SELECT 1 FROM json_each(data, '$.properties') WHERE value ->> 0 = ? AND value ->> 1 = ?)",
            RUNNING_OF_RUNS,
        ),
        (
            "SELECT id, 1, data FROM (SELECT id, data FROM builds INDEXED BY builds_earlier WHERE tenant = ? \
             AND builder = ? AND finished IS NOT NULL AND results IS NOT 5 ORDER BY number DESC LIMIT ?) \
             WHERE EXISTS (SELECT 1 FROM json_each(data, '$.properties') WHERE value ->> 0 = ? AND value ->> 1 = ?)",
            FINISHED_OF_RUNS,
        ),
    ] {
        let query =
            sqlx::query_as(statement).bind(tenant).bind(builder).bind(limit).bind(property).bind(text);
        rows.extend(query.fetch_all(&mut *reader).await?);
    }
    Ok(Run { last: last.map(i64::cast_unsigned), builds: assemble(reader, rows).await? })
}

/// Reads a buildset as it was last told of.
pub(super) async fn buildset(
    reader: &mut SqliteConnection,
    tenant: &str,
    bsid: u64,
) -> Result<Option<Buildset>, StoreError> {
    let data: Option<String> = sqlx::query_scalar("SELECT data FROM buildsets WHERE tenant = ? AND bsid = ?")
        .bind(tenant)
        .bind(bsid.cast_signed())
        .fetch_optional(reader)
        .await?;
    data.map(|data| parse("a buildset", &data)).transpose()
}

/// Lists the finished builds that name a buildset: by their first request, then by number (M-22).
pub(super) async fn builds_of_buildset(
    reader: &mut SqliteConnection,
    tenant: &str,
    bsid: u64,
) -> Result<Vec<Build>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, 1, data FROM builds WHERE tenant = ? AND buildset = ? AND finished IS NOT NULL",
    )
    .bind(tenant)
    .bind(bsid.cast_signed())
    .fetch_all(&mut *reader)
    .await?;
    let mut builds = assemble(reader, rows).await?;
    let request = |build: &Build| build.requests.iter().copied().min().unwrap_or(u64::MAX);
    builds.sort_by(|a, b| (request(a), a.number, &a.builder).cmp(&(request(b), b.number, &b.builder)));
    Ok(builds)
}

/// Lists the newest events of which people may have been told that are about this, newest first. The names are those of
/// the index `events_told`, which is only used while they are the same.
pub(super) async fn events_about(
    reader: &mut SqliteConnection,
    tenant: &str,
    subject: &str,
    limit: u32,
) -> Result<Vec<EventId>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM events WHERE tenant = ? AND subject = ? \
         AND name IN ('buildStarted', 'buildFinished', 'buildsetComplete', 'changeAdded', 'workerMissing') ORDER BY id DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(subject)
    .bind(limit)
    .fetch_all(reader)
    .await?)
}

/// Lists changes, newest first.
pub(super) async fn changes(
    reader: &mut SqliteConnection,
    tenant: &str,
    page: Page,
) -> Result<Vec<Change>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT data FROM changes WHERE tenant = ? AND number < ? ORDER BY number DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(page.before.unwrap_or(i64::MAX))
    .bind(page.limit)
    .fetch_all(reader)
    .await?;
    rows.iter().map(|data| parse("a change", data)).collect()
}

/// Lists changes to a revision, newest first.
pub(super) async fn changes_to(
    reader: &mut SqliteConnection,
    tenant: &str,
    revision: &str,
    limit: u32,
) -> Result<Vec<Change>, StoreError> {
    // The index by name: without figures SQLite would rather walk through all changes in their order.
    let mut rows: Vec<String> = sqlx::query_scalar(
        "SELECT data FROM changes INDEXED BY changes_by_revision \
         WHERE tenant = ? AND data ->> 'revision' = ? ORDER BY number DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(revision)
    .bind(limit)
    .fetch_all(&mut *reader)
    .await?;
    if rows.is_empty() && is_part_of_hash(revision) {
        // All that begin so: `g` is the first letter behind the digits.
        rows = sqlx::query_scalar(
            "SELECT data FROM changes INDEXED BY changes_by_revision WHERE tenant = ? \
             AND data ->> 'revision' >= ? AND data ->> 'revision' < ? AND length(data ->> 'revision') >= 40 LIMIT ?",
        )
        .bind(tenant)
        .bind(revision)
        .bind(format!("{revision}g"))
        .bind(limit)
        .fetch_all(reader)
        .await?;
    }
    let mut changes =
        rows.iter().map(|data| parse("a change", data)).collect::<Result<Vec<Change>, StoreError>>()?;
    changes.sort_by_key(|change| std::cmp::Reverse(change.number));
    Ok(changes)
}

/// Lists a change and those before it that were told of in the same batch, newest first.
pub(super) async fn changes_told_with(
    reader: &mut SqliteConnection,
    tenant: &str,
    number: u64,
    limit: u32,
) -> Result<Vec<Change>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT c.data FROM changes head CROSS JOIN changes c ON c.tenant = head.tenant \
         AND c.number BETWEEN ifnull(head.told_with, head.number) AND head.number \
         WHERE head.tenant = ? AND head.number = ? ORDER BY c.number DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(number.cast_signed())
    .bind(limit)
    .fetch_all(reader)
    .await?;
    rows.iter().map(|data| parse("a change", data)).collect()
}

/// True for what can be the beginning of a Git or Mercurial hash, and not the whole.
fn is_part_of_hash(revision: &str) -> bool {
    (7..40).contains(&revision.len())
        && revision.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Reads the rule by which a build has changes that were not told with it.
pub(super) async fn changes_rule(
    reader: &mut SqliteConnection,
    tenant: &str,
    id: &BuildId,
) -> Result<Option<String>, StoreError> {
    let rule: Option<Option<String>> =
        sqlx::query_scalar("SELECT changes_rule FROM builds WHERE tenant = ? AND builder = ? AND number = ?")
            .bind(tenant)
            .bind(&id.builder)
            .bind(id.number.cast_signed())
            .fetch_optional(reader)
            .await?;
    Ok(rule.flatten())
}

/// Assembles builds from their rows (id, finished or not, data) with steps and sizes of logs.
async fn assemble(
    reader: &mut SqliteConnection,
    rows: Vec<(i64, bool, String)>,
) -> Result<Vec<Build>, StoreError> {
    let mut builds = Vec::with_capacity(rows.len());
    let mut running = Vec::new();
    for (id, finished, data) in rows {
        builds.push((id, parse::<Build>("a build", &data)?));
        if !finished {
            running.push(id);
        }
    }
    if !running.is_empty() {
        let steps: Vec<(i64, String)> = sqlx::query_as(
            "SELECT build, data FROM steps WHERE build IN (SELECT value FROM json_each(?)) ORDER BY build, event, place",
        )
        .bind(serde_json::Value::from(running).to_string())
        .fetch_all(&mut *reader)
        .await?;
        let mut of_build: HashMap<i64, Vec<Step>> = HashMap::new();
        for (build, data) in steps {
            of_build.entry(build).or_default().push(parse("a step", &data)?);
        }
        for (id, build) in &mut builds {
            build.steps.extend(of_build.remove(id).unwrap_or_default());
        }
    }
    attach_logs(reader, &mut builds).await?;
    Ok(builds.into_iter().map(|(_, build)| build).collect())
}

/// Notes the sizes of stored logs at the steps of builds.
async fn attach_logs(reader: &mut SqliteConnection, builds: &mut [(i64, Build)]) -> Result<(), StoreError> {
    if builds.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = builds.iter().map(|(id, _)| *id).collect();
    let logs: Vec<(i64, String, String, i64, i64)> = sqlx::query_as(
        "SELECT build, step, name, kept_lines, kept_bytes FROM logs \
         WHERE visible = 1 AND build IN (SELECT value FROM json_each(?)) ORDER BY id",
    )
    .bind(serde_json::Value::from(ids).to_string())
    .fetch_all(reader)
    .await?;
    for (id, step, name, lines, bytes) in logs {
        if let Some((_, build)) = builds.iter_mut().find(|(known, _)| *known == id) {
            merge::attach_log(build, &step, name, lines.cast_unsigned(), bytes.cast_unsigned());
        }
    }
    Ok(())
}
