//! What people say of the environment of commands.
//!
//! In -> out: names and values -> [`Env`], or what is wrong with one of them.
//! Limits: the constants below.
//! Invariant: a value is shown nowhere: not by `Debug`, not by an error; it leaves by [`Env::iter`] alone.
//! Not here: which names a policy grants (`orch-trust`'s `permission/process.rs`), where values go (`orch-host`).

use std::collections::BTreeMap;
use std::fmt;

const VARIABLES_MAX: usize = 64;
const VARIABLE_NAME_BYTES_MAX: usize = 128;
/// Of all names and values of one task or workspace.
const ENV_BYTES_MAX: usize = 64 * 1024;

/// Variables by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

/// What is wrong with a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    #[error(
        "`{name}` cannot name a variable, expected 1 to {VARIABLE_NAME_BYTES_MAX} of `[A-Za-z0-9_]`, no digit first"
    )]
    Name { name: String },
    #[error("value of `{name}` has a NUL")]
    Nul { name: String },
    #[error("variable `{name}` is there twice")]
    Twice { name: String },
    #[error("more than {VARIABLES_MAX} variables")]
    TooMany,
    #[error("variables of {found_bytes} bytes together, limit is {ENV_BYTES_MAX}")]
    TooLong { found_bytes: usize },
}

impl Env {
    /// These variables.
    ///
    /// # Errors
    /// Every variant of [`EnvError`].
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, EnvError> {
        let mut env = BTreeMap::new();
        let mut found_bytes = 0usize;
        for (name, value) in variables {
            if !is_variable_name(&name) {
                let name = name.chars().take(64).flat_map(char::escape_debug).collect();
                return Err(EnvError::Name { name });
            }
            if value.contains('\0') {
                return Err(EnvError::Nul { name });
            }
            found_bytes = found_bytes.saturating_add(name.len()).saturating_add(value.len());
            if env.insert(name.clone(), value).is_some() {
                return Err(EnvError::Twice { name });
            }
        }
        match (env.len() > VARIABLES_MAX, found_bytes > ENV_BYTES_MAX) {
            (true, _) => Err(EnvError::TooMany),
            (_, true) => Err(EnvError::TooLong { found_bytes }),
            _ => Ok(Self(env)),
        }
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What every shell takes for a name; `BASH_FUNC_x%%` is none.
fn is_variable_name(text: &str) -> bool {
    (1..=VARIABLE_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

impl fmt::Debug for Env {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Env, EnvError> {
        Env::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn names_are_those_that_every_shell_takes() {
        for name in ["A", "_", "a_b9", "HTTP_PROXY", &"A".repeat(128)] {
            assert!(of(&[(name, "")]).is_ok(), "{name}");
        }
        for name in
            ["", "A=B", "A\0", "A\nB", "9A", "A-B", "A B", "É", "BASH_FUNC_x%%", "A@sh", &"A".repeat(129)]
        {
            assert!(matches!(of(&[(name, "x")]), Err(EnvError::Name { .. })), "{name:?}");
        }
        let shown = of(&[("A\n\u{1b}[2J", "x")]).unwrap_err().to_string();
        assert!(!shown.contains(['\n', '\u{1b}']), "{shown}");
    }

    #[test]
    fn values_have_their_limits_and_are_shown_nowhere() {
        assert_eq!(of(&[("A", "a\0b")]), Err(EnvError::Nul { name: "A".to_owned() }));
        assert_eq!(of(&[("A", "1"), ("A", "1")]), Err(EnvError::Twice { name: "A".to_owned() }));
        assert!(of(&[("A", &"x".repeat(ENV_BYTES_MAX - 1))]).is_ok());
        assert_eq!(
            of(&[("A", &"x".repeat(ENV_BYTES_MAX))]),
            Err(EnvError::TooLong { found_bytes: ENV_BYTES_MAX + 1 })
        );
        let many = |count: usize| Env::of((0..count).map(|nth| (format!("A{nth}"), String::new())));
        assert!(many(VARIABLES_MAX).is_ok());
        assert_eq!(many(VARIABLES_MAX + 1), Err(EnvError::TooMany));
        let env = of(&[("TOKEN", "hunter2"), ("A", "multi\nline = '\"")]).unwrap();
        assert_eq!(format!("{env:?}"), r#"{"A", "TOKEN"}"#);
        assert_eq!(env.iter().last(), Some(("TOKEN", "hunter2")));
    }
}
