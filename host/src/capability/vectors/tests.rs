//! Each error case of the interface; what a call puts is seen once it is applied.

use wasmtime::component::ResourceTable;

use super::*;
use crate::capability::Ledger;
use crate::capability::bench::Bench;
use crate::capability::mood::Mood;

struct Open {
    vectors: Vectors,
    table: ResourceTable,
    ledger: Ledger,
    bench: Bench,
}

impl Open {
    fn new(mood: Mood) -> Self {
        let bench = Bench::in_mood(mood);
        let named = |name: &str| vec![name.to_owned()];
        let granted = VectorsPermission { read: named("docs"), write: named("code"), bytes: 100 };
        let store = bench.0.vectors.clone();
        let vectors = Vectors { granted: Arc::new(granted), store, is_executor: true, written: None };
        Self { vectors, table: ResourceTable::new(), ledger: bench.ledger(), bench }
    }

    fn view(&mut self) -> View<'_, Vectors> {
        View::of(&mut self.vectors, &mut self.table, &mut self.ledger)
    }

    async fn put(&mut self, collection: &str, document: Document) -> Result<(), Error> {
        self.view().put(collection.to_owned(), "m".to_owned(), document).await.unwrap()
    }

    async fn nearest(&mut self, collection: &str, vector: &[f32], count: u32) -> Result<Vec<Passage>, Error> {
        self.view().nearest(collection.to_owned(), vector.to_vec(), count, all()).await.unwrap()
    }

    async fn matching(&mut self, collection: &str, text: &str) -> Result<Vec<Passage>, Error> {
        self.view().matching(collection.to_owned(), text.to_owned(), 5, all()).await.unwrap()
    }
}

fn all() -> Filter {
    Filter { paths: Vec::new(), languages: Vec::new() }
}

fn document(path: &str, text: &str, vector: &[f32]) -> Document {
    let chunk = Chunk { first: 1, last: 2, text: text.to_owned(), vector: vector.to_vec() };
    Document {
        path: path.to_owned(),
        digest: "d".to_owned(),
        language: "rust".to_owned(),
        chunks: vec![chunk],
    }
}

#[tokio::test]
async fn only_granted_collections_are_read_and_fewer_are_written() {
    let mut open = Open::new(Mood::Good);
    assert!(open.nearest("docs", &[1.0], 1).await.is_ok() && open.matching("code", "a").await.is_ok());
    for other in ["notes", "", "*"] {
        assert!(matches!(open.nearest(other, &[1.0], 1).await, Err(Error::Denied(_))), "{other}");
        assert!(matches!(open.matching(other, "a").await, Err(Error::Denied(_))), "{other}");
        assert!(matches!(open.view().describe(other.to_owned()).await.unwrap(), Err(Error::Denied(_))));
        assert!(matches!(
            open.view().documents(other.to_owned(), None).await.unwrap(),
            Err(Error::Denied(_))
        ));
    }
    assert!(matches!(open.put("docs", document("a", "x", &[1.0])).await, Err(Error::Denied(_))));
    let removed = open.view().remove("docs".to_owned(), "a".to_owned()).await.unwrap();
    assert!(matches!(removed, Err(Error::Denied(_))));
    open.vectors.is_executor = false;
    assert!(matches!(open.put("code", document("a", "x", &[1.0])).await, Err(Error::Denied(_))));
    assert!(open.vectors.written.is_none());
}

#[tokio::test]
async fn what_a_call_puts_is_seen_once_it_is_applied_and_its_amount_and_digest_are_kept() {
    let mut open = Open::new(Mood::Good);
    open.put("code", document("a", "reads", &[1.0, 0.0])).await.unwrap();
    open.put("code", document("b", "writes", &[0.0, 1.0])).await.unwrap();
    open.view().remove("code".to_owned(), "gone".to_owned()).await.unwrap().unwrap();
    assert_eq!(open.nearest("code", &[1.0, 0.0], 5).await.unwrap().len(), 0, "not even by itself");
    let Open { vectors, bench, .. } = open;
    let mut kept = Kept::default();
    vectors.keep(&mut kept);
    let put = kept.writes.vectors["code"].clone();
    assert_eq!((put.documents, put.chunks, put.removed, put.digest.len()), (2, 2, 1, 64));
    assert!(bench.0.vectors().cache().unwrap().apply(&put.digest).unwrap());
    let mut after = Open::new(Mood::Good);
    after.vectors.store = bench.0.vectors.clone();
    let found = after.nearest("code", &[1.0, 0.1], 5).await.unwrap();
    assert_eq!(found.iter().map(|one| &*one.path).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(after.matching("code", "writes").await.unwrap()[0].path, "b");
    let known = after.view().documents("code".to_owned(), None).await.unwrap().unwrap();
    assert_eq!((known.len(), &*known[0].digest), (2, "d"));
    let holding = after.view().describe("code".to_owned()).await.unwrap().unwrap().unwrap();
    assert_eq!((&*holding.model, holding.dimension, holding.documents), ("m", 2, 2));
}

#[tokio::test]
async fn fields_over_their_limits_are_invalid_and_bytes_over_the_grant_a_limit() {
    let mut open = Open::new(Mood::Good);
    let edits: [fn(&mut Document); 8] = [
        |document| document.path = String::new(),
        |document| document.path = "a\nb".to_owned(),
        |document| document.digest = "x".repeat(129),
        |document| document.language = "Rust".to_owned(),
        |document| document.chunks[0].text = String::new(),
        |document| document.chunks[0].first = 0,
        |document| document.chunks[0].vector.clear(),
        |document| document.chunks[0].vector[0] = f32::NAN,
    ];
    for (place, edit) in edits.into_iter().enumerate() {
        let mut wrong = document("a", "x", &[1.0]);
        edit(&mut wrong);
        assert!(matches!(open.put("code", wrong).await, Err(Error::Invalid(_))), "{place}");
    }
    for count in [0, 101] {
        assert!(matches!(open.nearest("code", &[1.0], count).await, Err(Error::Invalid(_))));
    }
    assert!(matches!(open.nearest("code", &[], 1).await, Err(Error::Invalid(_))));
    assert!(matches!(open.matching("code", &"x".repeat(8193)).await, Err(Error::Invalid(_))));
    let sized = |bytes: usize| document("a", &"x".repeat(bytes - 5), &[1.0]);
    open.put("code", sized(60)).await.unwrap();
    assert!(matches!(open.put("code", sized(41)).await, Err(Error::Limit(_))));
    open.put("code", sized(40)).await.unwrap();
}

#[tokio::test]
async fn a_cache_that_cannot_be_reached_is_unavailable() {
    let mut open = Open::new(Mood::Unavailable);
    assert!(matches!(open.nearest("code", &[1.0], 1).await, Err(Error::Unavailable)));
    assert!(matches!(open.matching("code", "a").await, Err(Error::Unavailable)));
    assert!(matches!(open.put("code", document("a", "x", &[1.0])).await, Err(Error::Unavailable)));
    assert!(open.vectors.written.is_none());
}
