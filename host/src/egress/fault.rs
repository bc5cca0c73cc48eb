//! What went wrong on the way, as the guest is told by name and the operator in words.

use std::io::ErrorKind;

use orch_trust::permission::HttpTarget;
use wasmtime_wasi_http::Error;

use super::resolve::Prohibited;
use crate::capability::http::backend::Failed;

/// No answer. `roots_unread`: why this host may not know a certificate's issuer.
pub(super) fn of_client(
    target: &HttpTarget,
    error: &hyper_util::client::legacy::Error,
    roots_unread: Option<&str>,
) -> Failed {
    let code = causes(error).find_map(code).unwrap_or(match error.is_connect() {
        true => Error::DestinationUnavailable,
        false => Error::HttpProtocolError,
    });
    let roots = roots_unread.filter(|_| causes(error).any(is_unknown_issuer));
    let roots = roots.map(|why| format!("; {why}")).unwrap_or_default();
    Failed::new(code, format!("`{target}`: {}{roots}", words(error)))
}

fn is_unknown_issuer(error: Cause<'_>) -> bool {
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    error.downcast_ref::<rustls::Error>() == Some(&unknown)
}

/// An answer that breaks off.
pub(super) fn of_body(error: &hyper::Error) -> Error {
    let is_end = |cause: Cause<'_>| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof)
    };
    if causes(error).any(is_end) {
        return Error::HttpResponseIncomplete;
    }
    causes(error).find_map(code).unwrap_or(Error::HttpProtocolError)
}

pub(super) type Cause<'a> = &'a (dyn std::error::Error + 'static);

pub(super) fn causes<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(error), |error| next(*error))
}

fn next(error: Cause<'_>) -> Option<Cause<'_>> {
    match error.downcast_ref::<std::io::Error>() {
        // An I/O error's own words are its cause's; the cause itself lies inside.
        Some(io) => io.get_ref().map(|inner| inner as _),
        None => error.source(),
    }
}

/// Each cause once, the outermost first.
pub(super) fn words(error: Cause<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error).map(ToString::to_string) {
        if !words.iter().any(|known| known.contains(&cause)) {
            words.push(cause);
        }
    }
    words.join(": ")
}

fn code(error: Cause<'_>) -> Option<Error> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return of_sent(error);
    }
    if let Some(error) = error.downcast_ref::<Prohibited>() {
        return Some(match error {
            Prohibited::Private { .. } => Error::DestinationIpProhibited,
            Prohibited::Nothing(_) => Error::DestinationNotFound,
            Prohibited::Unknown { why, .. } => {
                Error::DnsError { rcode: Some(why.to_string()), info_code: None }
            }
        });
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Error::TlsCertificateError
            }
            rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
                alert_id: Some(u8::from(*alert)),
                alert_message: Some(format!("{alert:?}")),
            },
            _ => Error::TlsProtocolError,
        });
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return match () {
            () if error.is_parse_too_large() => Some(Error::HttpResponseHeaderSectionSize(None)),
            () if error.is_incomplete_message() => Some(Error::HttpResponseIncomplete),
            () if error.is_parse() => Some(Error::HttpProtocolError),
            () => None,
        };
    }
    let kind = error.downcast_ref::<std::io::Error>().filter(|error| error.get_ref().is_none())?.kind();
    Some(match kind {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Error::ConnectionTerminated,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Error::DestinationIpUnroutable,
        _ => return None,
    })
}

/// The body of the request was refused while it was sent.
fn of_sent(error: &Error) -> Option<Error> {
    match error {
        Error::HttpRequestBodySize(most) => Some(Error::HttpRequestBodySize(*most)),
        _ => None,
    }
}
