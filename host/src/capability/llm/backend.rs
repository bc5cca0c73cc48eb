//! What stands behind `orch:llm/deltas`.

/// Shows pieces of answers to who watches, as they are written; nothing of them is kept.
pub trait Deltas: Send + Sync {
    /// `provider`: the plugin that asks the model. Not escaped yet.
    fn show(&self, provider: &str, text: &str);
    /// Its answer is over, or there is none.
    fn over(&self, provider: &str);
}
