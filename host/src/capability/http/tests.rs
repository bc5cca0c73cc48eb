//! Secrets on their way out and back, with a fake in the place of what is outside.

use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use orch_trust::permission::{SecretUse, SecretsPermission};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::backend::EgressLimits;
use super::fake::{FakeHttp, ScriptedAnswer};
use super::*;
use crate::capability::bench::Bench;
use crate::capability::effect::Boxed;
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
        spends: false,
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
async fn a_header_whose_name_is_a_value_does_not_come_back() {
    let mut open = open([answer(&[(VALUE, "1"), ("x-other", "2")], b"")]);
    let (headers, _) = open.ask("api.example.com", &[]).await.unwrap();
    assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["x-other"]);
}

#[tokio::test]
async fn no_value_comes_back_piece_by_piece() {
    let mut open = open([answer(&[], b"fake-")]);
    let denied = open.ask("api.example.com", &[("range", "bytes=0-4")]).await;
    assert!(matches!(denied, Err(Error::HttpRequestDenied)));
    assert!(open.outside.requests().is_empty());
    open.ask("other.example.com", &[("range", "bytes=0-4")]).await.unwrap();
}

#[tokio::test]
async fn a_length_that_the_mask_may_change_is_not_said() {
    let body = format!("you sent {VALUE}");
    let length = body.len().to_string();
    let heads = [("content-length", length.as_str())];
    let mut open = open([answer(&heads, body.as_bytes()), answer(&heads, b"")]);
    let (headers, body) = open.ask("api.example.com", &[]).await.unwrap();
    assert_eq!((headers.get("content-length"), body.as_str()), (None, "you sent ***"));
    // As of what a `HEAD` would have: there is nothing to hide in it.
    let (headers, _) = open.ask("api.example.com", &[]).await.unwrap();
    assert_eq!(headers["content-length"], length.as_str());
    // Who has no secret is told.
    open.sender.placeholders = Placeholders::new(Arc::default(), Arc::new(FakeSecrets::default()), false);
    open.sender.egress = Arc::new(FakeHttp::scripted([answer(&[("content-length", "4")], b"four")]));
    let (headers, _) = open.ask("api.example.com", &[]).await.unwrap();
    assert_eq!(headers["content-length"], "4");
}

/// One answer that comes as it is sent.
struct Slow(Mutex<Option<mpsc::UnboundedReceiver<Frame<Bytes>>>>);

struct Parts(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(waker).map(|part| part.map(Ok))
    }
}

impl Egress for Slow {
    fn limits(&self) -> EgressLimits {
        EgressLimits { requests: 1, sent_bytes: 1000, received_bytes: 1000 }
    }

    fn send(
        &self,
        _: Arc<str>,
        _: Outgoing,
    ) -> Boxed<'static, std::result::Result<::http::Response<WasiBody>, Failed>> {
        let parts = self.0.lock().unwrap().take().unwrap();
        let body = Parts(parts).boxed_unsync();
        Box::pin(async { Ok(::http::Response::new(body)) })
    }
}

/// Who sends the parts of the answer, and its body as the guest has it.
async fn slow() -> (mpsc::UnboundedSender<Frame<Bytes>>, WasiBody) {
    let (sent, parts) = mpsc::unbounded_channel();
    let mut open = open([]);
    open.sender.egress = Arc::new(Slow(Mutex::new(Some(parts))));
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    let request = ::http::Request::get("https://other.example.com/").body(body).unwrap();
    let sending = open.sender.send_request(request, None, Box::new(async { Ok(()) }));
    (sent, Box::into_pin(sending).await.unwrap().0.into_body())
}

#[tokio::test]
async fn what_comes_alone_is_handed_on_after_a_while_whatever_it_is() {
    let (sent, mut body) = slow().await;
    // An event of a stream that pauses, and one that begins like a value: nobody sees a difference.
    for part in ["data: tick\n\n", "fake-value-", "of-one tock"] {
        sent.send(Frame::data(Bytes::from(part))).unwrap();
        let begun = Instant::now();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let expected = part.replace("of-one tock", "*** tock");
        assert_eq!(frame, expected.as_bytes());
        assert!(begun.elapsed() >= std::time::Duration::from_secs(1), "{part}");
    }
    sent.send(Frame::data(Bytes::from_static(b"last"))).unwrap();
    drop(sent);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "last");
}

#[tokio::test]
async fn an_answer_without_end_ends_at_its_limit_with_a_name() {
    let (sent, mut body) = slow().await;
    // Whoever does not stop by itself: the limit is 1000 bytes.
    let endless = tokio::spawn(async move {
        let mut parts = 0;
        while sent.send(Frame::data(Bytes::from_static(&[b'x'; 100]))).is_ok() {
            parts += 1;
            tokio::task::yield_now().await;
        }
        parts
    });
    let (mut received, mut fault) = (0, None);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => received += frame.into_data().unwrap().len(),
            Err(error) => fault = Some(error),
        }
    }
    assert!(matches!(fault, Some(Error::HttpResponseBodySize(Some(1000)))), "{fault:?}");
    assert!(received <= 1000, "{received}");
    drop(body);
    // Who sends is let go of at the limit, not when the answer is dropped.
    assert!(endless.await.unwrap() >= 10);
}

#[tokio::test]
async fn headers_behind_the_body_are_masked_too() {
    let (sent, body) = slow().await;
    sent.send(Frame::data(Bytes::from_static(b"body"))).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static(VALUE));
    trailers.insert(::http::HeaderName::from_static(VALUE), HeaderValue::from_static("1"));
    sent.send(Frame::trailers(trailers)).unwrap();
    drop(sent);
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().unwrap();
    assert_eq!((trailers.len(), trailers["x-end"].as_bytes()), (1, &b"***"[..]));
    assert_eq!(body.to_bytes(), "body");
}
