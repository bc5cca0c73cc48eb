//! How a signer is said on the command line.
//!
//! In -> out: text -> [`SignerAddress`]. Forms: `file:PATH`, `agent:KEY[?socket=/PATH]`,
//! `pkcs11:token=..;object=..?module-path=/PATH` (a part of RFC 7512), `exec:/PATH?key=BASE64[&arg=..][&env=..]`.
//! Invariant: an unknown scheme, an unknown or repeated attribute, or a path that is not absolute where code or a
//! socket is meant, refuses; no secret can be written into an address.
//! Not here: what the addresses lead to (`signer.rs`).

use std::path::{Path, PathBuf};
use std::str::FromStr;

use orch_trust::key::{KeyId, PublicKey};
use ssh_key::Fingerprint;

/// Which signer, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerAddress {
    /// A key file (`key_file.rs`).
    File(PathBuf),
    Agent(AgentAddress),
    Token(TokenAddress),
    Program(ProgramAddress),
}

/// A key that an ssh-agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAddress {
    pub key: AgentKey,
    /// `SSH_AUTH_SOCK` if absent.
    pub socket: Option<PathBuf>,
}

/// How a key of an agent is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentKey {
    /// `SHA256:...`, as `ssh-add -l` shows it.
    Fingerprint(Fingerprint),
    /// 64 hex digits, as everything here shows it.
    Id(KeyId),
}

/// A key that a PKCS#11 token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAddress {
    /// The library that speaks to the token.
    pub module: PathBuf,
    pub token: String,
    /// The key's label.
    pub object: Option<String>,
    /// The key's `CKA_ID`.
    pub id: Option<Vec<u8>>,
    /// File with the PIN.
    pub pin_file: Option<PathBuf>,
}

/// A program that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramAddress {
    pub path: PathBuf,
    pub key: PublicKey,
    pub arguments: Vec<String>,
    /// Names of variables that it gets.
    pub environment: Vec<String>,
    pub wall_seconds_max: u64,
}

const WALL_SECONDS: u64 = 60;
const WALL_SECONDS_MAX: u64 = 3600;
const SCHEMES: &str = "`file:`, `agent:`, `pkcs11:` or `exec:`";

/// Why a text is no address of a signer.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("signer `{found}` does not begin with {SCHEMES}")]
    Scheme { found: String },
    #[error("`{scheme}` is followed by `{found}`, expected {expected}")]
    Place { scheme: &'static str, found: String, expected: &'static str },
    #[error("`{scheme}` has `{found}`, expected {expected}")]
    Attribute { scheme: &'static str, found: String, expected: &'static str },
    #[error("`{scheme}` says `{name}` more than once")]
    Twice { scheme: &'static str, name: String },
    #[error("`{scheme}` does not say {expected}")]
    Missing { scheme: &'static str, expected: &'static str },
    #[error("`{name}` is `{found}`, expected {expected}")]
    Value { name: &'static str, found: String, expected: &'static str },
    #[error("`{found}` has a `%` that two hex digits do not follow, or is no UTF-8")]
    Percent { found: String },
    #[error("a PIN in a signer's address can be read by every process of this machine")]
    Pin,
}

impl AddressError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme { .. } => "signer-scheme",
            Self::Pin => "signer-pin",
            _ => "signer-address",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pin => Some(
                "`pin-source=file:/PATH` in the address, `--passphrase-file`, `--passphrase-fd`, or the terminal"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl FromStr for SignerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let unknown = || AddressError::Scheme { found: text.to_owned() };
        let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
        match scheme {
            "file" if rest.is_empty() => Err(AddressError::Place {
                scheme: "file:",
                found: String::new(),
                expected: "the path of a key file",
            }),
            "file" => Ok(Self::File(PathBuf::from(rest))),
            "agent" => parse_agent(rest).map(Self::Agent),
            "pkcs11" => parse_token(rest).map(Self::Token),
            "exec" => parse_program(rest).map(Self::Program),
            _ => Err(unknown()),
        }
    }
}

