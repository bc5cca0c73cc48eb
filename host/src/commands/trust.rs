//! `orch-host trust add FILE`: a publisher's or certifier's key into the operator's folder, after it was shown.

use std::path::{Path, PathBuf};

use orch_journal::event::TrustedRole;
use orch_trust::authority::{Certifier, Level, Publisher};

use crate::config::operator::OperatorError;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place;

#[derive(clap::Subcommand)]
pub enum TrustCommand {
    /// Trust the key in this file
    Add {
        /// A publisher's or certifier's file
        file: PathBuf,
        /// Say yes beforehand: the key id that the file must have
        #[arg(long, value_name = "KEYID")]
        key_id: Option<String>,
    },
}

pub fn run(command: &TrustCommand, home: Option<&Path>, console: Console) -> Outcome {
    let TrustCommand::Add { file, key_id } = command;
    let operator = place::operator(home)?;
    if operator.anchor.is_some() {
        // It would not count, and nothing would run beside it.
        return Err(OperatorError::KeyBesideRoot { path: file.clone() }.into());
    }
    let text = String::from_utf8(place::named_file(file)?).map_err(|error| {
        place::unreadable(file, std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    })?;
    let (role, id, owner, shown) = match (Publisher::parse(&text), Certifier::parse(&text)) {
        (Ok(publisher), _) => {
            let shown =
                format!("publisher {} of {}", escape(&publisher.owner), publisher.namespaces.join(", "));
            (TrustedRole::Publisher, publisher.key.id(), publisher.owner, shown)
        }
        (_, Ok(certifier)) => {
            if certifier.profile == Level::Development && !operator.development {
                return Err(OperatorError::DevelopmentKey { path: file.clone(), key: certifier.id() }.into());
            }
            let shown =
                format!("certifier {} for `{}`", escape(&certifier.owner), certifier.profile.as_str());
            (TrustedRole::Certifier, certifier.id(), certifier.owner, shown)
        }
        (Err(error), Err(_)) => {
            let what =
                format!("`{}` is neither a publisher's nor a certifier's file: {error}", file.display());
            return Err(place::input("trust-file", None, what));
        }
    };
    console.lines([shown, format!("key id {id}")]);
    let yes = match key_id {
        Some(said) if *said != id.to_string() => {
            let hint = "ask the key's owner which of both is right; nothing was kept".to_owned();
            let error = anyhow::anyhow!("the key's id is `{id}`, expected `{}`", escape(said));
            return Err(Fault::new(Exit::NeedsDecision, "key-not-accepted", Some(hint), error));
        }
        Some(_) => true,
        None => console.ask("trust this key?").ok_or_else(|| {
            let hint = format!("compare the key id with its owner, then say `--key-id {id}`");
            Fault::new(
                Exit::NeedsDecision,
                "approval-missing",
                Some(hint),
                anyhow::anyhow!("nobody can be asked"),
            )
        })?,
    };
    if !yes {
        let error = anyhow::anyhow!("the key was not accepted");
        return Err(Fault::new(Exit::NeedsDecision, "key-not-accepted", None, error));
    }
    let path = operator.trust_key(role, &id, &owner, &text)?;
    console.line(&format!("trusted: `{}`", path.display()));
    Ok(Exit::Done)
}
