//! `orch-host config show`: what counts in a workspace, and who says it.
//!
//! In -> out: the layers of a workspace -> a line for each key, or JSON.
//! Invariant: a value of `env` is shown nowhere; what is shown has been read as `run` reads it.
//! Not here: what keys mean (`config/workspace.rs`).

use std::collections::BTreeMap;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::workspace::WorkspaceConfig;
use crate::config::workspace::layers::{self, Layer, Origin, VARIABLES};
use crate::console::{Console, escape, json_shown};
use crate::exit::{Exit, Outcome};
use crate::place::{Place, WorkspaceArgs};

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// What counts of `config.yaml`, `config.local.yaml` and variables, with the defaults of what nobody says
    Show(ShowArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each key
    Table,
    /// A list of keys with their values and where they are said
    Json,
}

#[derive(clap::Args)]
pub struct ShowArgs {
    /// Say of each key where it is said
    #[arg(long)]
    origin: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

/// One key that counts.
#[derive(Debug, PartialEq, Serialize)]
struct Said {
    key: String,
    /// None of `env`: its values are shown nowhere.
    value: Option<Value>,
    /// A file, a variable behind `$`, or `default`.
    origin: String,
}

pub fn run(command: &ConfigCommand, console: Console) -> Outcome {
    let ConfigCommand::Show(args) = command;
    let config: WorkspaceConfig = Place::from_args(&args.place)?.config()?;
    let said = said(&config.layers);
    match args.format {
        Format::Table => console.lines(said.iter().map(|said| line(said, args.origin))),
        Format::Json => console.json(&serde_json::to_string_pretty(&said).map_err(anyhow::Error::from)?),
    }
    Ok(Exit::Done)
}

/// What counts, sorted by key.
fn said(layers: &[Layer]) -> Vec<Said> {
    let mut found = BTreeMap::new();
    for variable in &VARIABLES {
        let value = variable.default.map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.into()));
        found.extend(value.map(|value| (variable.key(), (Some(value), "default".to_owned()))));
    }
    leaves(&mut Vec::new(), &layers::merged(layers), &mut |path, value| {
        let origin = layers::origin_of(layers, path).map(Origin::name);
        found.extend(origin.map(|origin| (path.join("."), (Some(value.clone()), origin))));
    });
    for layer in layers {
        let origin = layer.origin.name();
        found.extend(layer.env.names().map(|name| (format!("env.{name}"), (None, origin.clone()))));
    }
    found.into_iter().map(|(key, (value, origin))| Said { key, value, origin }).collect()
}

/// Whatever is no mapping, and mappings without keys.
fn leaves<'a>(path: &mut Vec<&'a str>, map: &'a Map<String, Value>, take: &mut impl FnMut(&[&str], &Value)) {
    for (key, value) in map {
        path.push(key);
        match value {
            Value::Object(inner) if !inner.is_empty() => leaves(path, inner, take),
            _ => take(path, value),
        }
        path.pop();
    }
}

fn line(said: &Said, with_origin: bool) -> String {
    let value =
        said.value.as_ref().map_or_else(|| "(not shown)".to_owned(), |value| json_shown(&value.to_string()));
    let origin = if with_origin { format!("  # {}", escape(&said.origin)) } else { String::new() };
    format!("{}: {value}{origin}", escape(&said.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let config = WorkspaceConfig::read(folder.path()).unwrap();
        said(&config.layers).iter().map(|said| line(said, true)).collect()
    }

    #[test]
    fn each_key_is_said_once_by_the_highest_layer() {
        let shown = shown(&[
            (
                "config.yaml",
                "jobs: 2\nenv: {CI: secret}\nretry: {base_ms: 5}\nroles: {executors: {shell: demo/e}}\n",
            ),
            ("config.local.yaml", "jobs: 3\nroles: {executors: {}, verifiers: [demo/v]}\n"),
        ]);
        for line in [
            "audit.every: \"end\"  # default",
            "env.CI: (not shown)  # config.yaml",
            "jobs: 3  # config.local.yaml",
            "retry.base_ms: 5  # config.yaml",
            "retry.max_ms: 60000  # default",
            "roles.executors.shell: \"demo/e\"  # config.yaml",
            "roles.verifiers: [\"demo/v\"]  # config.local.yaml",
        ] {
            assert!(shown.iter().any(|found| found == line), "{line}: {shown:#?}");
        }
        assert_eq!(shown.iter().filter(|line| line.starts_with("jobs")).count(), 1);
        assert!(shown.iter().all(|line| !line.contains("secret")));
    }
}
