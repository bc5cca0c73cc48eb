//! Cases of services: a request and its whole response.

use bytes::Bytes;
use http::{Request, Response};
use orch_host::role::service;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::expectation::Ending;
use super::question::Question;
use super::script::Script;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    pub method: String,
    /// With the query.
    pub path: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub body: String,
}

impl Question for Handle {
    type Ask = service::Handle;

    fn ask(&self, _script: &Script) -> Result<service::Handle, Ending> {
        let mut request = Request::builder().method(self.method.as_str());
        request = request.uri(format!("http://localhost{}", self.path)).header("host", "localhost");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::from(self.body.clone()));
        request.map(service::Handle).map_err(|error| Ending::Error("case-request", error.to_string()))
    }

    fn show(answer: Response<Bytes>) -> Value {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let headers = answer.headers().iter();
        let headers: Map<String, Value> =
            headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()).into())).collect();
        json!({ "status": answer.status().as_u16(), "headers": headers, "body": text(answer.body()) })
    }
}
