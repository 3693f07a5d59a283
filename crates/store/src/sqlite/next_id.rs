//! Ids of new rows: one more than any that was given, also to rows that are gone (`high_water`, kept by triggers).

/// The next id of a table, as an expression of SQL.
macro_rules! next_id {
    ($table:literal) => {
        concat!(
            "(SELECT max(last, coalesce((SELECT max(id) FROM ",
            $table,
            "), 0)) + 1 FROM high_water WHERE name = '",
            $table,
            "')"
        )
    };
}

pub(super) use next_id;

/// Tables whose ids people and programs hold on to.
pub(super) const NUMBERED: [&str; 6] = ["events", "deliveries", "builds", "logs", "callback_log", "audit"];