fn parse_agent(rest: &str) -> Result<AgentAddress, AddressError> {
    const SCHEME: &str = "agent:";
    let (place, query) = split_query(rest);
    let key = match (place.strip_prefix("SHA256:"), KeyId::parse(place)) {
        (Some(_), _) => place.parse().ok().map(AgentKey::Fingerprint),
        (None, id) => id.map(AgentKey::Id),
    };
    let key = key.ok_or_else(|| AddressError::Place {
        scheme: SCHEME,
        found: place.to_owned(),
        expected: "`SHA256:` and a fingerprint, or a key id of 64 hex digits",
    })?;
    let mut attributes = Attributes::parse(SCHEME, query, '&')?;
    let socket = attributes.take_one("socket")?.map(|path| absolute("socket", path)).transpose()?;
    attributes.end("`socket`")?;
    Ok(AgentAddress { key, socket })
}

fn parse_token(rest: &str) -> Result<TokenAddress, AddressError> {
    const SCHEME: &str = "pkcs11:";
    let (path, query) = split_query(rest);
    let mut attributes = Attributes::parse(SCHEME, Some(path), ';')?;
    let token = attributes.take_text("token")?;
    let object = attributes.take_text("object")?;
    let id = attributes.take_one("id")?;
    if let Some(kind) = attributes.take_text("type")?.filter(|kind| kind != "private") {
        return Err(AddressError::Value { name: "type", found: kind, expected: "`private`" });
    }
    attributes.end("`token`, `object`, `id` or `type`")?;
    let mut attributes = Attributes::parse(SCHEME, query, '&')?;
    if attributes.take_one("pin-value")?.is_some() {
        return Err(AddressError::Pin);
    }
    let module = attributes.take_one("module-path")?;
    let pin = attributes.take_text("pin-source")?;
    attributes.end("`module-path` or `pin-source`")?;
    let missing = |expected| AddressError::Missing { scheme: SCHEME, expected };
    let pin_file = pin.map(|source| match source.strip_prefix("file:").map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(path),
        _ => Err(AddressError::Value {
            name: "pin-source",
            found: source.clone(),
            expected: "`file:` and an absolute path",
        }),
    });
    if object.is_none() && id.is_none() {
        return Err(missing("which key: `object` or `id`"));
    }
    Ok(TokenAddress {
        module: absolute("module-path", module.ok_or_else(|| missing("`module-path`"))?)?,
        token: token.ok_or_else(|| missing("`token`"))?,
        object,
        id,
        pin_file: pin_file.transpose()?,
    })
}

fn parse_program(rest: &str) -> Result<ProgramAddress, AddressError> {
    const SCHEME: &str = "exec:";
    let (place, query) = split_query(rest);
    let path = absolute("exec", percent_decode(place)?)?;
    let mut attributes = Attributes::parse(SCHEME, query, '&')?;
    let key = attributes.take_text("key")?;
    let key = key.ok_or(AddressError::Missing { scheme: SCHEME, expected: "`key`, the public key" })?;
    let wrong = || AddressError::Value {
        name: "key",
        found: key.clone(),
        expected: "an ed25519 public key in base64",
    };
    let key = PublicKey::from_base64(&key).map_err(|_| wrong())?;
    let wall_seconds_max = match attributes.take_text("timeout")? {
        None => WALL_SECONDS,
        Some(text) => match text.parse() {
            Ok(seconds @ 1..=WALL_SECONDS_MAX) => seconds,
            _ => {
                let expected = "seconds, 1 to 3600";
                return Err(AddressError::Value { name: "timeout", found: text, expected });
            }
        },
    };
    let arguments = attributes.take_all("arg")?;
    let environment = attributes.take_all("env")?;
    if let Some(name) = environment.iter().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        let expected = "the name of a variable";
        return Err(AddressError::Value { name: "env", found: name.clone(), expected });
    }
    attributes.end("`key`, `arg`, `env` or `timeout`")?;
    Ok(ProgramAddress { path, key, arguments, environment, wall_seconds_max })
}

