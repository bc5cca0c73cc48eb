//! Does as its path says; a count with the query `CLIENT-NUMBER` is kept with the number under the client's name. Ends as: an answer, whose writes are kept unless it says 500.

use orch_sdk::Metric;
use orch_sdk::http::{Request, Response};
use orch_sdk::kv::Bucket;
use orch_sdk::metrics::Query;
use orch_sdk::{Category, Finding, Severity};
use orch_sdk::{Failure, NewTask, Service, findings, metrics, tasks};

pub struct CountsRequests;

impl Service for CountsRequests {
    fn handle(request: Request) -> Result<Response, Failure> {
        let query = request.query.clone().unwrap_or_default();
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/count") => {
                if let Some((client, number)) = query.split_once('-') {
                    Bucket::open("notes")?.set(client, number.as_bytes())?;
                }
                Ok(Response::text(200, (add_one()?).to_string()))
            }
            ("GET", "/count") => Ok(Response::text(200, count()?.to_string())),
            ("POST", "/fail") => {
                add_one()?;
                Err(Failure::new("as asked"))
            }
            ("POST", "/task") => {
                tasks::add(&NewTask::new("note", "asked over HTTP").with_id(query))?;
                Ok(Response::text(202, "asked"))
            }
            ("POST", "/report") => {
                findings::report(&Finding::new(Severity::Minor, Category::Custom, "seen"))?;
                metrics::record(&Metric::new("visits", 1.0, "1").with("from", "\"here\""))?;
                Ok(Response::text(200, "reported"))
            }
            ("GET", "/visits") => {
                let visits: Result<Vec<_>, _> = metrics::all(Query::of("visits")).collect();
                Ok(Response::text(200, visits?.len().to_string()))
            }
            ("GET", "/task") => {
                let task = tasks::describe(tasks::find(&query)?)?;
                Ok(Response::text(200, format!("{task:?}")))
            }
            ("GET", "/large") => Ok(Response::text(200, "x".repeat(2 << 20))),
            ("GET", "/hoard") => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1u8; 64 * 1024]));
                }
            }
            ("GET", "/bad") => Ok(Response::text(1000, "no such status")),
            (_, path) => {
                let prefix = request.header("x-forwarded-prefix").unwrap_or_default().into_owned();
                let token = request.header("authorization").is_some();
                Ok(Response::text(404, format!("{path} under {prefix}, token {token}")))
            }
        }
    }
}

fn count() -> Result<u64, Failure> {
    let value = Bucket::open("notes")?.value("n")?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&value).parse().unwrap_or(0))
}

fn add_one() -> Result<u64, Failure> {
    let next = count()? + 1;
    Bucket::open("notes")?.set("n", next.to_string().as_bytes())?;
    Ok(next)
}

orch_sdk::export!(service: CountsRequests);
