//! Tasks of a run, and those of them that ask a person.

use axum::extract::State;
use http::StatusCode;
use orch_journal::RunState;
use orch_journal::event::task_digest;
use orch_journal::rows::{AttemptRow, TaskRow};
use orch_journal::state::TaskState;
use orch_task::Status;
use orch_trust::manifest::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::caller::Caller;
use super::super::problem::{Problem, Refusals};
use super::runs::{PAGE_MAX, find, limit};
use super::{Api, Json, Path, Query};
use crate::config::tokens::Scope;

const PAGE: u32 = 100;

/// A task.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Task {
    /// Its place in the run.
    place: u32,
    id: String,
    description: String,
    kind: String,
    status: String,
    /// Ids.
    dependencies: Vec<String>,
    attempts: u32,
    added_by: Option<String>,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
}

impl TryFrom<TaskRow> for Task {
    type Error = Problem;

    fn try_from(row: TaskRow) -> Result<Self, Problem> {
        Ok(Self {
            place: row.place,
            id: row.id,
            description: row.description,
            kind: row.kind,
            status: row.status,
            dependencies: row.dependencies,
            attempts: row.attempts,
            added_by: row.added_by,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        })
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Tasks {
    tasks: Vec<Task>,
    /// Where the next page begins; absent at the end.
    next: Option<u32>,
}

fn status_words() -> utoipa::openapi::schema::Object {
    let words = Status::ALL.map(Status::as_str);
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(words))
        .build()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only tasks of that status
    #[param(schema_with = status_words)]
    status: Option<String>,
    /// Only tasks of that kind
    kind: Option<String>,
    /// From that place on
    #[param(minimum = 0, maximum = 4_294_967_295_u32, format = Int64)]
    from: Option<u32>,
    /// At most so many, 1 to 1000
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Tasks of a run, in the order of their places
#[utoipa::path(get, path = "/v1/runs/{run}/tasks", params(("run" = String, Path), Filter), responses((status = 200, body = Tasks), Refusals))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Tasks>, Problem> {
    caller.may(Scope::Read)?;
    let limit = limit(filter.limit, PAGE)?;
    let Filter { status, kind, from, .. } = filter;
    if let Some(status) = status.as_deref().filter(|status| Status::from_word(status).is_none()) {
        let what = format!("`status` is `{status}`, which no task has");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "query-malformed", what));
    }
    let mut rows = api
        .read(move |reader| {
            find(reader, &run)?;
            let of = (status.as_deref(), kind.as_deref());
            Ok(reader.tasks_page(&run, of, from.unwrap_or(0), limit.min(PAGE_MAX) + 1)?)
        })
        .await?;
    let next = rows.get(limit as usize).map(|row| row.place);
    rows.truncate(limit as usize);
    Ok(Json(Tasks { tasks: rows.into_iter().map(Task::try_from).collect::<Result<_, _>>()?, next }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    attempt: u32,
    /// `running`, `done`, `failed`, `broken`, `in_doubt`, `rerun` or `cancelled`.
    status: String,
    output: Option<String>,
    error: Option<String>,
    /// Relative to the workspace.
    log: Option<String>,
    started_at: String,
    completed_at: Option<String>,
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        let AttemptRow { attempt, status, output, error, log, started_at, completed_at } = row;
        Self { attempt, status, output, error, log, started_at, completed_at }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct OneTask {
    #[serde(flatten)]
    task: Task,
    /// What was tried, the first one first.
    tried: Vec<Attempt>,
}

/// One task, with its attempts
#[utoipa::path(get, path = "/v1/runs/{run}/tasks/{task}",
    params(("run" = String, Path), ("task" = String, Path)), responses((status = 200, body = OneTask), Refusals))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path((run, task)): Path<(String, String)>,
) -> Result<Json<OneTask>, Problem> {
    caller.may(Scope::Read)?;
    let found = api.read(move |reader| {
        find(reader, &run)?;
        let row = reader.task(&run, &task)?.ok_or_else(|| no_task(&run, &task))?;
        let tried = reader.attempts(&run, row.place)?;
        Ok((row, tried))
    });
    let (row, tried) = found.await?;
    Ok(Json(OneTask { task: row.try_into()?, tried: tried.into_iter().map(Attempt::from).collect() }))
}

fn no_task(run: &str, task: &str) -> Problem {
    let what = format!("run `{run}` has no task `{task}`");
    Problem::new(StatusCode::NOT_FOUND, "task-unknown", what)
}

/// A task that asks to run, with everything that a person should know who lets it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approval {
    task: String,
    added_by: Option<String>,
    /// The whole task, as it would run.
    what: serde_json::Value,
    /// The plugin that would do it.
    executor: Option<String>,
    /// How that plugin is bound in the workspace.
    settings: Option<serde_json::Value>,
    /// Of `what`: an approval names it.
    digest: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Approvals {
    approvals: Vec<Approval>,
}

/// Tasks that ask to run
#[utoipa::path(get, path = "/v1/runs/{run}/approvals", params(("run" = String, Path)), responses((status = 200, body = Approvals), Refusals))]
pub(super) async fn approvals(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
) -> Result<Json<Approvals>, Problem> {
    caller.may(Scope::Read)?;
    Ok(Json(Approvals { approvals: asking(&api, run).await? }))
}

/// One task that asks to run
#[utoipa::path(get, path = "/v1/runs/{run}/approvals/{task}",
    params(("run" = String, Path), ("task" = String, Path)), responses((status = 200, body = Approval), Refusals))]
pub(super) async fn approval(
    State(api): State<Api>,
    caller: Caller,
    Path((run, task)): Path<(String, String)>,
) -> Result<Json<Approval>, Problem> {
    caller.may(Scope::Read)?;
    let found = asking(&api, run.clone()).await?.into_iter().find(|approval| approval.task == task);
    Ok(Json(found.ok_or_else(|| no_task(&run, &task))?))
}

async fn asking(api: &Api, run: String) -> Result<Vec<Approval>, Problem> {
    let config = api.config.clone();
    let show = move |state: &RunState| -> Result<Vec<Approval>, Problem> {
        let asks = state.tasks.iter().filter(|found| found.status == Status::WaitingApproval);
        asks.map(|found| shown(found, &config)).collect()
    };
    match api.state.view().filter(|view| view.id == run) {
        Some(view) => show(&view.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)),
        None => {
            api.read(move |reader| {
                find(reader, &run)?;
                // Mostly nothing asks: then nothing of the run need be computed.
                match reader.waits_for_approval(&run)? {
                    true => show(&reader.state(&run)?),
                    false => Ok(Vec::new()),
                }
            })
            .await
        }
    }
}

fn shown(found: &TaskState, config: &crate::config::workspace::WorkspaceConfig) -> Result<Approval, Problem> {
    let unshown =
        |error: serde_json::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "task", error.to_string());
    let executor = config.roles.by_key(Role::Executor, found.task.kind.as_str());
    let settings = executor.and_then(|id| config.settings.get(id)).cloned();
    Ok(Approval {
        task: found.task.id.to_string(),
        added_by: found.added_by.clone(),
        what: serde_json::to_value(&found.task).map_err(unshown)?,
        executor: executor.map(str::to_owned),
        settings: settings.map(serde_json::Value::Object),
        digest: task_digest(&found.task, found.env.as_ref()).map_err(unshown)?,
    })
}
