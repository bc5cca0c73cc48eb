//! `secrets.toml` of the operator's folder: where secrets come from, never what they are.
//!
//! In -> out: text -> [`SecretSources`].
//! Limits: 256 secrets.
//! Invariant: nothing is read from where it points; a workspace has no such file.
//! Not here: who may own and write the file (`keeper.rs`), reading values (`../secrets.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_task::keys::nearest;
use orch_trust::authority::AuthorityError;
use toml::{Table, Value};

use crate::capability::secrets::value::SecretEncoding;
use crate::secrets::SecretSources;
use crate::secrets::source::{From, SecretSource};

pub(super) const FILE: &str = "secrets.toml";
const SECRETS_MAX: usize = 256;
const SOURCES: [&str; 3] = ["env", "file", "program"];
const KEYS: [&str; 4] = ["env", "file", "program", "encoding"];

/// What the file says.
pub fn parse(text: &str) -> Result<SecretSources, AuthorityError> {
    read(text).map(Arc::new).map_err(|message| AuthorityError::Malformed { message })
}

fn read(text: &str) -> Result<BTreeMap<String, SecretSource>, String> {
    let all: Table = toml::from_str(text).map_err(|error| at_line(text, &error))?;
    let mut found = BTreeMap::new();
    for (key, value) in all {
        let Value::Table(secrets) = value else { return Err(unknown("", &key, &["secrets"])) };
        if key != "secrets" {
            return Err(unknown("", &key, &["secrets"]));
        }
        for (name, value) in secrets {
            if !is_name(&name) {
                return Err(format!(
                    "`secrets` has `{}`, expected 1 to 64 of `[a-z0-9-]`",
                    name.escape_default()
                ));
            }
            let source = source(&name, value)?;
            found.insert(name, source);
        }
    }
    match found.len() > SECRETS_MAX {
        true => Err(format!("{} secrets, limit is {SECRETS_MAX}", found.len())),
        false => Ok(found),
    }
}

/// Without the line itself: somebody may have written a secret there.
fn at_line(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
    format!("line {line} is no TOML")
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn unknown(table: &str, key: &str, known: &[&str]) -> String {
    let near = match nearest(key, known) {
        Some(near) => format!("; the nearest is `{near}`"),
        None => format!("; there are `{}`", known.join("`, `")),
    };
    let table = if table.is_empty() { "it".to_owned() } else { format!("`secrets.{table}`") };
    format!("{table} has the key `{}`, which nobody reads{near}", key.escape_default())
}

fn source(name: &str, value: Value) -> Result<SecretSource, String> {
    let Value::Table(mut keys) = value else { return Err(format!("`secrets.{name}` is no table")) };
    if keys.contains_key("keyring") {
        return Err(format!(
            "`secrets.{name}` has `keyring`, which this host cannot ask itself; `program = [\"/usr/bin/secret-tool\", \"lookup\", \"service\", \"NAME\"]` asks the same keyring"
        ));
    }
    if let Some(key) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(unknown(name, key, &KEYS));
    }
    let encoding = match keys.remove("encoding") {
        None => SecretEncoding::Plain,
        Some(value) => value
            .try_into()
            .map_err(|_| format!("`secrets.{name}.encoding` is neither `plain` nor `base64`"))?,
    };
    let said: Vec<&str> = SOURCES.into_iter().filter(|source| keys.contains_key(*source)).collect();
    let [kind] = said.as_slice() else {
        return Err(format!(
            "`secrets.{name}` has {}, expected exactly one of `env`, `file`, `program`",
            if said.is_empty() { "no source".to_owned() } else { said.join(" and ") }
        ));
    };
    let wrong = |expected: &str| format!("`secrets.{name}.{kind}` is not {expected}");
    let from = match (*kind, keys.remove(*kind)) {
        ("env", Some(Value::String(variable))) => {
            let fits = !variable.is_empty() && !variable.contains(['=', '\0']);
            From::Env(Some(variable).filter(|_| fits).ok_or_else(|| wrong("the name of a variable"))?)
        }
        ("file", Some(Value::String(path))) => {
            From::File(absolute(&path).ok_or_else(|| wrong("an absolute path"))?)
        }
        ("program", Some(Value::Array(words))) => {
            let words: Option<Vec<String>> = words.into_iter().map(|word| word.try_into().ok()).collect();
            let expected = || wrong("a list of texts that begins with an absolute path");
            let mut words = words.ok_or_else(expected)?.into_iter();
            let path = words.next().as_deref().and_then(absolute).ok_or_else(expected)?;
            let arguments: Vec<String> = words.collect();
            if arguments.iter().any(|word| word.contains('\0')) {
                return Err(expected());
            }
            From::Program(path, arguments)
        }
        ("program", _) => return Err(wrong("a list of texts that begins with an absolute path")),
        ("file", _) => return Err(wrong("an absolute path")),
        _ => return Err(wrong("the name of a variable")),
    };
    Ok(SecretSource { from, encoding })
}

