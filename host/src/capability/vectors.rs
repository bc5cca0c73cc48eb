//! `orch:vectors`: passages with a vector each, in collections of the workspace.
//!
//! In -> out: WIT calls -> a cache of vectors that the host lends; what a call put -> a sealed batch, named in its [`Writes`].
//! Limits: those of the WIT text; the grant's bytes for what one call writes.
//! Invariant: no collection is read or written that is not granted; what a call put is seen once its result was accepted.
//! Not here: the cache (`orch-vectors`), where it lies (`vectors/backend.rs`), applying a batch (`drive/attempt.rs`).
//!
//! [`Writes`]: orch_journal::event::Writes

pub mod backend;
pub(crate) mod check;
pub(crate) mod fake;

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_journal::event::VectorsPut;
use orch_trust::interfaces::Import;
use orch_trust::manifest::Role;
use orch_trust::permission::VectorsPermission;
use orch_vectors::{Batch, CacheError};
use sha2::{Digest, Sha256};
use wasmtime::component::Linker;

use self::backend::VectorStore;
use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::types::types::Error;
use crate::bindings::vectors::vectors::{
    Chunk, Document, Filter, Holding, Host, Known, Passage, add_to_linker,
};

const NAME_SHOWN_MAX: usize = 64;

/// State of this capability in one store.
pub struct Vectors {
    granted: Arc<VectorsPermission>,
    store: Arc<dyn VectorStore>,
    /// Writes of other roles have no result to be kept with.
    is_executor: bool,
    /// What this call put so far.
    written: Option<Written>,
}

/// What a call puts.
struct Written {
    batch: Batch,
    by_collection: BTreeMap<String, VectorsPut>,
    bytes: u64,
    digest: Sha256,
}

impl Capability for Vectors {
    type Permission = VectorsPermission;
    type Granted = Arc<VectorsPermission>;

    fn grant(permission: VectorsPermission, _host: &HostEnvironment) -> Arc<VectorsPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<VectorsPermission>, opening: Opening<'_>) -> Self {
        let is_executor = opening.role == Role::Executor;
        Self { granted: granted.clone(), store: opening.lent.vectors.clone(), is_executor, written: None }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        if let Some(Written { batch, by_collection, digest, .. }) = self.written {
            let digest = hex::encode(digest.finalize());
            batch.seal(digest.clone());
            let named = |(collection, put)| (collection, VectorsPut { digest: digest.clone(), ..put });
            kept.writes.vectors = by_collection.into_iter().map(named).collect();
        }
    }

    fn beyond(granted: Option<&VectorsPermission>, watched: &Watched<'_>) -> Vec<String> {
        let writes = |collection: &str| granted.is_some_and(|granted| granted.writes(collection));
        let written = watched.writes.vectors.keys().filter(|collection| !writes(collection));
        let written = written.map(|collection| format!("the collection `{collection}` was written"));
        let reached = granted.is_none() && watched.fakes.vectors().asked() > 0;
        written.chain(reached.then(|| "the cache of vectors was reached".to_owned())).collect()
    }
}

impl View<'_, Vectors> {
    fn deny(&mut self, what: String) -> Error {
        self.ledger.deny("vectors", what)
    }

    /// The store, if that collection may be read.
    fn readable(&mut self, collection: &str) -> Result<Arc<dyn VectorStore>, Error> {
        match self.state.granted.reads(collection) {
            true => Ok(self.state.store.clone()),
            false => Err(self.deny(format!("collection `{}`", shown(collection)))),
        }
    }

    /// What this call puts, if it may write that collection and so many bytes more.
    fn writable(&mut self, collection: &str, bytes: u64) -> Result<&mut Written, Error> {
        if !self.state.is_executor {
            return Err(self.deny("only what an executor writes is kept".to_owned()));
        }
        if !self.state.granted.writes(collection) {
            return Err(self.deny(format!("writing the collection `{}`", shown(collection))));
        }
        let written = match self.state.written.take() {
            Some(written) => written,
            None => Written {
                batch: self.state.store.cache().map_err(unavailable)?.begin(),
                by_collection: BTreeMap::new(),
                bytes: 0,
                digest: Sha256::new(),
            },
        };
        let after = written.bytes.saturating_add(bytes);
        let most = self.state.granted.bytes;
        let written = self.state.written.insert(written);
        if after > most {
            return Err(Error::Limit("vectors.bytes".to_owned()));
        }
        written.bytes = after;
        Ok(written)
    }
}

fn shown(collection: &str) -> String {
    collection.chars().take(NAME_SHOWN_MAX).collect()
}

fn unavailable(error: CacheError) -> Error {
    match error {
        CacheError::Dimension { .. } => Error::Invalid(error.to_string()),
        error => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the cache of `orch:vectors` did not do what it was asked");
            Error::Unavailable
        }
    }
}

