//! Check `secrets`: nothing that only its owner should have, and no path of the machine that built it.
//!
//! In -> out: every text of the package -> result. Looks at what memories begin with, names, custom sections with the
//! dependency list unpacked, and the files beside the component.
//! Invariant: a secret refuses, a build path is a warning; a finding says which kind and where, never the secret.
//! Limits: only forms that are listed here ([`KINDS`]); what is encoded, encrypted or put together by code is not seen.
//! Not here: executables inside data (`dangerous_content.rs`).

use std::borrow::Cow;
use std::sync::LazyLock;

use orch_trust::certificate::CheckResult;
use regex::bytes::{Captures, Regex, RegexSet};

use super::parts::{Part, parts};
use super::{Subject, dependency_list, failed, skipped, warned_if};

const ID: &str = "secrets";

/// A form of secrets, and what else it takes to be one. The group `secret` is what is weighed, else all of it.
struct Kind {
    name: &'static str,
    pattern: &'static str,
    /// Least entropy in bits a character: what a person made up as an example has less.
    bits_min: f64,
    /// It must have letters and digits.
    mixed: bool,
}

const fn kind(name: &'static str, pattern: &'static str, bits_min: f64, mixed: bool) -> Kind {
    Kind { name, pattern, bits_min, mixed }
}

const KINDS: [Kind; 26] = [
    // The line alone is in every program that reads such files: there must be a key behind it.
    kind(
        "private key",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z-]{1,20}: [^\n]{0,80}\n|\s|\\n|\\r){0,8}(?P<secret>[A-Za-z0-9+/=]{40})",
        3.0,
        false,
    ),
    kind("secret key of age", r"AGE-SECRET-KEY-1(?P<secret>[02-9AC-HJ-NP-Z]{58})", 3.0, false),
    kind("secret key of PuTTY", r"PuTTY-User-Key-File-[23]: [a-z0-9-]{3,30}\s", 0.0, false),
    kind("secret key of orch", r#""kind"\s{0,4}:\s{0,4}"orch-secret-key""#, 0.0, false),
    kind("secret key of minisign", r"secret key\s{1,4}(?P<secret>RWR[A-Za-z0-9+/]{60})", 3.0, false),
    // In words of capital letters only, as tables of characters have them, these four letters are nothing special.
    kind("access key of AWS", r"(?:^|[^A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)(?P<secret>[0-9A-Z]{16})", 2.8, true),
    kind("token of GitHub", r"gh[pousr]_(?P<secret>[A-Za-z0-9]{36})", 3.5, false),
    kind("token of GitHub", r"github_pat_(?P<secret>[A-Za-z0-9_]{82})", 3.5, false),
    kind("token of GitLab", r"gl(?:pat|dt|rt|cbt|ptt|soat)-(?P<secret>[A-Za-z0-9_-]{20})", 3.0, false),
    kind("token of Slack", r"xox[abeoprs]-(?P<secret>[0-9]{8,14}-[0-9A-Za-z-]{16,})", 2.8, false),
    kind(
        "web hook of Slack",
        r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{8,}/[AB][A-Z0-9]{8,}/(?P<secret>[A-Za-z0-9]{20,})",
        3.0,
        false,
    ),
    kind("API key of Google", r"AIza(?P<secret>[0-9A-Za-z_-]{35})", 3.5, false),
    kind("token of Google", r"ya29\.(?P<secret>[0-9A-Za-z_-]{40,})", 3.5, false),
    kind("key of Stripe", r"[rs]k_live_(?P<secret>[0-9A-Za-z]{24,})", 3.0, false),
    kind("key of SendGrid", r"SG\.(?P<secret>[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", 3.5, false),
    kind("token of npm", r"npm_(?P<secret>[A-Za-z0-9]{36})", 3.5, true),
    kind("token of PyPI", r"pypi-AgE(?P<secret>[A-Za-z0-9_-]{60,})", 3.5, false),
    kind("token of crates.io", r"cio(?P<secret>[A-Za-z0-9]{32})", 3.8, true),
    kind("token of Hugging Face", r"hf_(?P<secret>[A-Za-z]{34})", 4.0, false),
    kind("token of DigitalOcean", r"do[opr]_v1_(?P<secret>[a-f0-9]{64})", 3.0, true),
    kind("key of Anthropic", r"sk-ant-(?P<secret>[A-Za-z0-9_-]{32,})", 3.5, true),
    kind("key of OpenAI", r"sk-(?:proj-|svcacct-)?(?P<secret>[A-Za-z0-9]{40,})", 3.8, true),
    kind("key of Azure", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)", 3.5, true),
    kind(
        "JSON web token",
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ(?P<secret>[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})",
        3.5,
        false,
    ),
    kind(
        "password in a URL",
        r"[a-z][a-z0-9+.-]{1,11}://[A-Za-z0-9._%-]{1,64}:(?P<secret>[A-Za-z0-9._%!*~-]{8,64})@[A-Za-z0-9-]{1,63}\.[A-Za-z]",
        2.8,
        true,
    ),
    kind(
        "assigned secret",
        r#"(?i)(?:api[_-]?key|access[_-]?key|secret|token|passw(?:or)?d|authorization)["']?\s{0,3}[:=]\s{0,3}["']?(?:bearer |basic )?(?P<secret>[A-Za-z0-9+/_=-]{20,128})"#,
        4.0,
        true,
    ),
];

