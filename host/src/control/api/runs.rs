//! Runs: listed, begun, told something.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use axum::extract::State;
use http::StatusCode;
use orch_journal::rows::RunRow;
use orch_journal::state::TaskState;
use orch_journal::{Reader, RunState};
use orch_task::Status;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::caller::Caller;
use super::super::problem::{Problem, Refusals};
use super::super::variables::{Seals, first_other};
use super::super::written;
use super::{Api, Json, Object, Path, Query};
use crate::config::tokens::Scope;
use crate::drive::act::{Act, Refused};
use crate::drive::choice::Wanted;

const PAGE: u32 = 50;
pub(super) const PAGE_MAX: u32 = 1000;

/// A run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: String,
    /// What it is about: the name of the workspace's folder.
    goal: String,
    /// `planning`, `executing`, `waiting`, `completed`, `failed` or `cancelled`.
    status: String,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        let RunRow { id, task, status, created_at, started_at, completed_at, metadata: _ } = row;
        Self { id, goal: task, status, created_at, started_at, completed_at }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    /// The newest first.
    runs: Vec<Run>,
    /// The run that the next page begins with; absent at the end.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// From that run on
    from: Option<String>,
    /// At most so many, 1 to 1000
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Runs of the workspace, the newest first
#[utoipa::path(get, path = "/v1/runs", params(Page), responses((status = 200, body = Runs), Refusals))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<Runs>, Problem> {
    caller.may(Scope::Read)?;
    let limit = limit(page.limit, PAGE)?;
    let mut rows = api
        .read(move |reader| {
            page.from.as_deref().map(|from| find(reader, from)).transpose()?;
            Ok(reader.newest_runs(page.from.as_deref(), limit + 1)?)
        })
        .await?;
    let next = rows.get(limit as usize).map(|row| row.id.clone());
    rows.truncate(limit as usize);
    Ok(Json(Runs { runs: rows.into_iter().map(Run::from).collect(), next }))
}

/// The said size of a page, if it can be one.
pub(super) fn limit(said: Option<u32>, usual: u32) -> Result<u32, Problem> {
    match said.unwrap_or(usual) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        found => {
            let what = format!("`limit` is {found}, expected 1 to {PAGE_MAX}");
            Err(Problem::new(StatusCode::BAD_REQUEST, "query-malformed", what))
        }
    }
}

/// What a run is asked to be like; what is absent is as the host has it, and so must the rest be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunOptions {
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, format = Int64)]
    pub jobs: Option<u32>,
    /// `every-completion`, `every-N` or `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
    /// `process`, `power` or `mixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// Relative to the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<String>,
    /// State folder, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Folders of packages besides the operator's, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<Vec<String>>,
    /// Seals of variables that plugins may get, of a command of this operator; null: it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Seals>,
    /// Which tasks; of each host that serves.
    pub wanted: Wanted,
}

/// A whole number, however it is written: to JSON, `4.0` is one.
fn whole<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(from)? else { return Ok(None) };
    match number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        true => Ok(Some(number as u32)),
        false => Err(serde::de::Error::custom(format!("`jobs` is {number}, expected a whole number"))),
    }
}

impl RunOptions {
    /// Fails if something is said that the host does not do.
    fn check(&self, has: &Self) -> Result<(), Refused> {
        let text = |number: &Option<u32>| number.map(|number| number.to_string());
        let list = |folders: &Option<Vec<String>>| folders.as_ref().map(|folders| folders.join(", "));
        for (option, said, is) in [
            ("jobs", text(&self.jobs), text(&has.jobs)),
            ("audit", self.audit.clone(), has.audit.clone()),
            ("durability", self.durability.clone(), has.durability.clone()),
            ("tasks", self.tasks.clone(), has.tasks.clone()),
            ("memory", self.memory.clone(), has.memory.clone()),
            ("plugins", list(&self.plugins), list(&has.plugins)),
        ] {
            if let Some(said) = said.filter(|said| Some(said) != is.as_ref()) {
                let (option, is) = (option.to_owned(), is.unwrap_or_default());
                return Err(Refused::OptionDiffers { option, is, said });
            }
        }
        let other = self.variables.as_ref().zip(has.variables.as_ref());
        if let Some((name, is, said)) = other.and_then(|(said, has)| first_other(has, said)) {
            let (option, is, said) = (format!("variable {name}"), is.to_owned(), said.to_owned());
            return Err(Refused::OptionDiffers { option, is, said });
        }
        Ok(())
    }
}

/// A run that begins.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Started {
    pub run: String,
    /// The first event of what begins now.
    pub from: u64,
}

