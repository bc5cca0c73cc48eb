//! Rows of runs that were taken out, and of what they left to others.

use rusqlite::params;

use crate::chain::run_key;
use crate::event::RunsPruned;
use crate::journal::CommitError;
use crate::statements::ProjectionSql;

/// Tables whose rows are a run's by their ids.
const OF_RUNS: [&str; 6] =
    ["metrics", "manual_interventions", "artifacts", "findings", "executions", "phases"];

/// Removes every row of those runs, and puts what is carried on in the place of what the shared tables have.
pub(super) fn write_pruned(sql: &mut ProjectionSql<'_>, pruned: &RunsPruned) -> Result<(), CommitError> {
    for run in pruned.runs.iter().map(|head| &head.run) {
        let key = run_key(run);
        for table in OF_RUNS {
            let mut rows = sql.once(&format!("DELETE FROM @.{table} WHERE id > ?1 AND id < ?2"))?;
            rows.execute(params![format!("{key}-"), format!("{key}.")])?;
        }
        sql.once("DELETE FROM @.task_files WHERE run = ?1")?.execute([run])?;
        sql.once("DELETE FROM @.runs WHERE id = ?1")?.execute([run])?;
    }
    sql.once("DELETE FROM @.kv")?.execute([])?;
    for value in &pruned.kv {
        sql.kv_set.execute(params![value.plugin, value.label, value.key, value.value.0])?;
    }
    sql.once("DELETE FROM @.known")?.execute([])?;
    let mut known = sql.once("INSERT INTO @.known VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for task in &pruned.known {
        known.execute(params![
            task.file,
            task.task,
            task.done,
            task.said_at,
            task.begun,
            task.put_back,
            task.mark,
        ])?;
    }
    Ok(())
}