fn split_query(rest: &str) -> (&str, Option<&str>) {
    rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)))
}

/// `name=value` pairs that nobody took yet.
struct Attributes {
    scheme: &'static str,
    pairs: Vec<(String, Vec<u8>)>,
}

impl Attributes {
    fn parse(scheme: &'static str, text: Option<&str>, between: char) -> Result<Self, AddressError> {
        let pair = |text: &str| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), percent_decode(value)?)),
            _ => Err(AddressError::Attribute { scheme, found: text.to_owned(), expected: "NAME=VALUE" }),
        };
        let texts = text.filter(|text| !text.is_empty()).into_iter().flat_map(|text| text.split(between));
        Ok(Self { scheme, pairs: texts.map(pair).collect::<Result<_, _>>()? })
    }

    fn take(&mut self, name: &str) -> Vec<Vec<u8>> {
        let taken = self.pairs.extract_if(.., |(found, _)| found == name);
        taken.map(|(_, value)| value).collect()
    }

    fn take_one(&mut self, name: &str) -> Result<Option<Vec<u8>>, AddressError> {
        let mut values = self.take(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(AddressError::Twice { scheme: self.scheme, name: name.to_owned() }),
        }
    }

    fn take_text(&mut self, name: &str) -> Result<Option<String>, AddressError> {
        self.take_one(name)?.map(text).transpose()
    }

    fn take_all(&mut self, name: &str) -> Result<Vec<String>, AddressError> {
        self.take(name).into_iter().map(text).collect()
    }

    /// Nothing is left.
    fn end(self, expected: &'static str) -> Result<(), AddressError> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((found, _)) => Err(AddressError::Attribute { scheme: self.scheme, found, expected }),
        }
    }
}

fn percent_decode(text: &str) -> Result<Vec<u8>, AddressError> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let wrong = || AddressError::Percent { found: text.to_owned() };
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, AddressError> {
    String::from_utf8(bytes).map_err(|error| {
        let found = error.as_bytes().iter().map(|byte| format!("%{byte:02x}")).collect();
        AddressError::Percent { found }
    })
}

