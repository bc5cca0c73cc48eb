//! Each error case of the interface; who asks gets what it was granted, whatever the provider may.

use wasmtime::component::ResourceTable;

use super::embed::Host;
use super::*;
use crate::capability::bench::Bench;
use crate::capability::effect::EffectRecord;
use crate::capability::ledger::Ledger;
use crate::capability::mood::Mood;

struct Open {
    embed: Embed,
    table: ResourceTable,
    ledger: Ledger,
    bench: Bench,
}

impl Open {
    fn new(models: &[&str], mood: Mood) -> Self {
        let models = models.iter().map(|&model| model.to_owned()).collect();
        let bench = Bench::in_mood(mood);
        let lent = bench.context("/".into(), std::time::Duration::from_secs(5)).into_lent();
        let ledger = lent.ledger("acme/asks");
        let granted = Arc::new(EmbedPermission { models, bytes: 100 });
        let embed = Embed { granted, plugin: "demo/x".into(), lent };
        Self { embed, table: ResourceTable::new(), ledger, bench }
    }

    async fn embed(&mut self, model: &str, texts: &[&str]) -> Result<Answer, ChatError> {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        let request = Request { model: model.to_owned(), texts };
        View::of(&mut self.embed, &mut self.table, &mut self.ledger).embed(request).await.unwrap()
    }

    fn is_untouched(&self) -> bool {
        self.bench.0.embed().asked().is_empty() && self.bench.effects().is_empty()
    }
}

#[tokio::test]
async fn texts_have_their_intent_first_and_what_came_is_recorded() {
    let mut open = Open::new(&["vectors"], Mood::Good);
    let answer = open.embed("", &["reads a file", "reads a file", "sea"]).await.unwrap();
    assert!(answer.vectors[0] == answer.vectors[1] && answer.vectors[0] != answer.vectors[2]);
    let effects = open.bench.effects();
    let [EffectRecord::ProviderAsked { domain, spends: true, asked }, came] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((*domain, &*asked.subject, &*asked.key), (DomainName::Embed, "vectors", "run-1.1"));
    let EffectRecord::ModelAnswered { domain: DomainName::Embed, answer } = came else { panic!("{came:?}") };
    assert_eq!((&*answer.consumer, &*answer.key, answer.input), ("demo/x", "run-1.1", 100));
    assert_eq!((answer.question.len(), answer.answer.as_ref().unwrap().len()), (64, 64));
    assert!(!open.ledger.into_parts().1, "it changed nothing");
}

#[tokio::test]
async fn what_is_not_granted_or_known_is_denied_and_nobody_is_asked() {
    let mut open = Open::new(&["vectors"], Mood::Good);
    for model in ["others", "vector", "*"] {
        assert!(matches!(open.embed(model, &["a"]).await, Err(ChatError::Denied(_))), "{model}");
    }
    let mut unknown = Open::new(&["vectors"], Mood::Good);
    unknown.embed.lent.providers.models = Arc::default();
    assert!(matches!(unknown.embed("vectors", &["a"]).await, Err(ChatError::Denied(_))));
    assert!(matches!(unknown.embed("", &["a"]).await, Err(ChatError::Denied(_))));
    assert!(open.is_untouched() && unknown.is_untouched());
    assert_eq!(open.ledger.into_parts().0[0], "embed: model `others`");
}

#[tokio::test]
async fn texts_over_their_limits_are_invalid_and_nobody_is_asked() {
    let mut open = Open::new(&["vectors"], Mood::Good);
    let (many, long, more) = (vec!["a"; 257], "x".repeat((32 << 10) + 1), "x".repeat(51));
    for texts in [&[][..], &[""], &many, &[&long], &[&more, &more]] {
        assert!(matches!(open.embed("vectors", texts).await, Err(ChatError::Invalid(_))), "{}", texts.len());
    }
    assert!(open.is_untouched());
    let half = "x".repeat(50);
    assert!(open.embed("vectors", &[&half, &half]).await.is_ok(), "at the limit");
}

#[tokio::test]
async fn without_a_provider_there_is_no_intent_and_what_one_says_is_told() {
    let mut bare = Open::new(&["vectors"], Mood::Good);
    bare.embed.lent.providers.embed.clear();
    assert!(matches!(bare.embed("vectors", &["a"]).await, Err(ChatError::Unavailable)));
    let mut withdrawn = Open::new(&["vectors"], Mood::Missing);
    assert!(matches!(withdrawn.embed("vectors", &["a"]).await, Err(ChatError::Unavailable)));
    assert!(bare.is_untouched() && withdrawn.is_untouched());
    let mut busy = Open::new(&["vectors"], Mood::TimedOut);
    assert!(matches!(busy.embed("vectors", &["a"]).await, Err(ChatError::Busy(Some(1000)))));
    assert_eq!(busy.bench.effects().len(), 2, "what nobody answered is recorded, too");
}

#[test]
fn an_answer_has_a_finite_vector_of_the_dimension_for_each_text() {
    let target = Target { model: "m".to_owned(), base_url: String::new(), dimension: NonZeroU32::MIN };
    let request = Request { model: "vectors".to_owned(), texts: vec!["a".to_owned(), "b".to_owned()] };
    let asked = Texts { target, request };
    let good = || Answer {
        vectors: vec![vec![0.5], vec![-1.0]],
        input: 3,
        model: "m".to_owned(),
        id: String::new(),
    };
    assert_eq!(check::answer(&asked, &good()), Ok(()));
    let bad: [fn(&mut Answer); 6] = [
        |answer| answer.vectors.truncate(1),
        |answer| answer.vectors.push(vec![0.0]),
        |answer| answer.vectors[1] = vec![0.0, 0.0],
        |answer| answer.vectors[1] = vec![f32::NAN],
        |answer| answer.input = u64::MAX,
        |answer| answer.model = "a\nb".to_owned(),
    ];
    for (place, edit) in bad.into_iter().enumerate() {
        let mut answer = good();
        edit(&mut answer);
        assert!(check::answer(&asked, &answer).is_err(), "{place}");
    }
}
