//! The cache: documents are put in batches, and found.
//!
//! In -> out: [`Document`]s -> [`Batch`], sealed and applied -> [`Passage`]s.
//! Invariant: a batch that is dropped before it was sealed leaves nothing; one that was sealed and never applied is gone with the
//! next opening. A collection has vectors of one model: the first document of another one that is applied makes it empty before.
//! Not here: the schema (`schema.rs`), the scan (`matrix.rs`), words of a question (`words.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::matrix::{Coarse, Matrix, cosine, unit};
use crate::{CacheError, Chunk, Document, Filter, Holding, Passage, schema, words};

/// Candidates that are compared exactly, for each passage that is wanted.
const CANDIDATES: usize = 8;
const CANDIDATES_MIN: usize = 64;
/// By words, before a filter.
const MATCHES_MIN: usize = 256;
const PAGE: u32 = 1000;

const PASSAGE: &str = "SELECT d.path, c.first, c.last, d.language, c.text FROM chunks c JOIN documents d ON d.id = c.document \
                       WHERE c.id = ?1";

/// Collections in one file, which one process writes.
pub struct Cache {
    connection: Mutex<Connection>,
    /// Collections as they were when somebody last searched them.
    loaded: Mutex<BTreeMap<String, Arc<Matrix>>>,
    batches: AtomicI64,
    sealed: Mutex<BTreeMap<String, i64>>,
}

/// Documents that are put or removed together.
pub struct Batch {
    cache: Arc<Cache>,
    number: i64,
    is_sealed: bool,
}

impl Cache {
    /// Of that file, which is made if it is not there; what was put and never applied is gone.
    ///
    /// # Errors
    /// `Io`, `Sqlite`: the file can be neither opened nor made anew.
    pub fn open(path: &Path) -> Result<Arc<Self>, CacheError> {
        let cache = Self::over(schema::open(path)?);
        cache.transact(|sql| drop_documents(sql, "batch IS NOT NULL", []))?;
        Ok(Arc::new(cache))
    }

    /// Of that file, to be searched beside the process that writes it; none: it is not there, or none of ours.
    ///
    /// # Errors
    /// `Sqlite`: it cannot be read.
    pub fn beside(path: &Path) -> Result<Option<Arc<Self>>, CacheError> {
        Ok(schema::beside(path)?.map(|connection| Arc::new(Self::over(connection))))
    }

    /// An empty one that is nowhere else.
    ///
    /// # Errors
    /// `Sqlite`: there is no memory for it.
    pub fn in_memory() -> Result<Arc<Self>, CacheError> {
        Ok(Arc::new(Self::over(schema::in_memory()?)))
    }

    fn over(connection: Connection) -> Self {
        Self {
            connection: Mutex::new(connection),
            loaded: Mutex::default(),
            batches: AtomicI64::new(1),
            sealed: Mutex::default(),
        }
    }

    /// An empty batch.
    pub fn begin(self: &Arc<Self>) -> Batch {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        Batch { cache: self.clone(), number, is_sealed: false }
    }

    /// Makes visible what was sealed under that name; false if nothing was, as after another process took over.
    ///
    /// # Errors
    /// `Sqlite`: nothing of it is visible.
    pub fn apply(&self, name: &str) -> Result<bool, CacheError> {
        let Some(batch) = lock(&self.sealed).remove(name) else { return Ok(false) };
        self.transact(|sql| apply(sql, batch))?;
        lock(&self.loaded).clear();
        Ok(true)
    }

    /// What is in a collection; none: nothing.
    ///
    /// # Errors
    /// `Sqlite`
    pub fn holding(&self, collection: &str) -> Result<Option<Holding>, CacheError> {
        Ok(holding(&lock(&self.connection), collection)?)
    }

