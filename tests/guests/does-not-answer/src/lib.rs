//! A verifier and guard that does not answer: its setting `how` says in which way. Ends as: plugin-trap, limit-busy,
//! limit-memory, limit-host-calls, limit-output, or its own failure; `well`: it answers.

use std::collections::BTreeMap;

use orch_sdk::{
    Category, Failure, Finding, Guard, Judgement, ProposedChange, Severity, Subject, Verifier, settings,
};

pub struct DoesNotAnswer;

/// Comes back if the answer is to be one, with how long it has to be.
fn how() -> Result<usize, Failure> {
    let settings = settings::parse::<BTreeMap<String, String>>()?;
    match settings.get("how").map_or("", String::as_str) {
        "well" => Ok(0),
        "output" => Ok(4 << 20),
        "trap" => panic!("this is too much for me"),
        "busy" => loop {
            std::hint::black_box(0);
        },
        "memory" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(std::hint::black_box(vec![1u8; 64 * 1024]));
            }
        }
        "host-calls" => loop {
            std::hint::black_box(settings::read());
        },
        other => Err(Failure::new(format!("no idea, `{other}`"))),
    }
}

impl Verifier for DoesNotAnswer {
    fn verify(_subject: Subject) -> Result<Vec<Finding>, Failure> {
        let (message, location) = ("x".repeat(how()?), None);
        let found = Finding { severity: Severity::Minor, category: Category::Custom, message, location };
        Ok(if found.message.is_empty() { Vec::new() } else { vec![found] })
    }
}

impl Guard for DoesNotAnswer {
    fn judge(_change: ProposedChange) -> Result<Judgement, Failure> {
        Ok(match how()? {
            0 => Judgement::Allow,
            length => Judgement::refuse("x".repeat(length)),
        })
    }
}

orch_sdk::export!(verifier: DoesNotAnswer, guard: DoesNotAnswer);
