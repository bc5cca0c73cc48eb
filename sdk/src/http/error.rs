//! Why a request has no answer.
//!
//! In -> out: wasi's `error-code` -> [`HttpFault`], with the request that it is about -> [`HttpError`].
//! Invariant: retriable only where the request was not sent, or may be sent twice.
//! Not here: statuses like 404: whoever answers so has answered.

use std::fmt;

use crate::bindings::capabilities::wasi::http::types::ErrorCode;

/// Why a request has no answer, or only a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    pub method: String,
    /// Without the query.
    pub url: String,
    pub fault: HttpFault,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFault {
    /// The request is none: its URL, its method, a header.
    Invalid(String),
    /// No rule of the permission `http` has it.
    Denied,
    /// The host's name leads to an address of this machine or of a private network.
    Prohibited,
    /// A limit of the host is used up: requests of this call, connections of this plugin.
    Limit,
    /// The host's name leads nowhere.
    Dns(String),
    /// Nobody was reached; nothing was sent.
    Connect(String),
    /// Nobody was reached who shows that it is them.
    Tls(String),
    /// No answer, or no more of it, in time.
    Timeout,
    /// More than this side takes or the host lets through; holds the limit in bytes, if it is known.
    TooLarge(Option<u64>),
    /// The connection ended before the answer did.
    BrokenOff,
    /// What came is no HTTP, or not what it says that it is.
    Protocol(String),
    /// A redirect that is not followed.
    Redirect(String),
    /// An answer that is not the wanted one; holds its status.
    Status(u16),
}

impl HttpError {
    /// The same request may succeed later, and nothing can happen twice by it.
    pub fn retriable(&self) -> bool {
        let may_be_sent_twice = matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE");
        match self.fault {
            HttpFault::Dns(_) | HttpFault::Connect(_) | HttpFault::Status(429 | 503) => true,
            HttpFault::Timeout | HttpFault::BrokenOff => may_be_sent_twice,
            HttpFault::Status(status) => may_be_sent_twice && (500..600).contains(&status) && status != 501,
            HttpFault::Invalid(_)
            | HttpFault::Denied
            | HttpFault::Prohibited
            | HttpFault::Limit
            | HttpFault::Tls(_)
            | HttpFault::TooLarge(_)
            | HttpFault::Protocol(_)
            | HttpFault::Redirect(_) => false,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}: {}", self.method, self.url, self.fault)
    }
}

impl std::error::Error for HttpError {}

impl fmt::Display for HttpFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => write!(out, "{why}"),
            Self::Denied => write!(out, "no rule of the permission `http` allows it"),
            Self::Prohibited => {
                write!(out, "the name leads to this machine or a private network, where no name may lead")
            }
            Self::Limit => {
                write!(out, "the requests of this call or the connections of this plugin are used up")
            }
            Self::Dns(why) => write!(out, "the name cannot be looked up ({why})"),
            Self::Connect(why) => write!(out, "no connection ({why})"),
            Self::Tls(why) => write!(out, "no connection that can be trusted ({why})"),
            Self::Timeout => write!(out, "no answer in time"),
            Self::TooLarge(Some(most)) => write!(out, "more than {most} bytes"),
            Self::TooLarge(None) => write!(out, "too large"),
            Self::BrokenOff => write!(out, "the connection ended before the answer did"),
            Self::Protocol(why) => write!(out, "the answer is not HTTP as it should be ({why})"),
            Self::Redirect(why) => write!(out, "a redirect that is not followed: {why}"),
            Self::Status(status) => write!(out, "answered with status {status}"),
        }
    }
}