    /// Paths with their digests, sorted, after `after`, at most 1000.
    ///
    /// # Errors
    /// `Sqlite`
    pub fn documents(&self, collection: &str, after: &str) -> Result<Vec<(String, String)>, CacheError> {
        let connection = lock(&self.connection);
        let mut sql = connection.prepare(
            "SELECT path, digest FROM documents WHERE collection = ?1 AND batch IS NULL AND path > ?2 ORDER BY path LIMIT ?3",
        )?;
        let rows = sql.query_map(params![collection, after, PAGE], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The passages whose vectors have the smallest angle to that one, at most `count`, the nearest first.
    ///
    /// # Errors
    /// `Dimension`: the collection's vectors have another one. `Sqlite`
    pub fn nearest(
        &self,
        collection: &str,
        vector: &[f32],
        count: usize,
        filter: &Filter,
    ) -> Result<Vec<Passage>, CacheError> {
        let Some(matrix) = self.matrix(collection)? else { return Ok(Vec::new()) };
        if matrix.dimension() != vector.len() {
            let expected = matrix.dimension() as u32;
            return Err(CacheError::Dimension { found: vector.len(), expected });
        }
        let query = unit(vector);
        let wanted = count.saturating_mul(CANDIDATES).max(CANDIDATES_MIN);
        let candidates = matrix.candidates(&Coarse::of(&query), wanted, filter);
        let connection = lock(&self.connection);
        let mut exact = connection.prepare("SELECT exact FROM chunks WHERE id = ?1")?;
        let mut scored = Vec::with_capacity(candidates.len());
        for chunk in candidates {
            let bytes: Option<Vec<u8>> = exact.query_row([chunk], |row| row.get(0)).optional()?;
            scored.extend(bytes.map(|bytes| (cosine(&numbers(&bytes), &query), chunk)));
        }
        scored.sort_by(|(one, first), (other, second)| other.total_cmp(one).then(first.cmp(second)));
        scored.truncate(count);
        passages(&connection, scored)
    }

    /// The passages that have words of the text, at most `count`, the best first.
    ///
    /// # Errors
    /// `Sqlite`
    pub fn matching(
        &self,
        collection: &str,
        text: &str,
        count: usize,
        filter: &Filter,
    ) -> Result<Vec<Passage>, CacheError> {
        let connection = lock(&self.connection);
        let all: i64 = connection.query_row("SELECT count(*) FROM chunks", [], |row| row.get(0))?;
        let Some(question) = words::question(&connection, text, all.unsigned_abs())? else {
            return Ok(Vec::new());
        };
        let mut sql = connection
            .prepare("SELECT rowid, -rank FROM words WHERE words MATCH ?1 ORDER BY rank LIMIT ?2")?;
        let mut of = connection.prepare(
            "SELECT d.path, d.language FROM chunks c JOIN documents d ON d.id = c.document \
             WHERE c.id = ?1 AND d.collection = ?2 AND d.batch IS NULL",
        )?;
        let mut limit = count.saturating_mul(4).max(MATCHES_MIN);
        loop {
            let rows =
                sql.query_map(params![question, limit as i64], |row| Ok((row.get(1)?, row.get(0)?)))?;
            let ranked: Vec<(f64, i64)> = rows.collect::<Result<_, _>>()?;
            let is_all = ranked.len() < limit;
            let mut found = Vec::new();
            for (score, chunk) in ranked {
                let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
                let document: Option<(String, String)> =
                    of.query_row(params![chunk, collection], row).optional()?;
                if document.is_some_and(|(path, language)| filter.takes(&path, &language)) {
                    found.push((score, chunk));
                }
            }
            if found.len() >= count || is_all {
                found.truncate(count);
                return passages(&connection, found);
            }
            limit = limit.saturating_mul(8);
        }
    }

    /// The collection in memory; none: it is empty.
    fn matrix(&self, collection: &str) -> Result<Option<Arc<Matrix>>, CacheError> {
        if let Some(matrix) = lock(&self.loaded).get(collection) {
            return Ok(Some(matrix.clone()));
        }
        let connection = lock(&self.connection);
        let Some(Holding { dimension, .. }) = holding(&connection, collection)? else { return Ok(None) };
        let mut matrix = Matrix::new(dimension as usize);
        let mut sql = connection.prepare(
            "SELECT d.id, d.path, d.language, c.id, c.scale, c.coarse FROM documents d JOIN chunks c ON c.document = d.id \
             WHERE d.collection = ?1 AND d.batch IS NULL ORDER BY d.id, c.id",
        )?;
        let mut rows = sql.query([collection])?;
        let mut document = None;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if document != Some(id) {
                matrix.document(row.get(1)?, row.get(2)?);
                document = Some(id);
            }
            let scale: f64 = row.get(4)?;
            matrix.chunk(row.get(3)?, scale as f32, row.get_ref(5)?.as_blob().unwrap_or_default());
        }
        let matrix = Arc::new(matrix);
        lock(&self.loaded).insert(collection.to_owned(), matrix.clone());
        Ok(Some(matrix))
    }

    fn transact<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, CacheError> {
        let mut connection = lock(&self.connection);
        let transaction = connection.transaction()?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

impl Batch {
    /// Puts a document, in the place of the one of its path. `model`: that made its vectors.
    ///
    /// # Errors
    /// `Dimension`: its vectors are of several. `Sqlite`
    pub fn put(&mut self, collection: &str, model: &str, document: &Document) -> Result<(), CacheError> {
        let dimension = document.chunks.first().map_or(0, |chunk| chunk.vector.len());
        let odd = document.chunks.iter().find(|chunk| chunk.vector.len() != dimension);
        if let Some(odd) = odd {
            return Err(CacheError::Dimension { found: odd.vector.len(), expected: dimension as u32 });
        }
        let Document { path, digest, language, chunks } = document;
        self.cache.transact(|sql| {
            self.forget(sql, collection, path)?;
            sql.prepare("INSERT INTO documents VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)")?
                .execute(params![collection, path, digest, language, model, dimension as i64, self.number])?;
            let id = sql.last_insert_rowid();
            let mut insert = sql.prepare("INSERT INTO chunks VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            for Chunk { first, last, text, vector } in chunks {
                let exact = unit(vector);
                let Coarse { numbers, scale } = Coarse::of(&exact);
                let coarse: Vec<u8> = numbers.iter().map(|number| *number as u8).collect();
                let exact: Vec<u8> = exact.iter().flat_map(|number| number.to_le_bytes()).collect();
                insert.execute(params![id, first, last, text, f64::from(scale), coarse, exact])?;
            }
            Ok(())
        })
    }

    /// Removes the document of that path; none is there is no error.
    ///
    /// # Errors
    /// `Sqlite`
    pub fn remove(&mut self, collection: &str, path: &str) -> Result<(), CacheError> {
        self.cache.transact(|sql| {
            self.forget(sql, collection, path)?;
            sql.execute(
                "INSERT INTO documents VALUES (NULL, ?1, ?2, '', '', '', 0, 1, ?3)",
                params![collection, path, self.number],
            )?;
            Ok(())
        })
    }

    /// What the batch said of that path so far, for it says something else now.
    fn forget(&self, sql: &Transaction<'_>, collection: &str, path: &str) -> Result<(), rusqlite::Error> {
        drop_documents(
            sql,
            "batch = ?1 AND collection = ?2 AND path = ?3",
            params![self.number, collection, path],
        )
    }

    /// Keeps it until somebody applies it by that name, which nothing else has.
    pub fn seal(mut self, name: String) {
        self.is_sealed = true;
        lock(&self.cache.sealed).insert(name, self.number);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.is_sealed {
            // What stays is invisible, and gone with the next opening.
            let _ = self.cache.transact(|sql| drop_documents(sql, "batch = ?1", [self.number]));
        }
    }
}

/// Puts the batch in the place of what was there.
fn apply(sql: &Transaction<'_>, batch: i64) -> Result<(), rusqlite::Error> {
    let others = "batch IS NULL AND EXISTS (SELECT 1 FROM documents n WHERE n.batch = ?1 AND n.removed = 0 \
                  AND n.dimension > 0 AND n.collection = documents.collection \
                  AND documents.dimension > 0 AND (n.model, n.dimension) <> (documents.model, documents.dimension))";
    drop_documents(sql, others, [batch])?;
    let same = "batch IS NULL AND EXISTS (SELECT 1 FROM documents n WHERE n.batch = ?1 \
                AND n.collection = documents.collection AND n.path = documents.path)";
    drop_documents(sql, same, [batch])?;
    drop_documents(sql, "batch = ?1 AND removed = 1", [batch])?;
    sql.execute(
        "INSERT INTO words (rowid, text) SELECT c.id, c.text FROM chunks c JOIN documents d ON d.id = c.document WHERE d.batch = ?1",
        [batch],
    )?;
    sql.execute("UPDATE documents SET batch = NULL WHERE batch = ?1", [batch])?;
    Ok(())
}

/// Removes documents with their chunks and words.
fn drop_documents(
    sql: &Transaction<'_>,
    which: &str,
    params: impl rusqlite::Params + Clone,
) -> Result<(), rusqlite::Error> {
    let chunks =
        format!("SELECT c.id FROM chunks c JOIN documents ON documents.id = c.document WHERE {which}");
    // Of what is staged there are no words yet; taking away what is not there is no error.
    sql.execute(
        &format!("DELETE FROM words WHERE rowid IN ({chunks} AND documents.batch IS NULL)"),
        params.clone(),
    )?;
    sql.execute(&format!("DELETE FROM chunks WHERE id IN ({chunks})"), params.clone())?;
    sql.execute(&format!("DELETE FROM documents WHERE {which}"), params)?;
    Ok(())
}

fn holding(connection: &Connection, collection: &str) -> Result<Option<Holding>, rusqlite::Error> {
    let found = connection
        .query_row(
            "SELECT model, dimension FROM documents WHERE collection = ?1 AND batch IS NULL ORDER BY dimension DESC LIMIT 1",
            [collection],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((model, dimension)) = found else { return Ok(None) };
    let count = |sql: &str| {
        connection.query_row(sql, [collection], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    };
    let documents = count("SELECT count(*) FROM documents WHERE collection = ?1 AND batch IS NULL")?;
    let chunks = count(
        "SELECT count(*) FROM chunks c JOIN documents d ON d.id = c.document WHERE d.collection = ?1 AND d.batch IS NULL",
    )?;
    Ok(Some(Holding { model, dimension, documents, chunks }))
}

/// The passages of these chunks, with their scores, in their order.
fn passages(connection: &Connection, scored: Vec<(f64, i64)>) -> Result<Vec<Passage>, CacheError> {
    let mut sql = connection.prepare(PASSAGE)?;
    let mut found = Vec::with_capacity(scored.len());
    for (score, chunk) in scored {
        let passage = sql.query_row([chunk], |row| {
            let (path, first, last) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Passage { path, first, last, language: row.get(3)?, text: row.get(4)?, score })
        });
        found.extend(passage.optional()?);
    }
    Ok(found)
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap_or_default())).collect()
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
