//! Whether a notice is sent again, and when.
//!
//! In -> out: what came of a try, how often it was tried, the time that is left -> [`Next`].
//! Limits: three tries.
//! Invariant: no pause is longer than the time that is left, and none shorter than the other side asked for.
//! Not here: sending, sleeping (`lib.rs`).

use std::fmt;
use std::time::Duration;

use orch_sdk::Failure;
use orch_sdk::http::{HttpError, HttpFault};

pub const TRIES_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// What a further try needs at least.
const TRY_MIN: Duration = Duration::from_millis(500);

/// What came of a try.
#[derive(Debug)]
pub enum Outcome {
    Answered { status: u16, retry_after: Option<String> },
    Unanswered(HttpError),
}

#[derive(Debug, PartialEq)]
pub enum Next {
    Done,
    Again(Duration),
    Fail(Failure),
}

/// `tried`: from 1.
pub fn next(outcome: &Outcome, tried: u32, left: Duration) -> Next {
    let asked = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Next::Done,
        Outcome::Answered { status: 429 | 500 | 502..=599, retry_after } => {
            retry_after.as_deref().and_then(|text| text.trim().parse().ok()).map(Duration::from_secs)
        }
        Outcome::Answered { .. } => return Next::Fail(Failure::new(outcome.to_string())),
        Outcome::Unanswered(error) => match error.fault {
            HttpFault::Dns(_) | HttpFault::Connect(_) | HttpFault::Timeout | HttpFault::BrokenOff => None,
            _ => return Next::Fail(Failure::new(outcome.to_string())),
        },
    };
    let pause = asked.unwrap_or(PAUSE * tried);
    // The other side knows the notice again by its id, so that trying later does no harm.
    match tried < TRIES_MAX && left.checked_sub(pause).is_some_and(|rest| rest >= TRY_MIN) {
        true => Next::Again(pause),
        false => Next::Fail(Failure::retriable(outcome.to_string())),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status: 410, .. } => {
                write!(out, "the webhook is gone (410): it takes no notices any more")
            }
            Self::Answered { status, .. } => write!(out, "the webhook answered with status {status}"),
            Self::Unanswered(error) => write!(out, "{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Duration = Duration::from_secs(20);

    fn answered(status: u16, retry_after: Option<&str>) -> Outcome {
        Outcome::Answered { status, retry_after: retry_after.map(str::to_owned) }
    }

    fn unanswered(fault: HttpFault) -> Outcome {
        Outcome::Unanswered(HttpError {
            method: "POST".to_owned(),
            url: "https://a.example/".to_owned(),
            fault,
        })
    }

    fn seconds(seconds: u64) -> Next {
        Next::Again(Duration::from_secs(seconds))
    }

    #[test]
    fn it_is_sent_again_where_that_can_help() {
        for status in [200, 202, 204] {
            assert_eq!(next(&answered(status, None), 1, LEFT), Next::Done, "{status}");
        }
        for status in [429, 500, 502, 503, 504, 599] {
            assert_eq!(next(&answered(status, None), 1, LEFT), seconds(1), "{status}");
            assert_eq!(next(&answered(status, None), 2, LEFT), seconds(2), "{status}");
            let Next::Fail(failure) = next(&answered(status, None), 3, LEFT) else { panic!("{status}") };
            assert!(failure.retriable, "{status}");
        }
        for fault in [
            HttpFault::Dns(String::new()),
            HttpFault::Connect(String::new()),
            HttpFault::Timeout,
            HttpFault::BrokenOff,
        ] {
            assert_eq!(next(&unanswered(fault.clone()), 1, LEFT), seconds(1), "{fault:?}");
        }
    }

    #[test]
    fn what_does_not_become_better_is_not_tried_again() {
        for outcome in [
            answered(410, None),
            answered(400, None),
            answered(404, Some("1")),
            answered(302, None),
            answered(501, None),
            unanswered(HttpFault::Denied),
            unanswered(HttpFault::Prohibited),
            unanswered(HttpFault::Tls(String::new())),
        ] {
            let Next::Fail(failure) = next(&outcome, 1, LEFT) else { panic!("{outcome}") };
            assert!(!failure.retriable, "{outcome}");
        }
    }

    #[test]
    fn the_other_side_says_how_long_as_far_as_there_is_time() {
        assert_eq!(next(&answered(429, Some("7")), 1, LEFT), seconds(7));
        assert_eq!(next(&answered(503, Some("0")), 2, LEFT), seconds(0));
        assert_eq!(next(&answered(429, Some("Wed, 21 Oct 2026 07:28:00 GMT")), 2, LEFT), seconds(2));
        for (asked, left) in [("20", LEFT), ("3600", LEFT), ("99999999999999999999", Duration::ZERO)] {
            let Next::Fail(failure) = next(&answered(429, Some(asked)), 1, left) else { panic!("{asked}") };
            assert!(failure.retriable, "{asked}");
        }
    }
}
