//! Conformance of providers: notices delivered, plain ones and those at the edges; a refusal says why.
//!
//! In -> out: nothing of a run -> cases.
//! Not here: models (`models.rs`), what of a message the host checks before (`orch-host`'s `capability/notify.rs`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::capability::notify::{Message, Receipt, Severity};
use orch_host::role::provider::SendNotice;
use orch_task::Kind;
use orch_trust::interfaces::provided_by;
use orch_trust::permission::DomainName;

use super::Questions;
use super::call::{Call, Judged};
use super::case::{Case, STORES};
use super::value::{order, text};
use super::{models, passages, vectors};

const NOTICES: Questions = Questions { cases, seeded, functions: 1 };
const MODELS: Questions = Questions { cases: models::cases, seeded: models::seeded, functions: 1 };
const PASSAGES: Questions = Questions { cases: passages::cases, seeded: passages::seeded, functions: 1 };
const VECTORS: Questions = Questions { cases: vectors::cases, seeded: vectors::seeded, functions: 1 };

/// What is asked of whoever exports that.
pub(super) fn questions(exports: &[String]) -> Vec<Questions> {
    let provides = |domain| exports.iter().any(|export| provided_by(export) == Some(domain));
    let known = [
        (DomainName::Notify, NOTICES),
        (DomainName::Llm, MODELS),
        (DomainName::Embed, VECTORS),
        (DomainName::Retrieve, PASSAGES),
    ];
    let asked: Vec<Questions> =
        known.into_iter().filter(|(domain, _)| provides(*domain)).map(|(_, asked)| asked).collect();
    match asked.is_empty() {
        true => vec![NOTICES],
        false => asked,
    }
}

const TITLE_BYTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 16 << 10;
const LINK_BYTES_MAX: usize = 2048;

impl Judged for SendNotice {
    /// The host looks at all that there is.
    fn wrong(&self, _answer: &Receipt) -> Vec<String> {
        Vec::new()
    }
}

fn plain() -> SendNotice {
    let message = Message {
        channel: "ops".to_owned(),
        title: "the backup is done".to_owned(),
        text: "12 files\nin 3 s".to_owned(),
        severity: Severity::Info,
        link: Some("https://example.org/runs/1".to_owned()),
    };
    SendNotice { order: order("acme/backup", "20261121-121726-4f3a-t0.1.1", "20261121-121726-4f3a"), message }
}

fn cases(_kind: &Kind) -> Vec<Case> {
    let plain = plain();
    let least = SendNotice {
        order: order("", "k", ""),
        message: Message {
            channel: "a".to_owned(),
            title: "!".to_owned(),
            text: String::new(),
            severity: Severity::Warning,
            link: None,
        },
    };
    let most = SendNotice {
        order: order(&format!("{}/x", "a".repeat(64)), &"k".repeat(256), &"r".repeat(64)),
        message: Message {
            channel: "a".repeat(64),
            title: "t".repeat(TITLE_BYTES_MAX),
            text: "x\n".repeat(TEXT_BYTES_MAX / 2),
            severity: Severity::Error,
            link: Some(format!("http://{}", "l".repeat(LINK_BYTES_MAX - 7))),
        },
    };
    let mut cases = vec![
        Case::survived("notice", plain.clone()),
        Case::survived("the-same-again", plain.clone()),
        Case::survived("notice-of-the-host", least),
        Case::survived("notice-at-every-limit", most),
    ];
    cases.extend(STORES.map(|(name, mood)| Case::in_mood(name, &plain, mood)));
    cases
}

/// A text as the host lets it pass: at most so many bytes, and without control characters but those that may be.
fn allowed(mut text: String, bytes_max: usize, may_be: &[char]) -> String {
    text.retain(|one| !one.is_control() || may_be.contains(&one));
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let title = allowed(text(source)?, TITLE_BYTES_MAX, &[]);
    let message = Message {
        channel: source.choose(&["ops", "a", "0-9"])?.to_string(),
        title: if title.is_empty() { "?".to_owned() } else { title },
        text: allowed(text(source)?, TEXT_BYTES_MAX, &['\n', '\r', '\t']),
        severity: *source.choose(&[Severity::Info, Severity::Warning, Severity::Error])?,
        link: source.arbitrary::<bool>()?.then(|| "https://example.org/?a=%00&b=\"'<".to_owned()),
    };
    let key = format!("run-{}", source.int_in_range(0..=999_999u32)?);
    let consumer = source.choose(&["", "acme/backup"])?;
    Ok(Arc::new(SendNotice { order: order(consumer, &key, "run"), message }))
}
