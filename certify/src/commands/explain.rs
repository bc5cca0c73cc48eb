//! Explains a check, or a code of a finding or a refusal.
//!
//! In -> out: id or code -> what it is about, why, what helps.
//! Not here: the words (`orch-certify`'s `guide.rs`, `orch-trust`'s `refusal.rs`).

use orch_certify::guide::{self, Guide};
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};
use orch_trust::refusal::Refusal;

/// Explain a check, or the code of a finding or a refusal; without a name, list the checks.
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
    if let Some(guide) = guide::check(name) {
        show(guide, console);
        for (code, means) in guide.codes {
            console.line(&format!("  {code}: {means}"));
        }
        return Ok(Exit::Done);
    }
    if let Some((guide, means)) = guide::code(name) {
        console.line(&format!("{name}: {means}"));
        show(guide, console);
        return Ok(Exit::Done);
    }
    if let Some(means) = guide::code_of_every_check(name) {
        console.line(&format!("{name}: {means}"));
        console.line(
            "said by any check whose process, programs or sources do not do their part; that is never a pass",
        );
        return Ok(Exit::Done);
    }
    let refusals = Refusal::CODES.iter().zip(Refusal::TEXTS);
    match refusals.into_iter().find(|(code, _)| **code == name) {
        Some((code, text)) => {
            console.line(&format!("{code}: {text}"));
            console.line(
                "a reason for which `orch-host` admits no package; checks that find it say the same code",
            );
            Ok(Exit::Done)
        }
        None => {
            let error = anyhow::anyhow!("`{name}` is neither a check nor a code");
            let hint = Some("`orch-certify explain` lists the checks".to_owned());
            Err(Fault::new(Exit::Usage, "explain-unknown", hint, error))
        }
    }
}

fn show(guide: &Guide, console: &Console) {
    console.line(&format!("check       {}", guide.id));
    console.line(&format!("level       {}", guide::level(guide).as_str()));
    console.line(&format!("looks at    {}", guide.looks_at));
    console.line(&format!("why         {}", guide.why));
    console.line(&format!("what helps  {}", guide.helps));
}
