//! `orch-host schema`: the JSON Schema of a file that people write, for editors.
//!
//! In -> out: which file -> its schema on standard output.

use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::schemas::Document;

#[derive(clap::Args)]
pub struct SchemaArgs {
    /// Of which file
    #[arg(value_enum)]
    document: Document,
}

pub fn run(args: &SchemaArgs, console: Console) -> Outcome {
    let text = serde_json::to_string_pretty(&args.document.schema()).map_err(anyhow::Error::from)?;
    console.bytes(format!("{text}\n").as_bytes());
    Ok(Exit::Done)
}
