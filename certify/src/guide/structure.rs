//! The checks of form: manifest, names, files, and what the component is made of.
//!
//! Not here: what is inside (`contents.rs`), what it does when called (`behaviour.rs`).

use orch_trust::package::{COMPONENT, MANIFEST};

use super::Guide;

pub(super) const GUIDES: &[Guide] = &[
    Guide {
        id: "manifest",
        file: MANIFEST,
        looks_at: "the bytes of `manifest.json`: strict JSON, the schema, every rule of the format",
        why: "a second spelling, or a field that nobody reads, lets two readers see two manifests",
        helps: "`orch-plugin pack` writes it; the finding names the field",
        codes: &[],
    },
    Guide {
        id: "names",
        file: MANIFEST,
        looks_at: "namespace and name of the id",
        why: "a name that is taken for another is installed in its place",
        helps: "choose an id that cannot be misread",
        codes: &[
            ("name-confusable", "it looks like a name that is reserved or known"),
            ("name-near", "it is one slip of the hand away from a name that is reserved or known"),
            ("name-hyphens", "a part of it begins or ends with `-`, or has two in a row"),
        ],
    },
    Guide {
        id: "file-set",
        file: MANIFEST,
        looks_at: "every file but the envelopes: there, declared, of that size and digest",
        why: "a file that nobody declared is a file that nobody signed for",
        helps: "pack again; change no file after packing",
        codes: &[],
    },
    Guide {
        id: "component",
        file: COMPONENT,
        looks_at: "every module and component in `component.wasm`, function bodies included",
        why: "the compiler must see one valid component, of the features that the host turns on and no more",
        helps: "build for the guest target of `orch-plugin build`",
        codes: &[
            ("component-invalid", "it is no valid WebAssembly for the engine's features"),
            ("component-does-not-fit", "it asks for more than any engine of a host gives"),
            ("facts-disagree-with-engine", "the engine sees other imports or exports than the facts"),
        ],
    },
    Guide {
        id: "imports",
        file: COMPONENT,
        looks_at: "the imports of every component in it, nested ones too",
        why: "an import is what the plugin can do; it must have asked for it in the manifest",
        helps: "ask for the permission in the manifest, or no longer call the interface",
        codes: &[
            ("import-shape", "an import has other types than the interface of its name"),
            ("import-foreign", "an import names a place (URL, hash or lock) and not an interface"),
            ("permission-unused", "the manifest asks for a permission that no import needs; a note"),
        ],
    },
    Guide {
        id: "exports",
        file: COMPONENT,
        looks_at: "one world for each role of the manifest",
        why: "a role without its exports fails only when a run needs it",
        helps: "implement the role's trait, or take the role out of the manifest",
        codes: &[
            ("export-shape", "the role's export has other types than its world"),
            ("export-unused", "something is exported that no role of the manifest declares; a note"),
        ],
    },
    Guide {
        id: "memory",
        file: COMPONENT,
        looks_at: "memories, and the sum of what they start with",
        why: "a plugin that starts above its own limit can never run",
        helps: "raise `limits.memoryMiB`, or link with a smaller initial memory",
        codes: &[("memory-several", "a module has more than one memory")],
    },
    Guide {
        id: "start-functions",
        file: COMPONENT,
        looks_at: "start sections of modules and components",
        why: "a start function runs before any call of the host, when only the engine's limits hold",
        helps: "move the work into the first call",
        codes: &[
            ("start-function", "a module runs code before any call"),
            ("start-of-component", "a component has a start section"),
        ],
    },
    Guide {
        id: "complexity",
        file: COMPONENT,
        looks_at: "counts: functions, the largest body, locals, types, nesting, exports, tables",
        why: "a small file can take minutes and gigabytes to compile",
        helps: "split large functions; leave out what is not called",
        codes: &[
            ("complexity-over", "one of the counts is over its limit"),
            ("function-unreadable", "a function body cannot be read"),
        ],
    },
    Guide {
        id: "custom-sections",
        file: COMPONENT,
        looks_at: "every custom section at any depth: name, size, how often",
        why: "a section that nobody knows is a place to hide things, and one that is there twice has two readings",
        helps: "build with `strip`; remove the section",
        codes: &[
            ("section-too-large", "a section is over the limit of its name"),
            ("section-twice", "a module has a section of that name twice"),
            ("section-unreadable", "a section is not what its name promises"),
        ],
    },
    Guide {
        id: "api-compatibility",
        file: COMPONENT,
        looks_at: "world, roles, kinds and version against the release before",
        why: "who updates within a series must find what was there before",
        helps: "raise the version as semver says, or bring back what is gone",
        codes: &[
            ("api-changed", "a type of the world changed in a way that callers notice"),
            ("api-first-release", "no release before it was named; a note"),
            ("api-host", "it does not fit any version of the interfaces that it says it is for"),
            ("api-imports-more", "it imports more than the release before; a note"),
            ("api-kind-lost", "a kind of task is no longer executed"),
            ("api-task-key-lost", "a key of tasks is no longer read, so task files that have it are refused"),
            ("api-new-series", "the version promises nothing to users of the last; a note"),
            ("api-other-plugin", "the release before is one of another plugin"),
            ("api-role-lost", "a role of the release before is gone"),
            ("api-version", "its version does not come after that of the release before"),
        ],
    },
];
