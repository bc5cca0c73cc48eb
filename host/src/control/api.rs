//! What a holder answers, over its socket and over TCP.
//!
//! In -> out: a request and who asks ([`Caller`]) -> JSON, a stream of events, or a [`Problem`].
//! Limits: 64 KiB and 10 s a body, 1,000 rows a page, [`READS_MAX`] looks into the store at once, [`STREAMS_MAX`] streams of
//! events.
//! Invariant: every route is written down where it is answered, and the description (`/v1/openapi.json`) is made of the same
//! lines; what is shown is committed; the loop waits for nobody who reads.
//! Not here: connections (`listen.rs`, `serve/`), what becomes of a word (`drive/hear.rs`).

mod events;
mod runs;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use orch_journal::Reader;
use orch_journal::StoreError;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use runs::{RunOptions, Started};

use super::caller::Caller;
use super::problem::{Problem, Refusals};
use super::state::HolderState;
use crate::config::workspace::WorkspaceConfig;
use crate::drive::standing::Standing;
use crate::place::Place;

const BODY_BYTES_MAX: usize = 64 << 10;
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
/// Each has a connection to the store of its own, with its files.
const READS_MAX: usize = 8;
/// Each has a connection for as long as somebody likes.
const STREAMS_MAX: usize = 128;

/// What answers need.
#[derive(Clone)]
pub struct Api {
    pub state: Arc<HolderState>,
    pub place: Arc<Place>,
    pub config: Arc<WorkspaceConfig>,
    /// What its runs are like.
    options: Arc<RunOptions>,
    standing: Arc<Standing>,
    reads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Api {
    pub fn new(
        state: Arc<HolderState>,
        place: Place,
        config: WorkspaceConfig,
        options: RunOptions,
        standing: Arc<Standing>,
    ) -> Self {
        let reads = Arc::new(Semaphore::new(READS_MAX));
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let (place, config, options) = (Arc::new(place), Arc::new(config), Arc::new(options));
        Self { state, place, config, options, standing, reads, streams }
    }

    /// What its runs are like by now.
    fn options(&self) -> RunOptions {
        let rules = self.standing.now();
        RunOptions { jobs: Some(rules.jobs), audit: Some(rules.audit.to_string()), ..(*self.options).clone() }
    }

    /// For who answers over so many connections: half of them are left to those who ask and go.
    pub(crate) fn over(self, connections: usize) -> Self {
        Self { streams: Arc::new(Semaphore::new((connections / 2).clamp(1, STREAMS_MAX))), ..self }
    }

    /// What plugins counted: services, and those of a run.
    pub(crate) async fn recorded(
        &self,
        run: Option<String>,
    ) -> Result<Vec<orch_journal::metrics::MetricRow>, Problem> {
        self.read(move |reader| {
            let mut rows = match reader.stream()? {
                Some(stream) => reader.metrics(&stream)?,
                None => Vec::new(),
            };
            if let Some(run) = run {
                rows.extend(reader.metrics(&run)?);
            }
            Ok(rows)
        })
        .await
    }

    /// Runs of the workspace, the newest first.
    pub(crate) async fn newest_runs(&self, limit: u32) -> Result<Vec<orch_journal::rows::RunRow>, Problem> {
        self.read(move |reader| Ok(reader.newest_runs(None, limit)?)).await
    }

    /// Looks into the store on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = |what: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "store", what);
        let reads = self.reads.clone().acquire_owned().await;
        let place = self.place.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let _one = reads;
            look(&Reader::open(&place.state)?)
        });
        looked.await.map_err(|error| failed(error.to_string()))?
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Missing { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "orch-host", description = "Runs, tasks and events of one workspace, from the host that holds it."),
    components(schemas(Problem)),
    modifiers(&Details)
)]
struct Described;

/// What the derived description does not say.
struct Details;

impl utoipa::Modify for Details {
    fn modify(&self, described: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        described.components.get_or_insert_default().add_security_scheme("token", scheme);
        described.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    }
}