impl From<ErrorCode> for HttpFault {
    fn from(code: ErrorCode) -> Self {
        let some = |text: &str| text.to_owned();
        match code {
            ErrorCode::HttpRequestDenied => Self::Denied,
            ErrorCode::DestinationIpProhibited => Self::Prohibited,
            ErrorCode::ConnectionLimitReached => Self::Limit,
            ErrorCode::DnsTimeout => Self::Dns(some("no answer in time")),
            ErrorCode::DnsError(why) => Self::Dns(why.rcode.unwrap_or_else(|| some("it failed"))),
            ErrorCode::DestinationNotFound => Self::Dns(some("it leads nowhere")),
            ErrorCode::DestinationUnavailable => Self::Connect(some("not available")),
            ErrorCode::DestinationIpUnroutable => Self::Connect(some("no way there")),
            ErrorCode::ConnectionRefused => Self::Connect(some("refused")),
            ErrorCode::ConnectionTimeout => Self::Connect(some("not in time")),
            ErrorCode::TlsProtocolError => Self::Tls(some("TLS failed")),
            ErrorCode::TlsCertificateError => {
                Self::Tls(some("the certificate is not theirs, or nobody trusts it"))
            }
            ErrorCode::TlsAlertReceived(alert) => {
                Self::Tls(alert.alert_message.unwrap_or_else(|| some("they broke it off")))
            }
            ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => Self::Timeout,
            ErrorCode::HttpRequestBodySize(most) | ErrorCode::HttpResponseBodySize(most) => {
                Self::TooLarge(most)
            }
            ErrorCode::HttpRequestHeaderSectionSize(_)
            | ErrorCode::HttpRequestHeaderSize(_)
            | ErrorCode::HttpRequestTrailerSectionSize(_)
            | ErrorCode::HttpRequestTrailerSize(_)
            | ErrorCode::HttpRequestUriTooLong
            | ErrorCode::HttpResponseHeaderSectionSize(_)
            | ErrorCode::HttpResponseHeaderSize(_)
            | ErrorCode::HttpResponseTrailerSectionSize(_)
            | ErrorCode::HttpResponseTrailerSize(_) => Self::TooLarge(None),
            ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => Self::BrokenOff,
            ErrorCode::HttpRequestMethodInvalid => Self::Invalid(some("the method is none that may be sent")),
            ErrorCode::HttpRequestUriInvalid => Self::Invalid(some("the URL is none that may be asked")),
            ErrorCode::HttpRequestLengthRequired => Self::Invalid(some("the length of the body is not said")),
            ErrorCode::HttpResponseTransferCoding(_) => Self::Protocol(some("its transfer coding")),
            ErrorCode::HttpResponseContentCoding(_) => Self::Protocol(some("its content coding")),
            ErrorCode::HttpUpgradeFailed => Self::Protocol(some("it wants another protocol")),
            ErrorCode::HttpProtocolError => Self::Protocol(some("it cannot be read")),
            ErrorCode::LoopDetected => Self::Protocol(some("it leads in a circle")),
            ErrorCode::ConfigurationError => Self::Connect(some("the host's way out is not set up")),
            ErrorCode::InternalError(why) => Self::Protocol(why.unwrap_or_else(|| some("the host failed"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use crate::bindings::capabilities::wasi::http::types::DnsErrorPayload;

    fn error(method: &str, fault: impl Into<HttpFault>) -> HttpError {
        HttpError { method: method.to_owned(), url: "https://a.example/x".to_owned(), fault: fault.into() }
    }

    #[test]
    fn only_what_cannot_happen_twice_is_retriable() {
        for (fault, reading, writing) in [
            (HttpFault::from(ErrorCode::ConnectionRefused), true, true),
            (ErrorCode::ConnectionTimeout.into(), true, true),
            (ErrorCode::DestinationNotFound.into(), true, true),
            (ErrorCode::HttpResponseTimeout.into(), true, false),
            (ErrorCode::ConnectionReadTimeout.into(), true, false),
            (ErrorCode::HttpResponseIncomplete.into(), true, false),
            (HttpFault::Status(503), true, true),
            (HttpFault::Status(500), true, false),
            (HttpFault::Status(501), false, false),
            (HttpFault::Status(404), false, false),
            (ErrorCode::HttpRequestDenied.into(), false, false),
            (ErrorCode::DestinationIpProhibited.into(), false, false),
            (ErrorCode::TlsCertificateError.into(), false, false),
            (ErrorCode::HttpResponseBodySize(Some(1)).into(), false, false),
            (ErrorCode::ConnectionLimitReached.into(), false, false),
            (ErrorCode::HttpProtocolError.into(), false, false),
        ] {
            assert_eq!(error("GET", fault.clone()).retriable(), reading, "GET {fault:?}");
            assert_eq!(error("POST", fault.clone()).retriable(), writing, "POST {fault:?}");
            assert_eq!(Failure::from(error("POST", fault.clone())).retriable, writing, "{fault:?}");
        }
    }

    #[test]
    fn what_went_wrong_is_said_of_the_request() {
        let named = ErrorCode::DnsError(DnsErrorPayload { rcode: Some("NXDOMAIN".into()), info_code: None });
        for (code, said) in [
            (named, "the name cannot be looked up (NXDOMAIN)"),
            (ErrorCode::HttpRequestDenied, "no rule of the permission `http` allows it"),
            (ErrorCode::HttpRequestBodySize(Some(7)), "more than 7 bytes"),
            (ErrorCode::ConnectionRefused, "no connection (refused)"),
        ] {
            assert_eq!(error("GET", code).to_string(), format!("GET https://a.example/x: {said}"));
        }
    }
}
