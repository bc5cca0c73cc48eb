//! The checks that call the plugin, and the one that looks at this tool.
//!
//! Not here: form (`structure.rs`), what is inside (`contents.rs`).

use orch_trust::package::{COMPONENT, MANIFEST};

use super::Guide;

pub(super) const GUIDES: &[Guide] = &[
    Guide {
        id: "conformance/*",
        file: COMPONENT,
        looks_at: "calls of the role with good and with hostile input, in a sandbox with fake capabilities",
        why: "a plugin that breaks its role's rules, or traps on odd input, fails in the middle of a run",
        helps: "`orch-plugin test` plays your own cases; answer a failure in words and never trap",
        codes: &[
            ("conformance-answer", "an answer is outside the rules of its role"),
            ("conformance-failure", "a call failed that must not, or without a word on why"),
            ("plugin-link", "the component cannot be linked with what was granted"),
            ("plugin-trap", "a call ended in a trap"),
            ("plugin-exit", "a call ended itself by `exit` instead of answering"),
            ("plugin-answer", "an answer is outside the limits of its interface"),
            ("plugin-failure", "the plugin itself said that it failed"),
            ("limit-memory", "a call wanted more memory than its manifest says"),
            ("limit-tables", "a call wanted more table entries than there may be"),
            ("limit-busy", "a call used more time in its own code than its manifest says"),
            ("limit-argument", "a call was handed more than its interface allows"),
            ("limit-resources", "a call held more resources of the host than there may be"),
            ("limit-stack", "a call went deeper than the stack allows"),
            ("limit-wall", "a call took longer than its manifest says"),
            ("limit-output", "a call answered more than its manifest says"),
            ("limit-findings", "a call reported more findings than one plugin may in a run"),
            ("limit-kv", "a call wrote values for which one plugin has no room in a run any more"),
            ("limit-fuel", "a call used more fuel than the certifier gives"),
            ("call-closed", "a call was made after its instance had ended; a fault of the tool"),
            ("call-host", "the host could not make the call; a fault of the tool"),
            (
                "call-machine",
                "the machine had no memory or descriptor left for the call; a fault of the tool",
            ),
            ("limit-host-calls", "a call called the host more often than its manifest says"),
        ],
    },
    Guide {
        id: "fuzz",
        file: COMPONENT,
        looks_at: "every export with seeded inputs made from its types",
        why: "inputs that nobody thought of find what cases do not",
        helps: "the finding says the seed; answer with a failure where input makes no sense",
        codes: &[
            ("fuzz-hang", "a call with made-up input does not come to an end"),
            ("fuzz-traps", "a role traps in more of the calls than one may expect; a warning"),
            ("fuzz-leak", "something of the host stays open or lent after the calls"),
        ],
    },
    Guide {
        id: "permission-probe",
        file: MANIFEST,
        looks_at: "one run for each permission, with that one taken away",
        why: "without a permission a plugin must say so, and must not look for a way around",
        helps: "handle `denied`; ask only for what is used",
        codes: &[
            ("probe-canary", "what lies outside of the grant was changed"),
            ("probe-linked", "an interface was linked whose permission was taken away"),
            ("probe-beyond", "a call reached beyond what was granted"),
            ("probe-not-closed", "without the permission a call does not fail in words"),
            ("probe-undeclared", "a call asked for what the manifest does not name"),
        ],
    },
    Guide {
        id: "determinism",
        file: COMPONENT,
        looks_at: "the same calls three times: answers and fuel",
        why: "certifiers compare results, and a run that is repeated should end alike",
        helps: "order what you iterate over; take random numbers from the host only",
        codes: &[
            ("answer-differs", "the same call gives another answer"),
            ("fuel-differs", "the same call uses another amount of fuel"),
        ],
    },
    Guide {
        id: "resource-profile",
        file: MANIFEST,
        looks_at: "memory, time, output and host calls, as measured",
        why: "limits below what it needs fail in production, limits far above it protect nobody",
        helps: "set the manifest's limits to what was measured, with a margin",
        codes: &[("limit-low", "a limit of the manifest leaves too little over what was measured")],
    },
    Guide {
        id: "isolation",
        file: COMPONENT,
        looks_at: "a second instance in the place of a first one that left data behind",
        why: "one plugin must not see what another left in memory",
        helps: "this is a fault of the host: report it",
        codes: &[
            ("kv-of-another", "a call saw values of another plugin"),
            ("state-survives", "a call saw what an earlier instance had left behind"),
            ("pool-not-empty", "a place of the pool was handed on with data in it"),
        ],
    },
    Guide {
        id: "self-check",
        file: COMPONENT,
        looks_at: "packages that are known to be bad, one for each check that can refuse",
        why: "a tool whose check was switched off by mistake certifies everything and says nothing",
        helps: "this is a fault of the tool: do not sign with it, report it",
        codes: &[
            ("self-check-missed", "a check let a package pass that it must refuse"),
            ("self-check-other", "another check stopped the package before the one that it was made for"),
            ("self-check-reason", "the check refused the package for another reason than the one in it"),
        ],
    },
];
