//! How YAML is read: its budget, and what a word is taken for.
//!
//! Limits: the constants below.
//! Not here: what the values mean (`fields.rs`, `words.rs`).

const NODES_MAX: usize = 8_000_000;
const NESTING_MAX: usize = 64;
const ALIASES_MAX: usize = 400_000;
/// Events that aliases may add. A task that merges ten keys costs about 22.
const ALIAS_EVENTS_MAX: usize = 5_000_000;

pub(crate) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_events: 3 * NODES_MAX,
            max_depth: NESTING_MAX,
            max_documents: 2,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_merge_keys: ALIASES_MAX,
            // A default that many tasks merge is no bomb; what aliases add is limited below.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIAS_EVENTS_MAX },
        emit_comments: false,
        strict_booleans: true,
        // `07` and `1_000` are what people call things, not how they count.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // As a word of a command they are as good as any other.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}
