//! Service: answers HTTP requests that the host hands over.
//!
//! In -> out: [`Request`] -> [`Response`]; a failure is logged and answered with 500, without its text.
//! Limits: [`BODY_BYTES_MAX`] in; 4096 bytes a write out.
//! Invariant: exactly one answer a request, also when the plugin fails.

use std::marker::PhantomData;

use crate::Failure;
use crate::bindings::capabilities::wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::capabilities::wasi::io::streams::StreamError;
use crate::bindings::service::exports::wasi::http::incoming_handler::Guest;
use crate::http::{BODY_BYTES_MAX, Request, Response};

/// What the host takes in one write.
const WRITE_BYTES_MAX: usize = 4096;
const READ_BYTES: u64 = 64 * 1024;

/// A plugin that answers requests.
pub trait Service {
    /// A fresh instance for each request.
    fn handle(request: Request) -> Result<Response, Failure>;
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Service> Guest for Exported<T> {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        crate::panic::report();
        let response = match read(request) {
            Ok(request) => T::handle(request).unwrap_or_else(|failure| {
                crate::log::error(&failure.message);
                Response::text(500, "the service failed\n")
            }),
            Err(status) => Response::text(status, "the request could not be read\n"),
        };
        send(response, answer);
    }
}

/// The whole request, or the status that says why not.
fn read(request: IncomingRequest) -> Result<Request, u16> {
    let path_with_query = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let (path, query) = match path_with_query.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (path_with_query, None),
    };
    let mut headers = request.headers().entries();
    headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    let method = method_name(request.method());
    Ok(Request { method, path, query, headers, body: read_body(&request)? })
}

fn read_body(request: &IncomingRequest) -> Result<Vec<u8>, u16> {
    let body = request.consume().map_err(|()| 400_u16)?;
    let stream = body.stream().map_err(|()| 400_u16)?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Err(400),
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(413);
        }
    }
}

fn method_name(method: Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    };
    name.to_owned()
}

/// Sends the response; what a plugin got wrong in it becomes a 500 with a line in the log.
fn send(response: Response, answer: ResponseOutparam) {
    let (outgoing, content) = match outgoing(&response) {
        Ok(outgoing) => (outgoing, response.body),
        Err(why) => {
            crate::log::error(why);
            let failed = OutgoingResponse::new(Fields::new());
            // A status that exists.
            let _ = failed.set_status_code(500);
            (failed, Vec::new())
        }
    };
    let body = outgoing.body();
    ResponseOutparam::set(answer, Ok(outgoing));
    let Ok(body) = body else { return };
    if let Err(why) = write_body(&body, &content) {
        // The client went away, or the host's limit was reached: the body ends here, unfinished.
        crate::log::warn(why);
        return;
    }
    if OutgoingBody::finish(body, None).is_err() {
        crate::log::warn("the response's body is not as long as its `content-length` says");
    }
}

fn outgoing(response: &Response) -> Result<OutgoingResponse, &'static str> {
    let fields =
        Fields::from_list(&response.headers).map_err(|_| "the response has a header that is not allowed")?;
    let outgoing = OutgoingResponse::new(fields);
    outgoing
        .set_status_code(response.status)
        .map_err(|()| "the response has a status that does not exist")?;
    Ok(outgoing)
}

fn write_body(body: &OutgoingBody, content: &[u8]) -> Result<(), &'static str> {
    let stream = body.write().map_err(|()| "the response's body was taken already")?;
    for part in content.chunks(WRITE_BYTES_MAX) {
        stream.blocking_write_and_flush(part).map_err(|_| "the response could not be sent to its end")?;
    }
    Ok(())
}

#[doc(hidden)]
pub fn is_role<T: Service>() {}
