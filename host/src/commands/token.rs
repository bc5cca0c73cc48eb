//! `orch-host token add|list|revoke`: who may ask a serving host over TCP.
//!
//! Invariant: a token is shown once, by `add`, on standard output and nowhere else.
//! Not here: how they are kept (`config/tokens.rs`), what needs which scope (`control/`).

use std::path::Path;

use crate::config::tokens::{Scope, Tokens, is_name};
use crate::console::{Console, escape};
use crate::exit::{Exit, Outcome};
use crate::place;

#[derive(clap::Subcommand)]
pub enum TokenCommand {
    /// Draw a token and show it, this once
    Add {
        /// What it is called in events: 1 to 64 of `[a-z0-9._-]`
        name: String,
        /// What it is good for; may be said again
        #[arg(long, value_enum, value_delimiter = ',', default_value = "read")]
        scope: Vec<Scope>,
    },
    /// Names and scopes
    List,
    /// From now on it is none
    Revoke { name: String },
}

pub fn run(command: &TokenCommand, home: Option<&Path>, console: Console) -> Outcome {
    let operator = place::operator(home)?;
    let tokens = Tokens::of(&operator);
    match command {
        TokenCommand::Add { name, scope } => {
            if !is_name(name) {
                let what = format!("`{}` is no name, expected 1 to 64 of `[a-z0-9._-]`", escape(name));
                return Err(place::input("token-name", None, what));
            }
            let mut scopes = scope.clone();
            scopes.sort();
            scopes.dedup();
            let Some(shown) = tokens.add(&operator, name, &scopes)? else {
                let hint = Some(format!("`orch-host token revoke {name}` takes it away"));
                return Err(place::input("token-exists", hint, format!("there is a token `{name}` already")));
            };
            console.line(&shown);
            console.note("this is the only time that it is shown; send it as `Authorization: Bearer TOKEN`");
        }
        TokenCommand::List => {
            for token in tokens.all()? {
                let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                let at = crate::command_log::log_stamp(token.created_at);
                console.line(&format!("{}  {}  {at}", escape(&token.name), scopes.join(",")));
            }
        }
        TokenCommand::Revoke { name } => {
            if !tokens.revoke(&operator, name)? {
                let hint = Some("`orch-host token list` shows all".to_owned());
                let what = format!("there is no token `{}`", escape(name));
                return Err(place::input("token-unknown", hint, what));
            }
            console.line(&format!("token {} is none any more", escape(name)));
        }
    }
    Ok(Exit::Done)
}
