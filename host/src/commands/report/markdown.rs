//! A report as Markdown.
//!
//! In -> out: the facts of a run -> headings, lists and tables.
//! Invariant: text from outside is text: it makes no link, picture, emphasis, code, cell, heading or element.
//! Not here: what the facts are (`report.rs`).

use orch_task::Status;

use super::{Facts, OUTPUT_LINES, described, lineage, plugin_line};
use crate::commands::metrics::summed;
use crate::console::{Console, escape, lines};

/// Text that stands for itself in a paragraph, an item or a cell.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '@' => {
                out.push('\\');
                out.push(character);
            }
            // What would begin a list, an item's item or a rule.
            '-' | '+' | '=' if out.is_empty() => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    // Addresses become links without any mark; `1.` and `1)` begin a list.
    let out = out.replace("://", "\\://").replace("www.", "www\\.").replace("WWW.", "WWW\\.");
    let digits = out.bytes().take_while(u8::is_ascii_digit).count();
    match out.split_at_checked(digits) {
        Some((number, rest)) if digits > 0 && rest.starts_with(['.', ')']) => format!("{number}\\{rest}"),
        _ => out,
    }
}

pub(in crate::commands) fn show(facts: &Facts, console: Console) {
    let (run, status) = (plain(&facts.run.id), plain(&facts.run.status));
    console.lines([&format!("# Run {run}"), "", &format!("**{status}**: {}", facts.done())]);
    facts.goal.iter().for_each(|goal| console.lines(["", &format!("Goal: {}", plain(goal))]));
    console.lines(["", &plain(&facts.time())]);
    facts.branch.iter().for_each(|branch| console.lines(["", &plain(&branch.to_string())]));
    console.lines(["", "## Plugins", ""]);
    facts.plugins.iter().for_each(|plugin| console.line(&format!("- {}", plain(&plugin_line(plugin)))));
    console.lines([
        "",
        "## Tasks",
        "",
        "| task | status | kind | attempts | took | added by | description | why |",
        "|---|---|---|---|---|---|---|---|",
    ]);
    for task in &facts.tasks {
        let row = &task.row;
        console.line(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            plain(&row.id),
            plain(&row.status),
            plain(&row.kind),
            row.attempts,
            task.took(),
            plain(task.asked_by().trim_start().trim_start_matches("by ")),
            plain(&row.description),
            plain(task.why().first().map_or("", String::as_str))
        ));
    }
    let unfinished = facts.tasks.iter().filter(|task| task.row.status != Status::Done.as_str());
    for task in unfinished.filter(|task| !task.log().is_empty()) {
        console.lines(["", &format!("### {}", plain(&task.row.id)), ""]);
        console.line(&format!("Log: {}", plain(task.log())));
        // An indented block has no end that its lines could make.
        console.line("");
        console.lines(task.why().iter().map(|line| format!("    {line}")));
    }
    let trees = lineage::trees(&facts.tasks);
    if !trees.is_empty() {
        console.lines(["", "## Asked for", ""]);
    }
    for one in &trees {
        let row = &one.task.row;
        let before = "  ".repeat(one.more.len());
        console.line(&format!("{before}- {}: {}", plain(&row.id), plain(&row.status)));
    }
    if !facts.unverified.is_empty() {
        console.lines(["", "## Not verified", ""]);
    }
    for missing in &facts.unverified {
        console.line(&format!("- {}", plain(&missing.to_string())));
    }
    if !facts.waived.is_empty() {
        console.lines(["", "## Waived", ""]);
    }
    for waived in &facts.waived {
        console.line(&format!("- {}", plain(&waived.to_string())));
    }
    if !facts.metrics.is_empty() {
        console.lines(["", "## Metrics", ""]);
        // An indented block has no end that its lines could make.
        console.lines(summed::table(&facts.metrics).iter().map(|line| format!("    {line}")));
    }
    if !facts.models.is_empty() {
        console.lines(["", "## Models", ""]);
    }
    facts.models.iter().for_each(|used| console.line(&format!("- {}", plain(&super::asked::said(used)))));
    if !facts.denied.is_empty() {
        console.lines(["", "## Denied", ""]);
    }
    facts.denied.iter().for_each(|denial| console.line(&format!("- {}", plain(&denial.to_string()))));
    if !facts.warnings.is_empty() {
        console.lines(["", "## Warnings", ""]);
    }
    for (code, text) in &facts.warnings {
        console.line(&format!("- {}: {}", plain(code), plain(text)));
    }
    if !facts.artifacts.is_empty() {
        console.lines(["", "## Artifacts", "", "| artifact | type | bytes | SHA-256 |", "|---|---|---|---|"]);
    }
    for artifact in &facts.artifacts {
        let (what, size, digest) = described(artifact);
        console.line(&format!("| {} | {} | {size} | {digest} |", plain(&what), plain(&artifact.kind)));
    }
    if facts.findings.is_empty() {
        return;
    }
    console.lines(["", "## Findings", "", "| severity | category | where | what |", "|---|---|---|---|"]);
    for finding in &facts.findings {
        console.line(&format!(
            "| {} | {} | {} | {} |",
            plain(&finding.severity),
            plain(&finding.category),
            plain(finding.location.as_deref().unwrap_or("")),
            lines::told(&finding.message, OUTPUT_LINES)
                .iter()
                .map(|line| plain(line))
                .collect::<Vec<_>>()
                .join("<br>")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(plain(text), expected);
    }

    #[test]
    fn text_of_a_plugin_makes_nothing_of_markdown() {
        check("[x](javascript:y) ![p](q)", "\\[x\\](javascript:y) \\!\\[p\\](q)");
        check("**a** _b_ ~~c~~ `d`", "\\*\\*a\\*\\* \\_b\\_ \\~\\~c\\~\\~ \\`d\\`");
        check("a | b\n# c", "a \\| b\\\\n\\# c");
        check("<img src=x onerror=y> &lt;", "&lt;img src=x onerror=y&gt; &amp;lt;");
        check("see https://x.test, www.x.test, @me", "see https\\://x.test, www\\.x.test, \\@me");
        check("- x", "\\- x");
        check("1. x", "1\\. x");
        check("test-totals at ledger/a.py:16", "test-totals at ledger/a.py:16");
    }
}