/// How texts end that the makers of a kind show to everybody: keys of AWS's manual, the token of jwt.io.
const SHOWN_ENDS: [&str; 3] = ["EXAMPLE", "EXAMPLEKEY", ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"];

/// Folders of people, and of build tools inside them. `orch-plugin build` writes none of these.
const PATHS: [(&str, &str); 6] = [
    ("a home folder", r"/home/[A-Za-z0-9._-]{1,32}/[A-Za-z0-9._-]{1,64}"),
    ("a home folder", r"/Users/[A-Za-z0-9._-]{1,32}/[A-Za-z0-9._-]{1,64}"),
    ("a home folder", r"(?i)[a-z]:[\\/]{1,2}Users[\\/]{1,2}[A-Za-z0-9._ -]{1,32}[\\/]"),
    ("root's folder", r"/root/\.?[A-Za-z0-9._-]{1,64}"),
    ("cargo's folder", r"\.cargo[\\/]{1,2}(?:registry|git)[\\/]"),
    ("rustup's folder", r"\.rustup[\\/]{1,2}toolchains[\\/]"),
];

/// All patterns at once, and each alone.
struct Patterns {
    set: RegexSet,
    secrets: Vec<(&'static Kind, Regex)>,
}

static PATTERNS: LazyLock<Result<Patterns, regex::Error>> = LazyLock::new(|| {
    let plain = |pattern: &str| format!("(?-u){pattern}");
    let secrets = KINDS.iter().map(|kind| Ok((kind, Regex::new(&plain(kind.pattern))?)));
    let all = KINDS.iter().map(|kind| kind.pattern).chain(PATHS.iter().map(|(_, pattern)| *pattern));
    Ok(Patterns {
        set: RegexSet::new(all.map(plain))?,
        secrets: secrets.collect::<Result<_, regex::Error>>()?,
    })
});

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    if let Err(refusal) = &subject.facts {
        return skipped(ID, &format!("no facts: {}", refusal.code()));
    }
    let patterns = match &*PATTERNS {
        Ok(patterns) => patterns,
        Err(error) => return super::unfinished(ID, &format!("patterns: {error}")),
    };
    let (mut texts, mut secrets, mut paths) = (0, Vec::new(), Vec::new());
    let mut look = |place: &str, text: &[u8]| {
        texts += 1;
        let (found, built) = search(patterns, text);
        secrets.extend(found.into_iter().map(|kind| format!("secret-found: {kind} in {place}")));
        paths.extend(built.into_iter().map(|kind| format!("build-path: {kind} in {place}")));
    };
    let bytes = subject.package.component();
    for part in parts(&bytes) {
        look_at_part(&part, &mut look);
    }
    for (name, text) in subject.package.documents() {
        look(name, &plain(text));
    }
    secrets.dedup();
    paths.dedup();
    match secrets.is_empty() {
        true => warned_if(ID, texts, paths),
        false => failed(ID, texts, [secrets, paths].concat()),
    }
}

fn look_at_part(part: &Part<'_>, look: &mut impl FnMut(&str, &[u8])) {
    for text in part.texts() {
        look(&format!("data of {}", part.name), &text);
    }
    for section in &part.custom {
        let place = format!("section `{}` of {}", section.name().escape_default(), part.name);
        match section.name() {
            // What cannot be unpacked is `custom-sections`' and `dependency-list`'s to refuse.
            dependency_list::SECTION => {
                look(&place, &plain(&dependency_list::inflate(section.data()).unwrap_or_default()));
            }
            _ => look(&place, section.data()),
        }
    }
    for name in &part.names {
        look(&format!("a name of {}", part.name), name.as_bytes());
    }
}

/// JSON without escapes that are not needed, which would hide a text from every pattern; anything else as it is.
fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(value) => Cow::Owned(value.to_string().into_bytes()),
        Err(_) => Cow::Borrowed(text),
    }
}

