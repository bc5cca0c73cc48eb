//! What a plugin reaches: one letter for each thing, `y` unless the host says that it is denied.

use orch_sdk::http::{self, HttpFault};
use orch_sdk::{Error, kv};

/// The values and the paths of a host, `a` before `b`.
pub(crate) fn reach() -> String {
    let values = ["a", "b"].map(|label| is_denied(kv::Bucket::open(label).map(drop)));
    // Nobody listens there: what is allowed fails otherwise.
    let asked =
        ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"].map(|url| http::post(url).redirects(0).send());
    let asked = asked.map(|answer| matches!(answer, Err(error) if matches!(error.fault, HttpFault::Denied)));
    let letter = |denied: bool| if denied { 'n' } else { 'y' };
    values.into_iter().chain(asked).map(letter).collect()
}

fn is_denied(answer: Result<(), Error>) -> bool {
    matches!(answer, Err(Error::Denied(_)))
}