/// The routes and their description.
fn described() -> (Router<Api>, utoipa::openapi::OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(holder))
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(runs::one))
        .routes(routes!(runs::act))
        .routes(routes!(runs::metrics))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::one))
        .routes(routes!(tasks::approvals))
        .routes(routes!(tasks::approval))
        .routes(routes!(events::stream))
        .split_for_parts();
    correct(&mut description);
    (router, description)
}

/// What derived schemas do not say: an act has nothing but its own keys, and a run is begun without a body, too.
fn correct(described: &mut utoipa::openapi::OpenApi) {
    use utoipa::openapi::schema::AdditionalProperties;
    use utoipa::openapi::{RefOr, Required, Schema};
    let runs = described.paths.paths.get_mut("/v1/runs").and_then(|path| path.post.as_mut());
    if let Some(RefOr::T(body)) = runs.and_then(|start| start.request_body.as_mut()) {
        body.required = Some(Required::False);
    }
    if let Some(RefOr::T(Schema::OneOf(acts))) =
        described.components.as_mut().and_then(|all| all.schemas.get_mut("Act"))
    {
        for act in &mut acts.items {
            if let RefOr::T(Schema::Object(act)) = act {
                act.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
    }
}

/// Answers whatever begins with `/v1`; each request has its [`Caller`] among its extensions.
///
/// # Errors
/// The description is no JSON.
pub fn router(api: Api) -> Result<Router, serde_json::Error> {
    let (router, description) = described();
    let description = bytes::Bytes::from(serde_json::to_vec(&description)?);
    let openapi = axum::routing::get(move || async move {
        ([(http::header::CONTENT_TYPE, "application/json")], description)
    });
    Ok(router
        .route("/v1/openapi.json", openapi)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "path-unknown", "nothing is there"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this is not done to it")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api))
}

/// The host that answers.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Holder {
    /// The run at work.
    pub run: Option<String>,
    pid: u32,
    version: String,
    /// Goes on after its run.
    serves: bool,
}

/// Who answers, and at which run it works; also for commands of plugins
#[utoipa::path(get, path = "/v1", responses((status = 200, body = Holder), Refusals))]
async fn holder(State(api): State<Api>, caller: Caller) -> Result<Json<Holder>, Problem> {
    caller.may_look()?;
    Ok(Json(Holder {
        run: api.state.run(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        serves: api.state.serves(),
    }))
}

/// JSON in and out; what is malformed is a [`Problem`].
pub(super) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(http::header::CONTENT_TYPE);
        let essence = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
        if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
            let what = "expected a body of `application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body-malformed", what));
        }
        let read = tokio::time::timeout(ARRIVAL_MAX, bytes::Bytes::from_request(request, state));
        let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not arrive");
        let body = read
            .await
            .map_err(late)?
            .map_err(|error| Problem::new(error.status(), "body-malformed", error.body_text()))?;
        // A list would be taken for an object's values in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            let what = "expected an object";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "body-malformed", what));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let status = match error.classify() {
                serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::BAD_REQUEST,
            };
            Problem::new(status, "body-malformed", error.to_string())
        })
    }
}

/// A JSON object and nothing else: by itself serde takes a list of the fields too.
pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
            }
        }

        deserializer.deserialize_any(Fields(std::marker::PhantomData)).map(Self)
    }
}

/// Of a path or a query; what is malformed is a [`Problem`].
pub(super) struct Path<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        found
            .map(|axum::extract::Path(found)| Self(found))
            .map_err(|error| Problem::new(error.status(), "path-malformed", error.body_text()))
    }
}

pub(super) struct Query<T>(pub T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Query::from_request_parts(parts, state).await;
        found
            .map(|axum::extract::Query(found)| Self(found))
            .map_err(|error| Problem::new(error.status(), "query-malformed", error.body_text()))
    }
}
