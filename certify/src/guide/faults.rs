//! Faults in words: codes that are about what a command was given, and not about a package.
//!
//! In -> out: code -> what it means, and who says it.
//! Invariant: every code of `orch-certify`'s own, of key files and signers, of the operator's folder and of the machine is
//! here; a test compares. Codes of runs (tasks, store, plugins that fail) are not: their messages and hints explain them.
//! Not here: codes of checks (`guide.rs`), of refusals (`orch-trust`'s `refusal.rs`).

/// Codes that one part says, and which.
pub(super) struct Faults {
    pub(super) said_by: &'static str,
    pub(super) codes: &'static [(&'static str, &'static str)],
}

pub(super) const FAULTS: &[Faults] = &[
    Faults {
        said_by: "said by `orch-certify` of its arguments and of the files that it was given",
        codes: &[
            ("check-group", "a child was asked for checks that there are none of"),
            (
                "check-not-available",
                "level `certified` builds sources twice, and what the toolchain of that language makes is never the same twice",
            ),
            ("delegation-subject", "the digest of a manifest to delegate for is none"),
            ("explain-unknown", "there is no check and no code of that name"),
            (
                "key-file-name",
                "the name of the secret file is also that of its public one, or that is there already",
            ),
            ("key-role", "nothing says whether the key is to publish or to certify"),
            ("known-io", "the list of known ids cannot be read"),
            ("known-malformed", "the list of known ids has a line that is none"),
            ("namespace", "a namespace is not one that operators could trust"),
            ("outside-missing", "level `certified` looks outside of the package, and it was not said where"),
            (
                "public-file",
                "a file is not the public one of a key; what it says is not shown, because it may be a secret",
            ),
            (
                "public-file-other-purpose",
                "the key of a public file was made for another part than it is to have",
            ),
            ("state-folder", "nothing says where the folder is in which the last database is remembered"),
        ],
    },
    Faults {
        said_by: "said by `orch-certify` of documents of a trust root: roots, lists, delegations",
        codes: &[
            (
                "document-complete",
                "a document has all signatures that it needs; one more would change the hash of its file",
            ),
            ("document-edit", "a change of a document has nothing to change, or contradicts what is there"),
            ("document-io", "a document cannot be read"),
            (
                "document-lock",
                "the folder of the lists cannot be locked, so another command could write into it too",
            ),
            ("document-malformed", "a file is not the document that is expected"),
            ("document-no-part", "the key that is to sign has no part in the document"),
            ("document-other", "the file that collects signatures holds another document"),
            (
                "document-previous-unsaid",
                "whether keys of the version before are missing, only that version says",
            ),
            ("document-signed", "a document that somebody signed is not changed any more"),
            ("document-signed-twice", "the key has signed the document already"),
            (
                "document-signer-unknown",
                "a key that signed before is none that is known here, such as one that is leaving",
            ),
            ("document-unsigned", "a next version follows only a document that is signed"),
            ("document-write", "a document cannot be written; nothing of it was left there"),
            ("not-signed", "what holds the key did not sign, or its signature does not hold"),
            ("revoke-key", "nothing signs a list or a freshness document"),
            ("revoke-no-version", "the ends of a range contradict, so that no version is in it"),
            (
                "revoke-recertify",
                "`recertify` was said of what no new certificate cures, which would block it for good",
            ),
            ("revoke-root-key", "root keys are taken back by the next trust root, never by a list"),
        ],
    },
    Faults {
        said_by: "said by `orch-certify` of statements that are to be signed, and of its own work",
        codes: &[
            ("certificate-write", "a certificate or statement cannot be written"),
            ("certify-place", "a place for the checks to work in could not be made"),
            ("statement-check", "a check that is required is not a pass in the statement"),
            ("statement-digest", "the statement's digest of its results is not that of its results"),
            ("statement-facts", "the statement says another fact than the component"),
            ("statement-io", "the statement cannot be read"),
            ("statement-malformed", "the statement is none of `run --out`"),
            ("statement-not-yet", "the statement is from the future"),
            ("statement-old", "the statement is older than the 24 hours in which it can be signed"),
            ("statement-other-plugin", "the statement is for another plugin or version"),
            ("statement-other-subject", "the statement is for other files"),
            ("statement-other-tool", "the statement was made by another tool, or another version of it"),
            ("statement-too-long", "the statement claims to be valid for longer than its level allows"),
        ],
    },
    Faults {
        said_by: "said by every program that signs, of what holds the key",
        codes: &[
            ("agent-io", "the ssh-agent does not answer"),
            ("agent-malformed", "the ssh-agent answers what is no answer"),
            ("agent-no-key", "the ssh-agent has no such ed25519 key"),
            ("agent-no-socket", "`SSH_AUTH_SOCK` names no socket of an agent"),
            ("agent-refused", "the ssh-agent did not want to sign"),
            ("agent-too-long", "what is to be signed is longer than an agent takes"),
            ("foreign-form", "a signature is not of minisign nor of `ssh-keygen -Y sign`"),
            ("foreign-malformed", "a signature of minisign or of ssh is malformed"),
            ("foreign-namespace", "a signature of ssh is for another purpose"),
            ("foreign-other-key", "a signature is by another key than the one that was said"),
            ("foreign-signature", "a signature of minisign or of ssh does not hold"),
            ("key-file-costly", "a key file asks for more memory or time than its limits"),
            ("key-file-exists", "a file is there already and is not overwritten"),
            ("key-file-exposed", "others can read the key file"),
            ("key-file-io", "a key file cannot be opened"),
            ("key-file-malformed", "a key file is in no form that is known, or too large"),
            ("key-file-not-regular", "a key file is a link, a folder or a pipe"),
            ("key-file-other-algorithm", "a key file holds a key that is not ed25519"),
            ("key-file-other-owner", "a key file belongs to another user"),
            ("key-file-other-purpose", "a key was made for another part than it is used for"),
            ("key-file-write", "a key file cannot be written; nothing of it was left there"),
            ("key-random", "the machine gives no random bytes for a new key"),
            ("passphrase-descriptor", "the descriptor gives no passphrase"),
            ("passphrase-differ", "the two passphrases that were typed differ"),
            ("passphrase-file", "the file with the passphrase is not one for its owner's eyes only"),
            ("passphrase-no-terminal", "there is no terminal to ask for the passphrase on"),
            ("passphrase-not-text", "a passphrase is not one line of text"),
            ("passphrase-short", "a new passphrase is too short"),
            ("passphrase-wrong", "the passphrase does not open the key file"),
            ("signer-address", "the address of a signer is malformed"),
            ("signer-code-changeable", "others can change the program or library that would sign"),
            ("signer-code-io", "the program or library that would sign cannot be found"),
            (
                "signer-code-not-regular",
                "the program or library that would sign is no regular file at an absolute path",
            ),
            ("signer-missing", "nothing says what signs"),
            ("signer-pin", "a PIN is in an address, where every process of the machine can read it"),
            ("signer-program-failed", "the program that signs failed"),
            ("signer-program-io", "the program that signs cannot be run"),
            ("signer-program-late", "the program that signs did not answer in time"),
            ("signer-program-malformed", "the program that signs gave what is no signature"),
            ("signer-scheme", "an address begins with no kind of signer that is known"),
            ("token-failed", "the PKCS#11 token failed"),
            ("token-key", "the PKCS#11 token has no such key, or several"),
            ("token-key-malformed", "the key of the PKCS#11 token is no ed25519 key"),
            ("token-library", "a file is no PKCS#11 library that works"),
            ("token-not-found", "there is no PKCS#11 token of that name, or several"),
            ("token-pin-wrong", "the PKCS#11 token does not take the PIN"),
            ("token-signature", "the PKCS#11 token gave what is no signature"),
        ],
    },
    Faults {
        said_by: "said by every program of the folder of a package",
        codes: &[
            ("file-not-regular", "a file of a package is a link, a pipe or a device"),
            ("package-io", "the folder of a package, or a file in it, cannot be read"),
            (
                "package-project",
                "the folder is the project of a plugin, of which `orch-plugin pack` makes a package",
            ),
            ("package-too-many-files", "the folder of a package has more files than a package can have"),
        ],
    },
    Faults {
        said_by: "said by `orch-host` of the machine that it runs on, before a task begins",
        codes: &[
            (
                "machine-call",
                "the kernel, or a filter in front of it, does not give what commands of plugins cannot be seen to without",
            ),
            ("machine-folder", "a folder that a run writes into takes no file; the cause says why"),
            ("open-files", "the limit of open files is too low for any run"),
            ("stack", "the limit of the stack is too low for what sees to commands"),
        ],
    },
    Faults {
        said_by: "said by `orch-host` of the operator's folder and of what comes into it",
        codes: &[
            (
                "development-beside-root",
                "a folder is marked as of a host of development, and trusts by a root, whose word does not count there",
            ),
            (
                "development-folder",
                "a host of development is made in a folder of its own, and something else is there",
            ),
            (
                "development-key",
                "a certifier of level `development` is in the folder of an ordinary host, on which its word counts for nothing",
            ),
            ("development-mark", "the mark of a host of development was made for another folder, or by hand"),
            ("development-runs-only", "a host of development runs tasks for its author, and serves nobody"),
            ("no-random", "the machine gives no random numbers"),
            ("no-trust-root", "the host has no trust root, and a list counts only under one"),
            ("operator-file", "a file of the operator's folder is malformed, or no regular file"),
            ("operator-io", "a file of the operator's folder cannot be read or written"),
            (
                "operator-journal",
                "the journal of the operator's decisions is not as this host left it, or cannot be written",
            ),
            ("operator-locked", "another command changes the operator's folder, and did not end in time"),
            ("operator-no-home", "nothing says where the operator's folder is"),
            ("operator-other-owner", "the operator's folder, or a file in it, belongs to another user"),
            ("operator-secret", "the host's secret can be read by others, or is not 32 bytes"),
            (
                "operator-secret-missing",
                "the host's secret is gone, and the trust state beside it was sealed with it",
            ),
            ("operator-too-large", "a file of the operator's folder is too large, or there are too many"),
            ("operator-writable", "others can change the operator's folder or a file in it"),
            ("root-hash-missing", "the first trust root of a host needs its SHA-256 said by a person"),
            ("root-missing", "the trust root is gone that this host trusts: put the same file back"),
            ("signing-key", "`PLUGIN_SIGNING_KEY` is neither a public key nor the path of one"),
            (
                "trust-file",
                "a file is none that can be trusted: no publisher's or certifier's, no root and no list",
            ),
            (
                "trust-state-missing",
                "a host with a trust root no longer knows what it saw, so nothing is old or new to it",
            ),
            ("workspace-name", "the path of a workspace is no text that can be remembered"),
        ],
    },
];
