//! Each error case of the interface; who asks gets what it was granted, whatever the provider may.

use proptest::prelude::*;
use wasmtime::component::ResourceTable;

use orch_trust::permission::DomainName;

use super::message::{LINK_BYTES_MAX, TEXT_BYTES_MAX, TITLE_BYTES_MAX};
use super::*;
use crate::capability::bench::Bench;
use crate::capability::effect::EffectRecord;
use crate::capability::ledger::Ledger;
use crate::capability::mood::Mood;
use crate::capability::provided::Order;

struct Open {
    notify: Notify,
    table: ResourceTable,
    ledger: Ledger,
    bench: Bench,
}

impl Open {
    fn new(channels: &[&str], mood: Mood) -> Self {
        let bench = Bench::in_mood(mood);
        let channels = channels.iter().map(|&channel| channel.to_owned()).collect();
        let lent = bench.context("/".into(), std::time::Duration::from_secs(5)).into_lent();
        let ledger = lent.ledger("acme/asks");
        let notify =
            Notify { granted: Arc::new(NotifyPermission { channels }), plugin: "demo/x".into(), lent };
        Self { notify, table: ResourceTable::new(), ledger, bench }
    }

    async fn send(&mut self, message: Message) -> wasmtime::Result<Result<Receipt, Error>> {
        View::of(&mut self.notify, &mut self.table, &mut self.ledger).send(message).await
    }

    fn sent(&self) -> Vec<(Order, Message)> {
        self.bench.0.notify().sent()
    }
}

fn message(channel: &str) -> Message {
    let (channel, title) = (channel.to_owned(), "title".to_owned());
    Message { channel, title, text: String::new(), severity: Severity::Info, link: None }
}

#[tokio::test]
async fn each_notice_has_its_intent_first_and_a_key_of_its_own() {
    let mut open = Open::new(&["ops"], Mood::Good);
    for key in ["run-1.1", "run-1.2"] {
        let receipt = open.send(message("ops")).await.unwrap().unwrap();
        assert_eq!(receipt.id, key, "the fake's receipt is the key that it was handed");
    }
    let keys: Vec<String> = open
        .bench
        .effects()
        .into_iter()
        .map(|effect| match effect {
            EffectRecord::ProviderAsked { domain: DomainName::Notify, asked, spends: false } => {
                assert_eq!((&*asked.consumer, &*asked.provider), ("demo/x", "fake/notifier"));
                assert_eq!(asked.subject, "ops");
                asked.key
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys, ["run-1.1", "run-1.2"]);
    let (order, _) = &open.sent()[0];
    assert_eq!((&*order.consumer, &*order.run, &*order.workspace), ("demo/x", "run", "trial"));
    assert!(open.ledger.into_parts().1, "an effect");
}

#[tokio::test]
async fn a_channel_that_is_not_granted_is_denied_and_nobody_is_asked() {
    let mut open = Open::new(&["ops"], Mood::Good);
    for channel in ["dev", "op", "OPS", "*", ""] {
        assert!(matches!(open.send(message(channel)).await.unwrap(), Err(Error::Denied(_))), "{channel}");
    }
    assert!(open.sent().is_empty() && open.bench.effects().is_empty());
    assert_eq!(open.ledger.into_parts().0[0], "notify: channel `dev`");
}

#[tokio::test]
async fn a_field_over_its_limit_is_invalid_and_nobody_is_asked() {
    let mut open = Open::new(&["ops"], Mood::Good);
    let with = |edit: fn(&mut Message)| {
        let mut message = message("ops");
        edit(&mut message);
        message
    };
    let bad: [fn(&mut Message); 9] = [
        |message| message.title.clear(),
        |message| message.title = "t".repeat(TITLE_BYTES_MAX + 1),
        |message| message.title = "two\nlines".to_owned(),
        |message| message.text = "x".repeat(TEXT_BYTES_MAX + 1),
        |message| message.text = "\u{1b}[2J".to_owned(),
        |message| message.link = Some("https://".to_owned()),
        |message| message.link = Some("file:///etc/passwd".to_owned()),
        |message| message.link = Some("https://a b".to_owned()),
        |message| message.link = Some(format!("https://{}", "a".repeat(LINK_BYTES_MAX - 7))),
    ];
    for (place, edit) in bad.into_iter().enumerate() {
        assert!(matches!(open.send(with(edit)).await.unwrap(), Err(Error::Invalid(_))), "{place}");
    }
    assert!(open.sent().is_empty() && open.bench.effects().is_empty());
    let good: [fn(&mut Message); 3] = [
        |message| message.title = "t".repeat(TITLE_BYTES_MAX),
        |message| message.text = "\tx\r\n".repeat(TEXT_BYTES_MAX / 4),
        |message| message.link = Some(format!("https://{}", "a".repeat(LINK_BYTES_MAX - 8))),
    ];
    for edit in good {
        assert!(open.send(with(edit)).await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_unavailable_and_one_that_refuses_says_nothing_of_itself() {
    for mood in [Mood::Unavailable, Mood::Killed, Mood::TimedOut, Mood::Full] {
        let mut open = Open::new(&["ops"], mood);
        assert!(matches!(open.send(message("ops")).await.unwrap(), Err(Error::Unavailable)), "{mood:?}");
        assert_eq!(open.ledger.notes.warned[0].0, "provider-failed");
    }
    let mut open = Open::new(&["ops"], Mood::Failing);
    match open.send(message("ops")).await.unwrap() {
        Err(Error::Invalid(text)) => assert!(!text.contains("fake"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert!(open.ledger.notes.warned[0].1.contains("the fake refuses"), "the operator hears it");
}

#[tokio::test]
async fn without_a_provider_or_with_one_that_was_withdrawn_there_is_no_intent() {
    let mut open = Open::new(&["ops"], Mood::Missing);
    assert!(matches!(open.send(message("ops")).await.unwrap(), Err(Error::Unavailable)));
    let mut bare = Open::new(&["ops"], Mood::Good);
    bare.notify.lent.providers.notify = None;
    assert!(matches!(bare.send(message("ops")).await.unwrap(), Err(Error::Unavailable)));
    for open in [open, bare] {
        assert!(open.sent().is_empty() && open.bench.effects().is_empty());
        assert!(open.ledger.reason().is_some());
    }
}

#[tokio::test]
async fn a_closed_gate_ends_the_call_before_the_provider_is_asked() {
    let mut open = Open::new(&["ops"], Mood::Closed);
    assert!(open.send(message("ops")).await.is_err());
    let mut open = Open::new(&["ops"], Mood::Good);
    open.ledger.close();
    assert!(open.send(message("ops")).await.is_err());
    assert!(open.sent().is_empty());
}

proptest! {
    /// The fake may be asked for everything.
    #[test]
    fn who_is_granted_some_channels_reaches_no_other_by_a_provider_that_may_everything(
        granted in prop::collection::vec("[a-c]{1,2}", 0..3),
        wanted in "[a-c*]{0,2}",
    ) {
        let channels: Vec<&str> = granted.iter().map(String::as_str).collect();
        let mut open = Open::new(&channels, Mood::Good);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(open.send(message(&wanted))).unwrap();
        let is_granted = granted.contains(&wanted);
        prop_assert_eq!(answer.is_ok(), is_granted);
        prop_assert_eq!(matches!(answer, Err(Error::Denied(_))), !is_granted);
        prop_assert_eq!(open.sent().len(), usize::from(is_granted));
        prop_assert_eq!(open.bench.effects().len(), usize::from(is_granted));
    }
}
