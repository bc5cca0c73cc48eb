//! Conformance of services: every request gets one whole response.
//!
//! In -> out: a trial -> its findings.
//! Not here: listening, and the limits before a request comes here (`orch-host`'s `commands/serve.rs`).

use bytes::Bytes;
use http::Request;
use orch_host::engine::CallError;
use orch_host::role::service::Service;

use super::{Expected, Trial};

pub(super) async fn run(trial: &mut Trial) -> Result<(), CallError> {
    let service = Service::link(&trial.engine, trial.compiled.clone())?;
    let long = format!("/{}?{}", "a/".repeat(1000), "%00&".repeat(1000));
    let requests = [
        ("GET", "/status", Bytes::new()),
        ("GET", "/", Bytes::new()),
        ("BREW", "/../..//%2e%2e/", Bytes::new()),
        ("DELETE", long.as_str(), Bytes::new()),
        ("POST", "/status", Bytes::from(vec![0xff; 512 * 1024])),
    ];
    for (method, path, body) in requests {
        let call = match method {
            "GET" => "handle",
            _ => "handle a hostile request",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("host", "localhost")
            .header("x-odd", "\t,;=\"")
            .body(body);
        let Ok(request) = request else {
            trial.wrong(call, "the request itself is malformed");
            continue;
        };
        let report = service.handle(trial.context(), request).await;
        if let Some(response) = trial.judge_report(call, Expected::Answer, report)
            && response.status().is_informational()
        {
            trial.wrong(call, &format!("ends with the status {}", response.status().as_u16()));
        }
    }
    Ok(())
}