/// Kinds of secrets and of paths in one text, each once.
fn search(patterns: &Patterns, text: &[u8]) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut secrets, mut paths) = (Vec::new(), Vec::new());
    for place in patterns.set.matches(text) {
        match patterns.secrets.get(place) {
            Some((kind, regex)) => {
                if regex.captures_iter(text).any(|found| is_secret(kind, &found)) {
                    secrets.push(kind.name);
                }
            }
            None => paths.extend(PATHS.get(place - KINDS.len()).map(|(name, _)| *name)),
        }
    }
    secrets.dedup();
    paths.dedup();
    (secrets, paths)
}

fn is_secret(kind: &Kind, found: &Captures<'_>) -> bool {
    let whole = found.get(0).map(|all| all.as_bytes()).unwrap_or_default();
    let weighed = found.name("secret").map_or(whole, |secret| secret.as_bytes());
    if SHOWN_ENDS.iter().any(|end| weighed.ends_with(end.as_bytes())) {
        return false;
    }
    let has = |wanted: fn(&u8) -> bool| weighed.iter().any(wanted);
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    entropy(weighed) >= kind.bits_min && (mixed || !kind.mixed)
}

/// Bits a character.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = text.len() as f64;
    let part = |count: &u32| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters of no pattern, so that no scanner takes this file for a leak.
    fn noise(length: usize, alphabet: &str) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|place| letters[(place * 7 + place * place / 3) % letters.len()]).collect()
    }

    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const HEX: &str = "0123456789abcdef";

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let patterns = PATTERNS.as_ref().unwrap();
        let around = format!("some text before{text}and behind\0");
        let (secrets, paths) = search(patterns, around.as_bytes());
        assert_eq!([secrets, paths].concat(), expected, "{text}");
    }

    #[test]
    fn each_kind_is_found_inside_other_text() {
        let some = |length| noise(length, LETTERS);
        let one =
            |start: &str, length: usize, name: &str| check(&format!("{start}{}", some(length)), &[name]);
        let block = |name: &str| format!("-----BEGIN {name}-----\n{}\n", some(64));
        check(&block("PRIVATE KEY"), &["private key"]);
        check(&block("OPENSSH PRIVATE KEY"), &["private key"]);
        check(&block("PGP PRIVATE KEY BLOCK").replacen("\n", "\nVersion: 1\n\n", 1), &["private key"]);
        check(&format!("AGE-SECRET-KEY-1{}", noise(58, "023456789ACDEFGHJKLMN")), &["secret key of age"]);
        check("PuTTY-User-Key-File-3: ssh-ed25519\n", &["secret key of PuTTY"]);
        check(r#"{"kind":"orch-secret-key","seed":""}"#, &["secret key of orch"]);
        one("secret key\nRWR", 60, "secret key of minisign");
        check(&format!("AKIA{}", noise(16, UPPER)), &["access key of AWS"]);
        one("ghp_", 36, "token of GitHub");
        one("github_pat_", 82, "token of GitHub");
        one("glpat-", 20, "token of GitLab");
        check(&format!("xoxb-{}-{}", noise(12, "0123456789"), some(24)), &["token of Slack"]);
        check(
            &format!("hooks.slack.com/services/T{0}/B{0}/{1}", noise(9, UPPER), some(24)),
            &["web hook of Slack"],
        );
        one("AIza", 35, "API key of Google");
        one("ya29.", 60, "token of Google");
        one("sk_live_", 24, "key of Stripe");
        check(&format!("SG.{}.{}", some(22), some(43)), &["key of SendGrid"]);
        one("npm_", 36, "token of npm");
        one("pypi-AgE", 64, "token of PyPI");
        one("cio", 32, "token of crates.io");
        check(&format!("hf_{}", noise(34, &LETTERS[..52])), &["token of Hugging Face"]);
        check(&format!("dop_v1_{}", noise(64, HEX)), &["token of DigitalOcean"]);
        one("sk-ant-", 40, "key of Anthropic");
        one("sk-proj-", 48, "key of OpenAI");
        check(&format!("AccountKey={}==", some(86)), &["key of Azure"]);
        check(&format!("eyJ{}.eyJ{}.{}", some(20), some(40), some(43)), &["JSON web token"]);
        check("https://bob:k3j5h2x9q@db.example.com/", &["password in a URL"]);
        check(&format!("api_key = \"{}\"", some(40)), &["assigned secret"]);
        check(&format!("Authorization: Bearer {}", some(40)), &["assigned secret"]);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        check("-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----", &[]);
        check("-----BEGIN PRIVATE KEY-----invalid header of a block", &[]);
        check(&format!("-----BEGIN CERTIFICATE-----\n{}\n", noise(64, LETTERS)), &[]);
        check(&format!(" AKIA{}", "A".repeat(16)), &[]);
        check("STRONGGEORGIANMTAVRULILABIALENCLOSING ASIAMUSICALSYMBOLTEMPUSIMPERFECTUM", &[]);
        check(&format!("ghp_{}", "x".repeat(36)), &[]);
        check("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", &[]);
        check("https://user:password@example.com/", &[]);
        check("https://docs.example.com/a:b@c", &[]);
        check("token: unexpected end of the input stream", &[]);
        check(&format!("sha256 = {}", noise(64, HEX)), &[]);
        check("the secret is to be consciousnessofthisandthatandmore", &[]);
    }

    #[test]
    fn what_a_manual_shows_to_everybody_is_none_and_what_only_begins_so_is_one() {
        for shown in [
            "AKIAIOSFODNN7EXAMPLE",
            "ASIAI44QH8DHBEXAMPLE",
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        ] {
            check(&format!(" {shown} "), &[]);
        }
        check(&format!(" AKIA{} AKIAIOSFODNN7EXAMPLE ", noise(16, UPPER)), &["access key of AWS"]);
        check(&format!(" AKIAIOSFODNN7EXAM{} ", noise(3, UPPER)), &["access key of AWS"]);
    }

    #[test]
    fn build_paths_are_found() {
        for (path, name) in [
            ("/home/alice/project/src/lib.rs", "a home folder"),
            ("/Users/alice/project", "a home folder"),
            ("C:\\Users\\Alice\\x", "a home folder"),
            ("/root/work", "root's folder"),
            ("x/.cargo/registry/src/", "cargo's folder"),
            ("x/.rustup/toolchains/stable", "rustup's folder"),
        ] {
            check(path, &[name]);
        }
        check("/rustc/0123/library/core/src/fmt/mod.rs /home /root ~/.cargo/config", &[]);
    }
}
