//! `orch-host search "WORDS"`: passages of indexed files that have these words, from the cache alone.
//!
//! In -> out: words, filters -> a line for each passage with what it begins with, or JSON with all of it.
//! Invariant: nothing is changed, nobody is asked; text of files is escaped.
//! Not here: search by meaning, for which a plugin makes vectors (`orch:retrieve`); filling the cache (tasks of the kind `index`).

use clap::ValueEnum;
use orch_vectors::{Cache, Filter, Passage};
use serde_json::json;

use super::counted;
use crate::capability::vectors::backend::FILE;
use crate::console::{Console, escape, escape_cut};
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

/// Of what a passage begins with.
const SHOWN_CHARACTERS: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each passage: where it is, and what it begins with
    Table,
    /// Every passage with its text and its score
    Json,
}

#[derive(clap::Args)]
pub struct SearchArgs {
    /// What is looked for; a passage that has more of the words, and rarer ones, comes first
    words: String,
    /// The collection
    #[arg(long, value_name = "NAME", default_value = "code")]
    collection: String,
    /// Only of this file, or of files in this folder; may be repeated
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// Only of files in this language (`rust`, `markdown`); may be repeated
    #[arg(long, value_name = "NAME")]
    language: Vec<String>,
    /// Passages, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: u32,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &SearchArgs, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let none = || {
        let what = format!("nothing was indexed into `{}`", escape(&args.collection));
        place::input("collection-missing", Some("a task of the kind `index` does it".to_owned()), what)
    };
    let cache = Cache::beside(&place.state.join(FILE)).map_err(anyhow::Error::from)?.ok_or_else(none)?;
    if cache.holding(&args.collection).map_err(anyhow::Error::from)?.is_none() {
        return Err(none());
    }
    let filter = Filter { paths: args.path.clone(), languages: args.language.clone() };
    let found = cache.matching(&args.collection, &args.words, args.count as usize, &filter);
    let found = found.map_err(anyhow::Error::from)?;
    match args.format {
        Format::Table => {
            console.lines(found.iter().map(line));
            console.line(&counted(found.len(), "passage", "passages"));
        }
        Format::Json => {
            let all: Vec<_> = found.iter().map(document).collect();
            let all = json!({ "collection": args.collection, "passages": all });
            console.json(&serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?);
        }
    }
    Ok(match found.is_empty() {
        true => Exit::GoalNotMet,
        false => Exit::Done,
    })
}

fn line(passage: &Passage) -> String {
    let Passage { path, first, last, text, .. } = passage;
    let beginning = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    format!("{}:{first}-{last}  {}", escape(path), escape_cut(beginning, SHOWN_CHARACTERS))
}

fn document(passage: &Passage) -> serde_json::Value {
    let Passage { path, first, last, language, text, score } = passage;
    json!({ "path": path, "first": first, "last": last, "language": language, "text": text, "score": score })
}
