//! The loop: ask, do, tell, until the task is done or cannot be.
//!
//! In -> out: a task in words, a model, a world -> [`Work`], or the [`Fault`] that ended it.
//! Limits: turns, tokens, time and bytes of the settings; 32 calls an answer.
//! Invariant: every call is answered, in order, before the model is asked again; nothing that it wrote ends this but its own
//! `finish`, and what it wrote is told back to it cut to what a conversation holds.
//! Not here: what tools do (`hands.rs`), what is kept of a long conversation (`compact.rs`).

use std::collections::BTreeSet;

use crate::compact;
use crate::fault::{Class, Fault};
use crate::hands::{Hands, Reach, shortened};
use crate::model::{Answer, Message, Model, NoAnswer, Offer, Stop, ToolCall};
use crate::repeats::{Repeats, Turn};
use crate::settings::{Agent, Settings};
use crate::tool::{Call, Tool};
use crate::world::World;

const CALLS_MAX: usize = 32;
/// Of what a model says, told back to it.
const TEXT_BYTES_MAX: usize = 32 << 10;
const ID_BYTES_MAX: usize = 128;
/// Where nobody says how much fits.
const WINDOW_TOKENS: u64 = 100_000;
/// Of the window, for questions; the rest is for the answer.
const FULL_PERCENT: u64 = 75;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub summary: String,
    pub turns: u32,
    pub tokens: u64,
    pub changes: u32,
    pub commands: u32,
    pub denials: u32,
}

/// What an attempt is given.
pub struct Brief<'a> {
    pub settings: &'a Settings,
    pub agent: &'a Agent,
    pub system: String,
    pub task: String,
    /// For the whole attempt.
    pub ms: u64,
}

/// Works on a task.
///
/// # Errors
/// [`Fault`]: why it is not done.
pub fn work(brief: &Brief<'_>, model: &mut impl Model, world: &mut impl World) -> Result<Work, Fault> {
    let Brief { settings, agent, .. } = brief;
    let offered: Vec<Tool> = {
        let fits = |tool: &&Tool| **tool != Tool::Run || !settings.programs.is_empty();
        let own = agent.tools.iter().filter(fits).copied().filter(|tool| *tool != Tool::Finish);
        own.chain([Tool::Finish]).collect()
    };
    let offers: Vec<Offer> = offered.iter().map(|tool| tool.offer(&settings.programs)).collect();
    let mut messages = vec![Message::System(brief.system.clone()), Message::User(brief.task.clone())];
    let mut repeats = Repeats::new(settings.repeats_max);
    let reach = Reach {
        result_bytes_max: settings.result_bytes_max.max(256),
        run_ms_max: settings.run_seconds_max.saturating_mul(1000),
    };
    let mut hands = Hands::new(world, reach);
    let (mut done, mut malformed, mut results_bytes) = (Work::default(), 0_u32, 0_usize);
    let window = window(settings, model);
    loop {
        let left_ms = brief.ms.saturating_sub(hands.world.elapsed_ms());
        spent(settings, &done, results_bytes, left_ms)?;
        done.tokens = done.tokens.saturating_add(make_fit(&mut messages, &offers, window, model)?);
        let answer = match model.ask(&messages, &offers) {
            // The provider's own count may be another.
            Err(NoAnswer::Invalid(_)) if compact::shorten(&mut messages) => continue,
            answer => answer?,
        };
        done.turns = done.turns.saturating_add(1);
        done.tokens = done.tokens.saturating_add(answer.read).saturating_add(answer.written);
        let calls = named(&answer.calls);
        let text = shortened(answer.text.trim(), TEXT_BYTES_MAX);
        if answer.stop == Stop::Refused {
            let why = format!("it will not do this: {}", shortened(&text, 1024));
            return Err(Fault::new(Class::GaveUp, why));
        }
        if calls.is_empty() {
            malformed = malformed.saturating_add(1);
            check_malformed(malformed, settings, "answered without a call of a tool")?;
            // Some providers refuse an empty message.
            let text = if text.is_empty() { "(nothing)".to_owned() } else { text };
            messages.push(Message::Assistant { text, calls });
            messages.push(Message::User(nudge(&answer).to_owned()));
            continue;
        }
        messages.push(Message::Assistant { text, calls: calls.iter().map(as_told).collect() });
        for (nth, call) in calls.into_iter().enumerate() {
            let told = match Call::parse(&call, &offered) {
                _ if nth >= CALLS_MAX => {
                    let text = format!("more than {CALLS_MAX} calls in one answer: this one was not made");
                    crate::hands::Result { text, failed: true }
                }
                Err(why) => {
                    malformed = malformed.saturating_add(1);
                    check_malformed(malformed, settings, &why)?;
                    crate::hands::Result { text: why, failed: true }
                }
                Ok(Call::Finish(finish)) if finish.done => {
                    return Ok(Work {
                        summary: finish.summary,
                        changes: hands.changes,
                        commands: hands.commands,
                        denials: hands.denials,
                        ..done
                    });
                }
                Ok(Call::Finish(finish)) => {
                    return Err(Fault::new(Class::GaveUp, shortened(&finish.summary, 2048)));
                }
                Ok(meant) => {
                    malformed = 0;
                    match repeats.call(&call.name, &call.arguments) {
                        Turn::Lost => return Err(lost(&format!("asks for `{}` with the same arguments again and again", call.name))),
                        Turn::Circle => crate::hands::Result {
                            text: "you asked for exactly this several times and nothing changed since: the answer is the same, go on in another way or `finish`".to_owned(),
                            failed: true,
                        },
                        Turn::New => {
                            let left_ms = brief.ms.saturating_sub(hands.world.elapsed_ms());
                            let mut told = hands.perform(&meant, &mut repeats, left_ms);
                            match hands.turn {
                                Turn::Lost => return Err(lost("makes edits that undo each other")),
                                Turn::Circle => told.text.push_str("\nThe file is now what it was before: you are going in circles"),
                                Turn::New => {}
                            }
                            told
                        }
                    }
                }
            };
            results_bytes = results_bytes.saturating_add(told.text.len());
            messages.push(Message::Tool { call: call.id, text: told.text, failed: told.failed });
        }
    }
}