fn absolute(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    (path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_source_is_read() {
        let text = "[secrets.github]\nenv = \"GITHUB_TOKEN\"\n\n[secrets.hook]\nfile = \"/home/me/hook\"\nencoding = \"base64\"\n\n[secrets.mail]\nprogram = [\"/usr/bin/secret-tool\", \"lookup\", \"service\", \"mail\"]\n";
        let found = parse(text).unwrap();
        let shown: Vec<(&str, &str, String)> = found
            .iter()
            .map(|(name, source)| (name.as_str(), source.from.kind(), source.from.place()))
            .collect();
        assert_eq!(
            shown,
            [
                ("github", "env", "GITHUB_TOKEN".to_owned()),
                ("hook", "file", "/home/me/hook".to_owned()),
                ("mail", "program", "/usr/bin/secret-tool".to_owned()),
            ]
        );
        assert_eq!(found["hook"].encoding, SecretEncoding::Base64);
        assert!(parse("").unwrap().is_empty());
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }

    #[test]
    fn what_nobody_reads_is_refused_with_what_was_meant() {
        refused("[secret.a]\nenv = \"A\"\n", "the nearest is `secrets`");
        refused("secrets = 1\n", "`secrets`");
        refused("[secrets.a]\nfiel = \"/a\"\n", "the key `fiel`, which nobody reads; the nearest is `file`");
        refused(
            "[secrets.a]\nvalue = \"hunter22\"\n",
            "the key `value`, which nobody reads; there are `env`, `file`, `program`, `encoding`",
        );
        refused("[secrets.a]\nkeyring = { service = \"a\", account = \"b\" }\n", "/usr/bin/secret-tool");
        refused("[secrets.A]\nenv = \"A\"\n", "`A`, expected 1 to 64");
        refused("[secrets]\na = \"hunter22\"\n", "`secrets.a` is no table");
    }

    #[test]
    fn a_secret_has_one_source_that_is_well_formed() {
        refused("[secrets.a]\n", "no source, expected exactly one");
        refused("[secrets.a]\nenv = \"A\"\nfile = \"/a\"\n", "env and file, expected exactly one");
        for bad in ["env = \"\"", "env = \"A=B\"", "env = 1", "env = [\"A\"]"] {
            refused(&format!("[secrets.a]\n{bad}\n"), "is not the name of a variable");
        }
        for bad in ["file = \"a\"", "file = \"~/a\"", "file = \"\"", "file = 1"] {
            refused(&format!("[secrets.a]\n{bad}\n"), "is not an absolute path");
        }
        for bad in ["program = \"/bin/x\"", "program = []", "program = [\"x\"]", "program = [\"/bin/x\", 1]"]
        {
            refused(&format!("[secrets.a]\n{bad}\n"), "is not a list of texts");
        }
        refused("[secrets.a]\nenv = \"A\"\nencoding = \"hex\"\n", "neither `plain` nor `base64`");
        // No error shows what may be a value that somebody wrote here by mistake.
        for text in [
            "[secrets.a]\nenv = \"A=hunter22\"\n",
            "[secrets]\na = \"hunter22\"\n",
            "[secrets.a]\nhunter22\n",
        ] {
            assert!(!parse(text).unwrap_err().to_string().contains("hunter22"));
        }
    }

    #[test]
    fn there_is_a_limit() {
        let text =
            |count: usize| (0..count).map(|n| format!("[secrets.s{n}]\nenv = \"A\"\n")).collect::<String>();
        assert_eq!(parse(&text(SECRETS_MAX)).unwrap().len(), SECRETS_MAX);
        refused(&text(SECRETS_MAX + 1), "limit is 256");
    }
}