/// Begin a run, or go on with the open one
#[utoipa::path(post, path = "/v1/runs", request_body(content = RunOptions, description = "Nothing, or what the run is to be like"), responses((status = 202, body = Started), Refusals))]
pub(super) async fn start(
    State(api): State<Api>,
    caller: Caller,
    request: axum::extract::Request,
) -> Result<(StatusCode, Json<Started>), Problem> {
    caller.may(Scope::Run)?;
    // Of a host that ends with its run nothing else is asked.
    if !api.state.serves() {
        return Err(Refused::Ends.into());
    }
    let options = match hyper::body::Body::is_end_stream(request.body()) {
        true => RunOptions::default(),
        false => {
            let said = <Json<Option<Object<RunOptions>>> as axum::extract::FromRequest<()>>::from_request(
                request,
                &(),
            );
            said.await?.0.map(|Object(options)| options).unwrap_or_default()
        }
    };
    options.check(&api.options())?;
    let (run, from) = api.state.start(options.wanted, caller.may(Scope::Run)?).await?;
    Ok((StatusCode::ACCEPTED, Json(Started { run, from })))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneRun {
    #[serde(flatten)]
    run: Run,
    at_work: bool,
    /// How many tasks have each status.
    tasks: BTreeMap<String, u64>,
    /// Why it ended or waits.
    why: Option<String>,
}

/// How a run stands
#[utoipa::path(get, path = "/v1/runs/{run}", params(("run" = String, Path)), responses((status = 200, body = OneRun), Refusals))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
) -> Result<Json<OneRun>, Problem> {
    caller.may(Scope::Read)?;
    let at_work = api.state.run().as_ref() == Some(&run);
    let (row, tasks) = api
        .read(move |reader| {
            let row = find(reader, &run)?;
            Ok((row, reader.task_counts(&run)?.into_iter().collect()))
        })
        .await?;
    let metadata = &row.metadata;
    let why = metadata.get("why").and_then(|why| why.as_str()).map(str::to_owned);
    Ok(Json(OneRun { run: row.into(), at_work, tasks, why }))
}

/// The run of that name.
pub(super) fn find(reader: &Reader, run: &str) -> Result<RunRow, Problem> {
    reader
        .run(run)?
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "run-unknown", format!("no run `{run}`")))
}

#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    /// Place of the event that says so, in the run.
    event: u64,
}

/// Say a word about a run or a task of it; answered once it survives the end of the machine's power
#[utoipa::path(post, path = "/v1/runs/{run}/acts", params(("run" = String, Path)), request_body = Act, responses((status = 201, body = Taken), Refusals))]
pub(super) async fn act(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
    request: axum::extract::Request,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    // Before anything is read of who may not ask at all.
    caller.may_say()?;
    let Json(Object(act)) =
        <Json<Object<Act>> as axum::extract::FromRequest<()>>::from_request(request, &()).await?;
    // A second look: what it asks for took its time to arrive.
    let who = caller.may(match act {
        Act::Approve { .. }
        | Act::Deny { .. }
        | Act::Resolve { .. }
        | Act::Waive { .. }
        | Act::WaiveRun { .. } => Scope::Approve,
        Act::Retry { .. } | Act::Skip { .. } | Act::Cancel { .. } | Act::Stop {} => Scope::Run,
    })?;
    if let Act::Approve { task, .. } = &act {
        check_written(&api, run.clone(), task.clone()).await?;
    }
    Ok((StatusCode::CREATED, Json(Taken { event: api.state.say(&run, act, who).await? })))
}

/// A number that a plugin counted.
#[derive(Serialize, ToSchema)]
struct Metric {
    plugin: String,
    name: String,
    value: f64,
    unit: String,
    /// Pairs of name and value.
    attributes: Vec<(String, String)>,
    /// Whose attempt recorded it, or which was looked at
    task: Option<String>,
    /// When the call was accepted, as ISO 8601 in UTC; nothing of what was recorded before that was kept
    recorded_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Metrics {
    metrics: Vec<Metric>,
}

/// What plugins counted in a run
#[utoipa::path(get, path = "/v1/runs/{run}/metrics", params(("run" = String, Path)), responses((status = 200, body = Metrics), Refusals))]
pub(super) async fn metrics(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
) -> Result<Json<Metrics>, Problem> {
    caller.may(Scope::Read)?;
    let rows = api
        .read(move |reader| {
            find(reader, &run)?;
            Ok(reader.metrics(&run)?)
        })
        .await?;
    let metric = |row: orch_journal::metrics::MetricRow| -> Result<Metric, Problem> {
        Ok(Metric {
            plugin: row.plugin,
            name: row.name,
            value: row.value,
            unit: row.unit,
            attributes: row.attributes,
            task: row.task,
            recorded_at: row.recorded_at,
        })
    };
    Ok(Json(Metrics { metrics: rows.into_iter().map(metric).collect::<Result<_, _>>()? }))
}

/// Fails if the task file says another thing of a task that asks to run than what would run.
async fn check_written(api: &Api, run: String, task: String) -> Result<(), Problem> {
    let seen = api.state.view().filter(|view| view.id == run);
    let (place, at_work) = (api.place.clone(), api.state.run().as_ref() == Some(&run));
    let asks = move |state: &RunState| {
        let is_it =
            |found: &&TaskState| found.task.id.as_str() == task && found.status == Status::WaitingApproval;
        let file = state.started.as_ref().and_then(|started| started.tasks.clone());
        state.tasks.iter().find(is_it).cloned().map(|found| (found, file))
    };
    api.read(move |reader| {
        let asking = match seen {
            Some(view) => asks(&view.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)),
            None => asks(&reader.state(&find(reader, &run)?.id)?),
        };
        // Whatever else is wrong with it, who takes the word says.
        let Some((found, file)) = asking else { return Ok(()) };
        let differs =
            place.task_file(FilePath::new(file.as_deref().unwrap_or("tasks.yml"))).and_then(|file| {
                written::refuse_difference(&found, &place.workspace.join(&file), &file, at_work)
            });
        differs.map_err(|fault| Refused::from(fault).into())
    })
    .await
}
