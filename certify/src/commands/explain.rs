//! Explains a check, or a code of a finding or a refusal.
//!
//! In -> out: id or code -> what it is about, why, what helps.
//! Not here: the words (`orch-certify`'s `guide.rs`, `orch-trust`'s `refusal.rs`).

use orch_certify::guide;
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};

/// Explain a check, or the code of a finding, a refusal or a fault; without a name, list the checks.
#[derive(clap::Args)]
pub(crate) struct ExplainArgs {
    /// A check like `imports`, or a code like `import-shape`
    name: Option<String>,
}

pub(crate) fn run(args: &ExplainArgs, console: &Console) -> Outcome {
    let Some(name) = args.name.as_deref() else {
        let wide = guide::all().map(|guide| guide.id.len()).max().unwrap_or_default();
        for guide in guide::all() {
            console.line(&format!("{:wide$}  {}", guide.id, guide.looks_at));
        }
        return Ok(Exit::Done);
    };
    let Some(lines) = guide::explain(name) else {
        let error = anyhow::anyhow!("`{name}` is no check and no code that is explained here");
        let hint = Some("`orch-certify explain` lists the checks; codes of runs come with a message and a hint of their own".to_owned());
        return Err(Fault::new(Exit::Usage, "explain-unknown", hint, error));
    };
    console.lines(lines);
    Ok(Exit::Done)
}
