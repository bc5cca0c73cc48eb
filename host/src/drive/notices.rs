//! What the host itself tells people of a run that ended: by the provider that the workspace binds.
//!
//! In -> out: how a run ended, what `config.yaml` says -> notices in `run_finished` -> `notice_sent` for each.
//! Limits: [`WALL`] for each.
//! Invariant: the end is durable before anybody hears of it; a notice has one key, also when another host sends it again;
//! whatever comes of it, the run's end stays.
//! Not here: which channels there are and who may serve them (`plugins/providers.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::{Actor, AskedProvider, Event, NoticeSent, RunStatus, Writes};
use orch_journal::failpoint;
use orch_journal::state::Owed;

use super::attempt::warn_of_call;
use super::desk::{Desk, Notices};
use super::error::DriveError;
use super::gate::Gate;
use super::run::Run;
use crate::call::Lent;
use crate::capability::notes::Notes;
use crate::capability::nothing::Nothing;
use crate::capability::notify::{self, Message, Severity};
use crate::capability::provided::{Asking, Left, NoAnswer, Order};
use crate::clock::now_ms;
use crate::cut::cut_to;

/// For one notice.
const WALL: Duration = Duration::from_secs(30);
/// Code of the warning that a notice could not be sent.
pub const NOTICE_FAILED: &str = "notice-failed";
const WORKSPACE_BYTES_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 4096;

impl Notices {
    /// The channels that hear of a run that ended so.
    fn of(&self, status: RunStatus) -> &[String] {
        match status {
            RunStatus::Failed => &self.failed,
            RunStatus::Waiting => &self.waiting,
            RunStatus::Completed => &self.done,
            RunStatus::Planning | RunStatus::Executing | RunStatus::Cancelled => &[],
        }
    }
}

/// What is owed of a run that ends so; `place`: of the event that says so.
pub fn owed(run: &str, place: u64, status: RunStatus, desk: &Desk) -> Vec<AskedProvider> {
    let provider = desk.providers.notify.as_ref().map(|provider| provider.id().to_owned());
    let rules = desk.rules();
    let channels = rules.notices.of(status).iter().enumerate();
    let asked = channels.map(|(nth, channel)| AskedProvider {
        consumer: String::new(),
        provider: provider.clone().unwrap_or_default(),
        subject: channel.clone(),
        key: format!("{run}-e{place}.{}", nth + 1),
        reserved: None,
    });
    asked.collect()
}

/// Sends what is owed, one after the other; afterwards nothing is.
pub async fn send(run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
    let owed = run.state().owed.clone();
    if owed.is_empty() {
        return Ok(());
    }
    for notice in owed {
        failpoint::hit("before-notice");
        let left = one(run, desk, &notice).await;
        let Left { answer, writes, notes, .. } = left;
        failpoint::hit("after-notice");
        warn_of_call(run, &notice.asked.provider, &[], &notes)?;
        let fault = answer.err();
        if let Some(why) = &fault {
            let text = format!(
                "no notice for `{}` that the run {}: {why}",
                notice.asked.subject,
                word(notice.status)
            );
            run.record(Event::Warned { code: NOTICE_FAILED.to_owned(), text })?;
        }
        let mut writes = Writes { provided: writes.into_values().collect(), ..Writes::default() };
        if run.fit(&mut writes).is_err() {
            writes = Writes::default();
        }
        let (key, written) = (notice.asked.key, writes.kv_only());
        let sent = NoticeSent { key, fault, writes, at: now_ms() };
        desk.kv.commit(&written, &desk.journal, || run.record(Event::NoticeSent(Box::new(sent))))?;
    }
    run.durable(desk).await?;
    desk.journal.sign_head();
    Ok(())
}

/// Sends one; the error is for people.
async fn one(run: &mut Run, desk: &Desk, notice: &Owed) -> Left<(), String> {
    let not_sent = |why: String| Left {
        answer: Err(why),
        writes: BTreeMap::new(),
        notes: Notes::default(),
        changed: false,
    };
    let channel = &notice.asked.subject;
    let Some(provider) = desk.providers.notify.clone() else {
        return not_sent("no plugin provides `notify`".to_owned());
    };
    let id = provider.id().to_owned();
    if !provider.provides().notify.as_ref().is_some_and(|may| may.allows(channel)) {
        return not_sent(format!("`{id}` may not be asked for that channel"));
    }
    if provider.is_withdrawn() {
        return not_sent(format!("`{id}` was withdrawn"));
    }
    let message = message(notice, &desk.providers.workspace, &run.id);
    if let Err(why) = notify::check(&message) {
        return not_sent(why);
    }
    let by = Actor::Call { number: run.last() };
    let (run_id, key): (Arc<str>, Arc<str>) = (run.id.as_str().into(), notice.asked.key.as_str().into());
    let lent = Lent {
        kv: desk.kv.clone(),
        metrics: desk.metrics.clone(),
        effects: Arc::new(Gate::new(by, run.ask(), desk)),
        log: desk.log.clone(),
        secrets: desk.secrets.clone(),
        providers: desk.providers.clone(),
        egress: desk.egress.clone(),
        asking: Asking { run: run_id.clone(), key, ..Asking::default() },
        ..Nothing::lent(desk.workspace.clone(), WALL)
    };
    let workspace = desk.providers.workspace.clone();
    let order = Order { consumer: String::new(), key: notice.asked.key.clone(), run: run_id, workspace };
    let call = provider.answer(lent, order, message);
    match run.serving_a_call(desk, call).await {
        Ok(Left { answer, writes, notes, changed }) => {
            let said = |error| match error {
                NoAnswer::Refused(why) | NoAnswer::Failed(why) => format!("`{id}`: {why}"),
                NoAnswer::Closed => format!("the call of `{id}` was ended by the host"),
            };
            Left { answer: answer.map(|_| ()).map_err(said), writes, notes, changed }
        }
        Err(error) => not_sent(error.to_string()),
    }
}

fn word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Failed => "failed",
        RunStatus::Waiting => "waits",
        _ => "is done",
    }
}

fn message(notice: &Owed, workspace: &str, run: &str) -> Message {
    let plain = |text: &str| text.chars().filter(|one| !one.is_control()).collect::<String>();
    let workspace = plain(cut_to(workspace, WORKSPACE_BYTES_MAX));
    Message {
        channel: notice.asked.subject.clone(),
        title: format!("{workspace}: run {run} {}", word(notice.status)),
        text: plain(cut_to(&notice.why, TEXT_BYTES_MAX)),
        severity: match notice.status {
            RunStatus::Failed => Severity::Error,
            RunStatus::Waiting => Severity::Warning,
            _ => Severity::Info,
        },
        link: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_whatever_workspace_is_inside_its_limits() {
        for (workspace, why) in [
            ("site", "every task is done"),
            ("\u{1b}[2J\n", "a\nb\u{7}"),
            (&"ä".repeat(300), &"ü".repeat(9000)),
        ] {
            for status in [RunStatus::Failed, RunStatus::Waiting, RunStatus::Completed] {
                let asked = AskedProvider {
                    consumer: String::new(),
                    provider: "demo/n".to_owned(),
                    subject: "ops".to_owned(),
                    key: "k".to_owned(),
                    reserved: None,
                };
                let notice = Owed { asked, status, why: why.to_owned() };
                let message = message(&notice, workspace, "20261121-121726-4f3a");
                assert_eq!(notify::check(&message), Ok(()), "{message:?}");
            }
        }
    }
}
