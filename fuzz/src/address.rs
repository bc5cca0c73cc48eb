//! How a signer is said on the command line.

use std::path::Path;

use orch_signer::address::{AgentKey, SignerAddress};

/// An address is read as it is written anew; code, sockets and PINs lie at absolute paths, and nothing waits for ever.
pub(crate) fn address(bytes: &[u8]) -> bool {
    let Some(address) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()) else {
        return false;
    };
    match &address {
        SignerAddress::File(path) => assert!(!path.as_os_str().is_empty()),
        SignerAddress::Agent(agent) => assert!(agent.socket.iter().all(|path| path.is_absolute())),
        SignerAddress::Token(token) => {
            assert!(token.module.is_absolute() && token.pin_file.iter().all(|path| path.is_absolute()));
            assert!(token.object.is_some() || token.id.is_some());
        }
        SignerAddress::Program(program) => {
            assert!(program.path.is_absolute() && (1..=3600).contains(&program.wall_seconds_max));
            assert!(program.environment.iter().all(|name| !name.is_empty() && !name.contains(['=', '\0'])));
        }
    }
    let again: SignerAddress = render(&address).parse().expect("our own text is read");
    assert_eq!(again, address);
    true
}

/// The text of an address, with every byte that could mean something behind a `%`.
fn render(address: &SignerAddress) -> String {
    let path = |path: &Path| escape(path.as_os_str().as_encoded_bytes());
    match address {
        SignerAddress::File(path) => format!("file:{}", path.display()),
        SignerAddress::Agent(agent) => {
            let key = match &agent.key {
                AgentKey::Fingerprint(fingerprint) => fingerprint.to_string(),
                AgentKey::Id(id) => id.to_string(),
            };
            let socket = agent.socket.as_deref().map(|socket| format!("?socket={}", path(socket)));
            format!("agent:{key}{}", socket.unwrap_or_default())
        }
        SignerAddress::Token(token) => {
            let mut text = format!("pkcs11:token={}", escape(token.token.as_bytes()));
            for (name, value) in
                [("object", token.object.as_ref().map(String::as_bytes)), ("id", token.id.as_deref())]
            {
                if let Some(value) = value {
                    text += &format!(";{name}={}", escape(value));
                }
            }
            text += &format!("?module-path={}", path(&token.module));
            if let Some(file) = &token.pin_file {
                text += &format!("&pin-source=file:{}", path(file));
            }
            text
        }
        SignerAddress::Program(program) => {
            let key = program.key.to_base64();
            let mut text = format!(
                "exec:{}?key={}&timeout={}",
                path(&program.path),
                escape(key.as_bytes()),
                program.wall_seconds_max
            );
            let all = program.arguments.iter().map(|value| ("arg", value));
            for (name, value) in all.chain(program.environment.iter().map(|value| ("env", value))) {
                text += &format!("&{name}={}", escape(value.as_bytes()));
            }
            text
        }
    }
}

fn escape(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' => char::from(*byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    bytes.iter().map(one).collect()
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let key = include_str!("../../signer/tests/data/pkcs8.pub").trim();
    let id = "ab".repeat(32);
    let texts = [
        ("valid-file", "file:keys/a%20b?c".to_owned()),
        ("valid-agent", format!("agent:{id}?socket=/run/a%20b")),
        ("valid-agent-fingerprint", "agent:SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM".to_owned()),
        (
            "valid-token",
            "pkcs11:token=My%20Card;object=release;id=%01%ff;type=private\
             ?module-path=/usr/lib/x.so&pin-source=file:/keys/pin"
                .to_owned(),
        ),
        ("valid-program", format!("exec:/bin/sign?key={key}&arg=a%26b&arg=&env=HOME&timeout=3600")),
    ];
    texts.map(|(name, text)| (name, text.into_bytes())).into()
}