impl Written {
    /// Takes part of the digest: each text after its length.
    fn hash(&mut self, texts: &[&str]) {
        for text in texts {
            self.digest.update((text.len() as u64).to_le_bytes());
            self.digest.update(text);
        }
    }

    fn put(&mut self, collection: &str, model: &str, document: Document) -> Result<(), CacheError> {
        let document = orch_vectors::Document {
            path: document.path,
            digest: document.digest,
            language: document.language,
            chunks: document.chunks.into_iter().map(from_wit).collect(),
        };
        self.batch.put(collection, model, &document)?;
        self.hash(&["put", collection, model, &document.path, &document.digest]);
        for chunk in &document.chunks {
            self.hash(&[&chunk.text]);
            chunk.vector.iter().for_each(|number| self.digest.update(number.to_le_bytes()));
        }
        let put = self.by_collection.entry(collection.to_owned()).or_default();
        put.documents += 1;
        put.chunks += document.chunks.len() as u64;
        Ok(())
    }

    fn remove(&mut self, collection: &str, path: &str) -> Result<(), CacheError> {
        self.batch.remove(collection, path)?;
        self.hash(&["remove", collection, path]);
        self.by_collection.entry(collection.to_owned()).or_default().removed += 1;
        Ok(())
    }
}

fn from_wit(Chunk { first, last, text, vector }: Chunk) -> orch_vectors::Chunk {
    orch_vectors::Chunk { first, last, text, vector }
}

fn filter_from_wit(Filter { paths, languages }: Filter) -> orch_vectors::Filter {
    orch_vectors::Filter { paths, languages }
}

fn to_wit(passage: orch_vectors::Passage) -> Passage {
    let orch_vectors::Passage { path, first, last, language, text, score } = passage;
    Passage { path, first, last, language, text, score }
}

impl Host for View<'_, Vectors> {
    async fn describe(&mut self, collection: String) -> wasmtime::Result<Result<Option<Holding>, Error>> {
        Ok(self.readable(&collection).and_then(|store| {
            let holding = store.cache().and_then(|cache| cache.holding(&collection)).map_err(unavailable)?;
            Ok(holding.map(|holding| {
                let orch_vectors::Holding { model, dimension, documents, chunks } = holding;
                Holding { model, dimension, documents, chunks }
            }))
        }))
    }

    async fn documents(
        &mut self,
        collection: String,
        after: Option<String>,
    ) -> wasmtime::Result<Result<Vec<Known>, Error>> {
        Ok(self.readable(&collection).and_then(|store| {
            let after = after.unwrap_or_default();
            let known = store.cache().and_then(|cache| cache.documents(&collection, &after));
            let known = known.map_err(unavailable)?.into_iter();
            Ok(known.map(|(path, digest)| Known { path, digest }).collect())
        }))
    }

    async fn put(
        &mut self,
        collection: String,
        model: String,
        document: Document,
    ) -> wasmtime::Result<Result<(), Error>> {
        if let Err(why) = check::document(&model, &document) {
            return Ok(Err(Error::Invalid(why)));
        }
        let bytes = check::bytes(&document);
        let put = self.writable(&collection, bytes);
        Ok(put.and_then(|written| written.put(&collection, &model, document).map_err(unavailable)))
    }

    async fn remove(&mut self, collection: String, path: String) -> wasmtime::Result<Result<(), Error>> {
        if let Err(why) = check::path(&path) {
            return Ok(Err(Error::Invalid(why)));
        }
        let bytes = path.len() as u64;
        let removed = self.writable(&collection, bytes);
        Ok(removed.and_then(|written| written.remove(&collection, &path).map_err(unavailable)))
    }

    async fn nearest(
        &mut self,
        collection: String,
        vector: Vec<f32>,
        count: u32,
        filter: Filter,
    ) -> wasmtime::Result<Result<Vec<Passage>, Error>> {
        if let Err(why) = check::vector(&vector).and_then(|()| check::question(count, &filter, "")) {
            return Ok(Err(Error::Invalid(why)));
        }
        Ok(self.readable(&collection).and_then(|store| {
            let filter = filter_from_wit(filter);
            let cache = store.cache().map_err(unavailable)?;
            let found = cache.nearest(&collection, &vector, count as usize, &filter);
            Ok(found.map_err(unavailable)?.into_iter().map(to_wit).collect())
        }))
    }

    async fn matching(
        &mut self,
        collection: String,
        text: String,
        count: u32,
        filter: Filter,
    ) -> wasmtime::Result<Result<Vec<Passage>, Error>> {
        if let Err(why) = check::question(count, &filter, &text) {
            return Ok(Err(Error::Invalid(why)));
        }
        Ok(self.readable(&collection).and_then(|store| {
            let filter = filter_from_wit(filter);
            let cache = store.cache().map_err(unavailable)?;
            let found = cache.matching(&collection, &text, count as usize, &filter);
            Ok(found.map_err(unavailable)?.into_iter().map(to_wit).collect())
        }))
    }
}

#[cfg(test)]
mod tests;
