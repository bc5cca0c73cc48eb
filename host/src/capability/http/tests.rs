//! Secrets on their way out and back, with a fake in the place of what is outside.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use orch_trust::permission::{SecretUse, SecretsPermission};
use zeroize::Zeroizing;

use super::fake::{FakeHttp, ScriptedAnswer};
use super::*;
use crate::capability::bench::Bench;
use crate::capability::secrets::backend::SecretReader;
use crate::capability::secrets::fake::FakeSecrets;

const VALUE: &str = "fake-value-of-one";
const RULES: &str =
    r#"[{"hosts":["api.example.com:443","other.example.com:443"],"methods":["GET"],"paths":["/"]}]"#;

struct Open {
    sender: Sender,
    outside: Arc<FakeHttp>,
    word: String,
}

/// What is answered, in that order, to a plugin with a word for a secret of `api.example.com`.
fn open(answers: impl IntoIterator<Item = ScriptedAnswer>) -> Open {
    let one = SecretUse { name: "one".to_owned(), host: "api.example.com:443".to_owned() };
    let secrets = Arc::new(FakeSecrets::default());
    let granted = Arc::new(SecretsPermission { uses: vec![one] });
    let placeholders = Placeholders::new(granted, secrets.clone(), false);
    let value = secrets.read("one").ok().unwrap();
    let stands_for = Zeroizing::new(VALUE.as_bytes().to_vec());
    let word = placeholders.draw("one", value, stands_for, Zeroizing::default()).unwrap();
    let outside = Arc::new(FakeHttp::scripted(answers));
    let sender = Sender {
        granted: Arc::new(serde_json::from_str(RULES).unwrap()),
        plugin: "acme/one".into(),
        key: "key".into(),
        egress: outside.clone(),
        placeholders,
        traffic: Traffic::new(Bench::new().0.gate.clone()),
        requests: 0,
        closed: false,
        deadline: Instant::now(),
    };
    Open { sender, outside, word }
}

fn answer(headers: &[(&str, &str)], body: &[u8]) -> ScriptedAnswer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ScriptedAnswer::Answer { status: 200, headers, body: body.to_vec() }
}

impl Open {
    /// The headers and the body that come back.
    async fn ask(&mut self, host: &str, headers: &[(&str, &str)]) -> Result<(HeaderMap, String)> {
        let mut request = ::http::Request::builder().method("GET").uri(format!("https://{host}/"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let sending = self.sender.send_request(request.body(body).unwrap(), None, Box::new(async { Ok(()) }));
        let (response, _) = Box::into_pin(sending).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok((parts.headers, String::from_utf8_lossy(&body).into_owned()))
    }

    fn sent(&self, name: &str) -> Option<String> {
        let last = self.outside.requests().pop().unwrap();
        last.headers.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

#[tokio::test]
async fn a_word_is_filled_in_for_its_host_and_what_it_sends_back_is_masked() {
    let back = || answer(&[("x-seen", &format!("Bearer {VALUE}"))], format!("you sent {VALUE}").as_bytes());
    let mut open = open([back(), back()]);
    let bearer = format!("Bearer {}", open.word);
    let (headers, body) = open.ask("api.example.com", &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(open.sent("authorization").unwrap(), format!("Bearer {VALUE}"));
    assert_eq!((headers["x-seen"].to_str().unwrap(), body.as_str()), ("Bearer ***", "you sent ***"));
    open.ask("other.example.com", &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(open.sent("authorization").unwrap(), bearer);
}

#[tokio::test]
async fn what_no_mask_could_read_is_not_asked_for_and_not_handed_on() {
    for coded in
        [("content-encoding", "gzip"), ("content-encoding", "identity, br"), ("transfer-encoding", "deflate")]
    {
        let mut open = open([answer(&[coded], b"\x1f\x8b"), answer(&[coded], b"\x1f\x8b")]);
        let failed = open.ask("api.example.com", &[("accept-encoding", "gzip, br")]).await;
        assert!(matches!(failed, Err(Error::HttpResponseContentCoding(None))), "{coded:?}");
        assert_eq!(open.sent("accept-encoding").as_deref(), Some("identity"));
        // Whoever is told no secret may answer as it likes.
        open.ask("other.example.com", &[("accept-encoding", "gzip, br")]).await.unwrap();
        assert_eq!(open.sent("accept-encoding").as_deref(), Some("gzip, br"));
    }
    // A value in the place of a coding's name does not get to the guest by the error.
    let mut open = open([answer(&[("content-encoding", VALUE)], b"")]);
    let failed = open.ask("api.example.com", &[]).await.unwrap_err();
    assert!(!format!("{failed:?} {failed}").contains(VALUE));
}

#[tokio::test]
async fn no_value_comes_back_piece_by_piece() {
    let mut open = open([answer(&[], b"fake-")]);
    let denied = open.ask("api.example.com", &[("range", "bytes=0-4")]).await;
    assert!(matches!(denied, Err(Error::HttpRequestDenied)));
    assert!(open.outside.requests().is_empty());
    open.ask("other.example.com", &[("range", "bytes=0-4")]).await.unwrap();
}