/// Fails if a limit is used up.
fn spent(settings: &Settings, done: &Work, results_bytes: usize, left_ms: u64) -> Result<(), Fault> {
    let over = |what: &str| Err(Fault::new(Class::Budget, format!("the task is not done and {what}")));
    if done.turns >= settings.turns_max {
        return over(&format!("its {} turns are used up (`turns_max`)", settings.turns_max));
    }
    if done.tokens >= settings.tokens_max {
        return over(&format!(
            "{} tokens are used, limit is {} (`tokens_max`)",
            done.tokens, settings.tokens_max
        ));
    }
    if results_bytes >= settings.results_bytes_max {
        return over(&format!(
            "results of tools have {results_bytes} bytes, limit is {} (`results_bytes_max`)",
            settings.results_bytes_max
        ));
    }
    if left_ms == 0 {
        return over("its time is over (`seconds_max`, or the task's own)");
    }
    Ok(())
}

fn lost(how: &str) -> Fault {
    Fault::new(Class::Model, format!("it goes in circles: it {how}"))
}

fn check_malformed(malformed: u32, settings: &Settings, why: &str) -> Result<(), Fault> {
    match malformed > settings.malformed_max {
        true => Err(Fault::new(
            Class::Model,
            format!("{malformed} calls in a row that are none, the last one: {}", shortened(why, 512)),
        )),
        false => Ok(()),
    }
}

/// What is said to an answer that asks for nothing.
fn nudge(answer: &Answer) -> &'static str {
    match (answer.stop, answer.text.trim().is_empty()) {
        (Stop::Length, _) => {
            "Your answer was cut off at its limit, and nothing of it was done. Go on in smaller steps: one call of a tool at a time."
        }
        (_, true) => "Your answer was empty. Call a tool, or `finish`.",
        _ => "Nothing happens by words alone. Call a tool, or `finish` if the task is done.",
    }
}

/// Calls with ids that differ and fit: results name them.
fn named(calls: &[ToolCall]) -> Vec<ToolCall> {
    let mut seen = BTreeSet::new();
    let name = |(nth, call): (usize, &ToolCall)| {
        let fits = (1..=ID_BYTES_MAX).contains(&call.id.len()) && seen.insert(call.id.clone());
        let id = if fits { call.id.clone() } else { format!("call-{nth}") };
        ToolCall { id, ..call.clone() }
    };
    calls.iter().enumerate().map(name).collect()
}

/// A call as it stands in the conversation: what is no object of JSON a provider could not send again.
fn as_told(call: &ToolCall) -> ToolCall {
    let is_object =
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&call.arguments).is_ok();
    let arguments = if is_object { call.arguments.clone() } else { "{}".to_owned() };
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let name = if is_name(&call.name) { call.name.clone() } else { "unknown".to_owned() };
    ToolCall { id: call.id.clone(), name, arguments }
}

/// Tokens of a question.
fn window(settings: &Settings, model: &impl Model) -> u64 {
    let whole = match (settings.window_tokens, model.window()) {
        (0, 0) => WINDOW_TOKENS,
        (0, window) => window,
        (said, 0) => said,
        (said, window) => said.min(window),
    };
    whole.saturating_mul(FULL_PERCENT) / 100
}

/// Makes the conversation fit; gives the tokens that it took.
fn make_fit(
    messages: &mut Vec<Message>,
    offers: &[Offer],
    window: u64,
    model: &mut impl Model,
) -> Result<u64, Fault> {
    let tools: usize =
        offers.iter().map(|offer| offer.description.len().saturating_add(offer.parameters.len())).sum();
    let room = window.saturating_sub((tools / 3) as u64);
    if compact::tokens(messages) <= room || (compact::shorten(messages) && compact::tokens(messages) <= room)
    {
        return Ok(0);
    }
    let used = compact::summarise(messages, model)?;
    match compact::tokens(messages) <= room
        || (compact::shorten_but(messages, 0) && compact::tokens(messages) <= room)
    {
        true => Ok(used),
        false => {
            let why = format!("the task alone does not fit {window} tokens of the model's window");
            Err(Fault::new(Class::Budget, why))
        }
    }
}
