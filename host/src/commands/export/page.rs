//! A run as one page of HTML.
//!
//! In -> out: what a report is made of, attempts, diffs -> a whole document.
//! Invariant: no script, no address that is followed, no name of a file; all that comes from outside goes through [`text`].
//! Not here: the picture (`graph.rs`), Markdown and JSON (`report.rs`).

use std::fmt::Write as _;

use orch_journal::Reader;
use orch_journal::rows::AttemptRow;

use super::graph;
use super::marked::{colour, text};
use crate::commands::counted;
use crate::commands::report::{Facts, TaskFacts, asked, described, plugin_line};
use crate::commands::stored_run::took_ms;
use crate::console::lines;
use crate::exit::Fault;

/// Nothing else is loaded, whoever wrote what stands in the page.
const HEAD: &str = "<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
     <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1d2530;background:#fff}\
h1,h2{line-height:1.2}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid #d9dee5}\
pre{background:#f5f7f9;padding:.8rem;overflow:auto;white-space:pre-wrap}.picture{overflow:auto}.edge{fill:none;stroke:#8a95a3}\
svg text{font:13px system-ui,sans-serif;fill:#1d2530}.bar{height:.8rem;border-radius:2px;min-width:1px}.of{width:40%}.number{text-align:right}.number,.word{white-space:nowrap}.path{overflow-wrap:anywhere}\
summary{cursor:pointer}.add{color:#176b34}.cut{color:#a3231c}";

/// What an attempt changed.
pub(super) struct Diff {
    pub task: String,
    pub attempt: u32,
    pub text: String,
}

pub(super) fn of(facts: &Facts, reader: &Reader, diffs: &[Diff]) -> Result<String, Fault> {
    let run = text(&facts.run.id);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n{HEAD}<title>Run {run}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Run {run}</h1>\n<p><strong>{}</strong>: {}</p>\n",
        text(&facts.run.status),
        text(&facts.done())
    );
    facts.goal.iter().for_each(|goal| page += &format!("<p>Goal: {}</p>\n", text(goal)));
    page += &format!("<p>{}</p>\n", text(&facts.time()));
    facts.branch.iter().for_each(|branch| page += &format!("<p>{}</p>\n", text(&branch.to_string())));
    match graph::of(&facts.tasks) {
        Some(picture) => page += &format!("<h2>Graph</h2>\n<div class=\"picture\">\n{picture}</div>\n"),
        None if facts.tasks.is_empty() => {}
        None => page += &format!("<p>More than {} tasks are not drawn.</p>\n", graph::DRAWN_MAX),
    }
    tasks(&mut page, facts);
    attempts(&mut page, facts, reader)?;
    folded(&mut page, diffs);
    list(&mut page, "Models", facts.models.iter().map(asked::said));
    list(
        &mut page,
        "Findings",
        facts.findings.iter().map(|finding| {
            let at = finding.location.as_deref().unwrap_or_default();
            let state = if finding.resolved { ", resolved" } else { "" };
            format!("{} {}{state} {at}: {}", finding.severity, finding.category, finding.message)
        }),
    );
    list(
        &mut page,
        "What people did",
        reader.interventions(&facts.run.id)?.iter().map(|one| serde_json::to_string(one).unwrap_or_default()),
    );
    list(&mut page, "Not verified", facts.unverified.iter().map(ToString::to_string));
    list(&mut page, "Waived", facts.waived.iter().map(ToString::to_string));
    list(
        &mut page,
        "Artifacts",
        facts.artifacts.iter().map(|artifact| {
            let (what, size, digest) = described(artifact);
            format!("{what}, {}, {size} bytes, {digest}", artifact.kind)
        }),
    );
    list(&mut page, "Denied", facts.denied.iter().map(ToString::to_string));
    list(&mut page, "Warnings", facts.warnings.iter().map(|(code, text)| format!("{code}: {text}")));
    list(&mut page, "Plugins", facts.plugins.iter().map(plugin_line));
    page += "</body>\n</html>\n";
    Ok(page)
}

fn tasks(page: &mut String, facts: &Facts) {
    let longest = facts.tasks.iter().filter_map(|task| task.took_ms).max().unwrap_or(0).max(1);
    *page += "<h2>Tasks</h2>\n<table>\n<tr><th>task</th><th>status</th><th class=\"number\">attempts</th><th class=\"number\">took</th><th class=\"of\"></th><th>what</th></tr>\n";
    for TaskFacts { row, took_ms, .. } in &facts.tasks {
        let percent = took_ms.unwrap_or(0).saturating_mul(100) / longest;
        let _ = writeln!(
            page,
            "<tr><td class=\"path\">{}</td><td class=\"word\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"of\"><div class=\"bar\" style=\"width:{percent}%;background:{}\"></div></td><td>{}</td></tr>",
            text(&row.id),
            text(&row.status),
            row.attempts,
            took_ms.map(lines::span).unwrap_or_default(),
            colour(&row.status),
            text(&row.description)
        );
    }
    *page += "</table>\n";
}

fn attempts(page: &mut String, facts: &Facts, reader: &Reader) -> Result<(), Fault> {
    *page += "<h2>Attempts</h2>\n";
    for task in facts.tasks.iter().filter(|task| task.row.attempts > 0) {
        let _ = writeln!(
            page,
            "<details><summary>{}: {}, {}</summary>\n<table>",
            text(&task.row.id),
            text(&task.row.status),
            counted(task.row.attempts as usize, "attempt", "attempts")
        );
        for attempt in reader.attempts(&facts.run.id, task.row.place)? {
            let AttemptRow { attempt, status, output, error, log, started_at, completed_at } = attempt;
            let took =
                took_ms(Some(&started_at), completed_at.as_deref()).map(lines::span).unwrap_or_default();
            let said = error.or(output).unwrap_or_default();
            let _ = writeln!(
                page,
                "<tr><td class=\"number\">{attempt}</td><td class=\"word\">{}</td><td class=\"number\">{took}</td><td>{}</td><td class=\"path\">{}</td></tr>",
                text(&status),
                block(&said),
                text(&log.unwrap_or_default())
            );
        }
        *page += "</table>\n";
        let why = task.why().join("\n");
        if !why.is_empty() {
            *page += &format!("<pre>{}</pre>\n", block(&why));
        }
        *page += "</details>\n";
    }
    Ok(())
}

fn folded(page: &mut String, diffs: &[Diff]) {
    if diffs.is_empty() {
        return;
    }
    *page += "<h2>Edits</h2>\n";
    for Diff { task, attempt, text: patch } in diffs {
        let _ = writeln!(page, "<details><summary>{}, attempt {attempt}</summary>\n<pre>", text(task));
        for line in patch.lines() {
            let class = match line.as_bytes().first() {
                Some(b'+') => " class=\"add\"",
                Some(b'-') => " class=\"cut\"",
                _ => "",
            };
            let _ = writeln!(page, "<span{class}>{}</span>", text(line));
        }
        *page += "</pre></details>\n";
    }
}

/// Text of several lines.
fn block(lines: &str) -> String {
    lines.lines().map(text).collect::<Vec<_>>().join("<br>")
}

fn list(page: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|item| format!("<li>{}</li>\n", block(&item))).collect();
    if !items.is_empty() {
        *page += &format!("<h2>{title}</h2>\n<ul>\n{}</ul>\n", items.concat());
    }
}
