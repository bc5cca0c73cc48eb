//! `secrets.toml` of an operator's folder.

use orch_host::config::secrets::parse;
use orch_host::secrets::source::{From, SecretSource};
use orch_trust::authority::AuthorityError;
use toml::{Table, Value};

/// In the place of whatever somebody wrote.
const MARKER: &str = "hunter22-hunter22";

/// What is taken has one source each, and is read again as it was; what is not taken is refused without a word of its values.
pub(crate) fn sources(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(mut table) = text.parse::<Table>() else {
        let said = parse(text).expect_err("it is no TOML").to_string();
        let line =
            said.strip_prefix("it is malformed: line ").and_then(|rest| rest.strip_suffix(" is no TOML"));
        assert!(line.is_some_and(|line| line.bytes().all(|byte| byte.is_ascii_digit())), "{said}");
        return false;
    };
    match parse(text) {
        Ok(found) => {
            assert!(found.len() <= 256);
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(found.keys().all(|name| (1..=64).contains(&name.len()) && name.bytes().all(plain)));
            assert!(found.values().all(is_sound));
            let written: Table = found.iter().map(|(name, source)| (name.clone(), write(source))).collect();
            let written = Table::from_iter([("secrets".to_owned(), Value::Table(written))]).to_string();
            assert_eq!(parse(&written).expect("our own text is read"), found);
            true
        }
        Err(error) => {
            assert!(matches!(error, AuthorityError::Malformed { .. }), "{error}");
            table.iter_mut().for_each(|(_, value)| hide(value));
            let marked = table.to_string();
            // A key may be shown: people must find it.
            if marked.matches(MARKER).count() == values(&table) {
                let said = parse(&marked).err().map(|error| error.to_string()).unwrap_or_default();
                assert!(!said.contains(MARKER), "{said}");
            }
            false
        }
    }
}

fn is_sound(source: &SecretSource) -> bool {
    match &source.from {
        From::Env(variable) => !variable.is_empty() && !variable.contains(['=', '\0']),
        From::File(path) => path.is_absolute() && source.from.place() == path.display().to_string(),
        From::Program(path, arguments) => {
            // Arguments may be anybody's business, and are shown nowhere.
            let shown = source.from.place() == path.display().to_string();
            path.is_absolute() && shown && !arguments.iter().any(|argument| argument.contains('\0'))
        }
    }
}

fn write(source: &SecretSource) -> Value {
    let path = |path: &std::path::Path| Value::from(path.to_str().expect("it was text"));
    let value = match &source.from {
        From::Env(variable) => Value::from(variable.as_str()),
        From::File(file) => path(file),
        From::Program(program, arguments) => {
            let arguments = arguments.iter().map(|argument| Value::from(argument.as_str()));
            Value::Array(std::iter::once(path(program)).chain(arguments).collect())
        }
    };
    let encoding = format!("{:?}", source.encoding).to_lowercase();
    let fields = [(source.from.kind().to_owned(), value), ("encoding".to_owned(), Value::from(encoding))];
    Value::Table(Table::from_iter(fields))
}

fn hide(value: &mut Value) {
    match value {
        Value::String(text) => MARKER.clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| hide(value)),
        _ => {}
    }
}

/// How many texts stand in it.
fn values(table: &Table) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::String(_) => 1,
            Value::Array(values) => values.iter().map(of).sum(),
            Value::Table(table) => values(table),
            _ => 0,
        }
    }
    table.values().map(of).sum()
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = "[secrets.github]\nenv = \"GITHUB_TOKEN\"\n\n[secrets.hook]\nfile = \"/home/me/hook\"\nencoding = \"base64\"\n\n\
                [secrets.mail-2]\nprogram = [\"/usr/bin/secret-tool\", \"lookup\", \"service\", \"mail\"]\n";
    vec![("valid", text.as_bytes().to_vec()), ("valid-empty", b"\n".to_vec())]
}
