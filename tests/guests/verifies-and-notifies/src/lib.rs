//! As a verifier sends a notice to `ops` and finds nothing. Ends as: done.

use orch_sdk::{Failure, Finding, Message, Subject, Verifier, notify};

pub struct VerifiesAndNotifies;

impl Verifier for VerifiesAndNotifies {
    fn verify(_subject: Subject) -> Result<Vec<Finding>, Failure> {
        notify::send(&Message::new("ops", "looked"))?;
        Ok(Vec::new())
    }
}

orch_sdk::export!(verifier: VerifiesAndNotifies);