fn absolute(name: &'static str, bytes: Vec<u8>) -> Result<PathBuf, AddressError> {
    let path = text(bytes)?;
    match Path::new(&path).is_absolute() {
        true => Ok(PathBuf::from(path)),
        false => Err(AddressError::Value { name, found: path, expected: "an absolute path" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base point's x4 multiple would do as well: any key of the prime-order group.
    const KEY: &str = "0Q3OfCvdfCBaoQ9d6rIsIaaS/hzO2WDn2PJU3mI04+Y=";

    fn parse(text: &str) -> Result<SignerAddress, AddressError> {
        text.parse()
    }

    #[track_caller]
    fn refused(text: &str, code: &str, says: &str) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.code(), code, "{text}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }

    #[test]
    fn a_file_is_the_rest_as_it_is() {
        assert_eq!(parse("file:a%20b?c").unwrap(), SignerAddress::File("a%20b?c".into()));
        assert_eq!(parse("file:/keys/a").unwrap(), SignerAddress::File("/keys/a".into()));
        refused("file:", "signer-address", "the path of a key file");
    }

    #[test]
    fn unknown_schemes_refuse_and_say_which_there_are() {
        for wrong in ["", "a.key", "/keys/a", "FILE:a", "https://kms", "env:KEY", " file:a"] {
            refused(wrong, "signer-scheme", "`file:`, `agent:`, `pkcs11:` or `exec:`");
        }
    }

    #[test]
    fn an_agents_key_is_a_fingerprint_or_a_key_id() {
        let id = "ab".repeat(32);
        let SignerAddress::Agent(agent) = parse(&format!("agent:{id}?socket=/run/a%20b")).unwrap() else {
            panic!()
        };
        assert_eq!(agent.key, AgentKey::Id(KeyId::parse(&id).unwrap()));
        assert_eq!(agent.socket, Some("/run/a b".into()));
        let fingerprint = "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM";
        assert!(parse(&format!("agent:{fingerprint}")).is_ok());
        let says = "`SHA256:` and a fingerprint, or a key id of 64 hex digits";
        for wrong in
            ["", "MD5:00:11", "SHA256:short", &format!("{fingerprint}="), &id[1..], &id.to_uppercase()]
        {
            refused(&format!("agent:{wrong}"), "signer-address", says);
        }
        refused(&format!("agent:{id}?socket=run/a"), "signer-address", "expected an absolute path");
        refused(&format!("agent:{id}?key=1"), "signer-address", "expected `socket`");
        refused(&format!("agent:{id}?socket=/a&socket=/b"), "signer-address", "more than once");
        refused(&format!("agent:{id}?socket"), "signer-address", "expected NAME=VALUE");
    }

    #[test]
    fn a_token_is_said_as_in_rfc_7512() {
        let text = "pkcs11:token=My%20Card;object=release;id=%01%ff;type=private\
                    ?module-path=/usr/lib/x.so&pin-source=file:/keys/pin";
        let SignerAddress::Token(token) = parse(text).unwrap() else { panic!() };
        assert_eq!((token.token.as_str(), token.object.as_deref()), ("My Card", Some("release")));
        assert_eq!((token.id, token.pin_file), (Some(vec![1, 255]), Some("/keys/pin".into())));
        assert_eq!(token.module, PathBuf::from("/usr/lib/x.so"));
        let refused = |text: &str, says: &str| refused(text, "signer-address", says);
        refused("pkcs11:token=a;object=b", "`module-path`");
        refused("pkcs11:object=b?module-path=/x", "`token`");
        refused("pkcs11:token=a?module-path=/x", "which key: `object` or `id`");
        refused("pkcs11:token=a;object=b?module-path=x.so", "expected an absolute path");
        refused(
            "pkcs11:token=a;object=b;slot-id=1?module-path=/x",
            "expected `token`, `object`, `id` or `type`",
        );
        refused("pkcs11:token=a;object=b;type=cert?module-path=/x", "expected `private`");
        refused("pkcs11:token=a;object=b?module-path=/x&pin-source=|cat", "`file:` and an absolute path");
        refused("pkcs11:token=%f;object=b?module-path=/x", "two hex digits");
        refused("pkcs11:token=%ff;object=b?module-path=/x", "no UTF-8");
    }

    #[test]
    fn no_pin_stands_in_an_address() {
        refused("pkcs11:token=a;object=b?module-path=/x&pin-value=1234", "signer-pin", "every process");
        let error = parse("pkcs11:token=a;object=b?module-path=/x&pin-value=1234").unwrap_err();
        assert!(!error.to_string().contains("1234"));
    }

    #[test]
    fn a_program_is_an_absolute_path_with_its_key_said_beside_it() {
        let text = format!("exec:/opt/kms%20sign?key={KEY}&arg=--key&arg=a%26b&env=HOME&timeout=5");
        let SignerAddress::Program(program) = parse(&text).unwrap() else { panic!() };
        assert_eq!(program.path, PathBuf::from("/opt/kms sign"));
        assert_eq!(program.arguments, ["--key", "a&b"]);
        assert_eq!((program.environment.as_slice(), program.wall_seconds_max), (&["HOME".to_owned()][..], 5));
        let refused = |text: &str, says: &str| refused(text, "signer-address", says);
        refused("exec:/opt/sign", "`key`, the public key");
        refused("exec:/opt/sign?key=AAAA", "an ed25519 public key in base64");
        refused(&format!("exec:sign?key={KEY}"), "expected an absolute path");
        refused(&format!("exec:/opt/sign?key={KEY}&timeout=0"), "seconds, 1 to 3600");
        refused(&format!("exec:/opt/sign?key={KEY}&timeout=3601"), "seconds, 1 to 3600");
        refused(&format!("exec:/opt/sign?key={KEY}&env=A=B"), "the name of a variable");
        refused(&format!("exec:/opt/sign?key={KEY}&shell=1"), "expected `key`, `arg`, `env` or `timeout`");
    }
}
