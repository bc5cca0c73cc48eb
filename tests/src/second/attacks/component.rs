//! W: components.

use super::Cases;
use crate::second::draft::Draft;
use crate::second::good::plain;
use crate::second::wasm::{Wasm, compiled, leb, module, name, section};

pub(super) fn add(cases: &mut Cases) {
    other_bytes(cases);
    names(cases);
    starts(cases);
    memories_and_tables(cases);
    many(cases);
    customs(cases);
    worlds(cases);
}

/// A component for every role, and more.
fn text(more: &str) -> String {
    let export = |role: &str| format!("orch:{role}/{role}@0.1.0");
    let mut exports: Vec<String> =
        ["planner", "executor", "reflector", "auditor", "verifier", "guard"].map(export).into();
    exports.extend(["orch:notify/provide@0.1.0".into(), "wasi:http/incoming-handler@0.2.0".into()]);
    Wasm { exports, more: more.to_owned(), ..Wasm::default() }.text()
}

fn with(more: &str) -> Vec<u8> {
    compiled(&text(more))
}

/// One more section at the end.
fn and(id: u8, content: &[u8]) -> Vec<u8> {
    [with(""), section(id, content)].concat()
}

fn other_bytes(cases: &mut Cases) {
    let texts = [
        "(component)",
        "(module)",
        " (component)",
        "\n\t(component)",
        ";; text\n(component)",
        "(",
        "((component))",
        "(component $a)",
        "( component)",
        ";;",
        "\r\n;;(component",
    ];
    for (number, bytes) in texts.into_iter().enumerate() {
        cases.add("W1", format!("text {number}"), plain, |draft| draft.component = bytes.as_bytes().to_vec());
    }
    let cores = [
        "(module)",
        "(module (memory 1))",
        "(module (func $a) (start $a))",
        "(module (table 1 funcref))",
        "(module (func (export \"run\")))",
    ];
    for (number, text) in cores.into_iter().cycle().take(10).enumerate() {
        cases.add("W2", format!("a core module {number}"), plain, |draft| {
            draft.component =
                [compiled(text), if number < 5 { Vec::new() } else { section(0, &name("name")) }].concat();
        });
    }
    cases.add("W2", "a component in the place of a module", plain, |draft| {
        draft.component = and(1, &compiled("(component)"))
    });
    cases.add("W2", "a module in the place of a component", plain, |draft| {
        draft.component = and(4, &compiled("(module)"))
    });
    for (number, bytes) in [
        &b"\0"[..],
        b"\0\0",
        b"x",
        b"\0asm",
        b"\xff\xff\xff\xff",
        b"\x0b",
        b"PK\x03\x04",
        b"\n",
        b"\x7fELF",
        b"\0\x05",
        b"\x80\0",
        b"\x0e\0",
    ]
    .into_iter()
    .enumerate()
    {
        cases.add("W3", format!("bytes after the end, {number}"), plain, |draft| {
            draft.component.extend(bytes)
        });
    }
    for cut in [1, 2, 9, 30] {
        cases.add("W3", format!("{cut} bytes are missing"), plain, |draft| {
            draft.component.truncate(draft.component.len() - cut)
        });
    }
    for number in 0..10 {
        let second = [
            "(component)",
            "(module)",
            "(component (core module))",
            "(component (import \"a:b/c\" (instance)))",
            "(module (memory 1))",
        ][number % 5];
        cases.add("W4", format!("{second} after the first, {number}"), plain, |draft| {
            let more = compiled(second);
            draft.component = if number < 5 {
                [draft.component.clone(), more].concat()
            } else {
                [more, draft.component.clone()].concat()
            };
        });
    }
    for (number, head) in
        [b"\0asm\x0e\0\x01\0", b"\0asm\x0d\0\x02\0", b"\0asm\x0c\0\x01\0", b"\0ASM\x0d\0\x01\0"]
            .into_iter()
            .enumerate()
    {
        cases.add("W2", format!("another head, {number}"), plain, |draft| {
            draft.component[..8].copy_from_slice(head)
        });
    }
}

fn names(cases: &mut Cases) {
    let imports = [
        "orch:kv/kv@0.1.1",
        "orch:kv/kv",
        "orch:kv/kv@0.1.0-rc.1",
        "orch:secret/secret@0.1.0",
        "wasi:cli/run@0.2.0",
        "wasi:cli/environment@0.2.13",
        "wasi:sockets/tcp@0.3.0",
        "wasi:keyvalue/store@0.2.0",
        "wasi:clocks/wall-clock@0.2.13",
        "wasi:clocks/wall-clock@0.3.0",
        "wasi:filesystem/types",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:clocks/wall-clock@0.2.00",
        "acme:other/thing",
    ];
    for import in imports {
        cases.add("W5", format!("imports {import}"), plain, |draft| {
            draft.component = with(&format!("(import \"{import}\" (instance))"))
        });
    }
    for import in ["orch:kv/kv@0.1.1", "wasi:keyvalue/store@0.2.0", "acme:other/thing"] {
        cases.add("W5", format!("imports {import} inside"), plain, |draft| {
            draft.component = with(&format!("(component (component (import \"{import}\" (instance))))"));
        });
    }
    for (number, import) in ["orch:log/log@0.1.0", "orch:process/process@0.1.0", "wasi:random/random@0.2.0"]
        .into_iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        cases.add("W5", format!("imports {import} unasked, {number}"), plain, |draft| {
            draft.manifest["permissions"] = serde_json::json!({});
            draft.component = with(&format!("(import \"{import}\" (instance))"));
        });
    }
    for (kind, what) in
        ["(func)", "(component)", "(core module)"].into_iter().zip(["function", "component", "module"])
    {
        cases.add("W5", format!("imports a {what}"), plain, |draft| {
            draft.component = with(&format!("(import \"log\" {kind})"))
        });
    }
    for import in [
        "url=<https://evil.example/x>",
        "relative-url=<../x>",
        "integrity=<sha256-AAAA>",
        "locked-dep=<a:b/c@1.0.0>",
        "unlocked-dep=<a:b/c@{>=1.0.0}>",
    ] {
        for instance in [true, false] {
            cases.add("W5", format!("imports {import}, an instance: {instance}"), plain, |draft| {
                let kind: &[u8] = if instance { &[5, 0] } else { &[4, 0] };
                draft.component = and(10, &[&[1, 0][..], &name(import), kind].concat());
            });
        }
    }
    for (option, value) in [(0, "orch:kv/kv@0.1.0"), (1, ".1"), (2, "x")] {
        cases.add("W5", format!("an import with the annotation {option}"), plain, |draft| {
            let annotated =
                [&[1, 2][..], &name("orch:log/log@0.1.0"), &[1, option], &name(value), &[5, 0]].concat();
            draft.component = and(10, &annotated);
        });
    }
    cases.near("a component inside imports what hosts offer, and its own", plain, |draft| {
        draft.component =
            with("(component (import \"orch:kv/kv@0.1.0\" (instance)) (import \"glue\" (func)))");
    });
}

/// The facts of the certificate are those of another component.
fn instead(draft: &mut Draft, more: &str, certified: &str) {
    let (real, said) = (with(more), orch_trust::facts::Facts::derive(&with(certified)).unwrap());
    let size = real.len() as u64;
    draft.component = real;
    for place in 0..draft.certificates.len() {
        let said = orch_trust::facts::Facts { size_bytes: size, ..said.clone() };
        draft.certificate(place, |certificate| certificate.facts = said);
    }
}

fn starts(cases: &mut Cases) {
    let start = "(core module (func $a) (start $a))";
    for number in 0..10 {
        let more = start.repeat(1 + number % 5);
        let hidden = if number < 5 { more.clone() } else { format!("(component {more})") };
        let certified = hidden.replacen("(start $a)", "", 1);
        cases.add("W6", format!("a start that the certificate does not know, {number}"), plain, |draft| {
            instead(draft, &hidden, &certified)
        });
    }
    for (number, content) in
        [&[0, 1][..], &[0], &[], &[0x80, 0x80, 0x80, 0x80, 0x80, 0]].into_iter().enumerate()
    {
        cases.add("W6", format!("a start of the component that is none, {number}"), plain, |draft| {
            draft.component = and(9, content)
        });
    }
    let more: [(&str, Vec<u8>); 3] = [
        ("a start of the component with a byte more", section(9, &[0, 0, 0, 0])),
        ("a start with a byte more", section(1, &module(&[section(8, &[0, 0])]))),
        ("a count of segments with a byte more", section(1, &module(&[section(12, &[0, 0])]))),
    ];
    for (about, bytes) in more {
        cases.add("W6", about, plain, |draft| draft.component = [with(""), bytes].concat());
    }
    cases.add("W6", "two starts of the component", plain, |draft| {
        draft.component = [and(9, &[0, 0, 0]), section(9, &[0, 0, 0])].concat()
    });
    cases.near("a start of the component", plain, |draft| draft.component = and(9, &[0, 0, 0]));
}

/// A module with one memory of these bytes.
fn memory(content: &[u8]) -> Vec<u8> {
    and(1, &module(&[section(5, &[&[1][..], content].concat())]))
}

fn table(content: &[u8]) -> Vec<u8> {
    and(1, &module(&[section(4, &[&[1][..], content].concat())]))
}

fn memories_and_tables(cases: &mut Cases) {
    for flags in [2, 3, 4, 5, 6, 7, 8, 9, 16, 0x80] {
        cases.add("W7", format!("a memory with flags {flags}"), plain, |draft| {
            draft.component = memory(&[flags, 1, 2, 0])
        });
    }
    for (number, flags) in [[2, 0], [3, 1], [4, 0], [5, 1], [6, 0], [7, 1]].into_iter().enumerate() {
        let has_most = flags[1] == 1;
        let limits: &[u8] = if has_most { &[1, 2] } else { &[1] };
        cases.add("W10", format!("a memory of a proposal that is off, {number}"), plain, |draft| {
            draft.component = memory(&[&flags[..1], limits].concat())
        });
        cases.add("W10", format!("a table of a proposal that is off, {number}"), plain, |draft| {
            draft.component = table(&[&[0x70, flags[0]], limits].concat());
        });
    }
    for size in [0, 3] {
        cases.add("W10", format!("a memory with pages of 2^{size}"), plain, |draft| {
            draft.component = memory(&[8, 1, size])
        });
    }
    for (number, pages) in [300, 65_536, 4096, 100_000].into_iter().enumerate() {
        cases.add("W7", format!("a memory of {pages} pages above the manifest, {number}"), plain, |draft| {
            draft.manifest["limits"]["memoryMiB"] = serde_json::json!(1);
            draft.component = memory(&[&[0][..], &leb(pages)].concat());
        });
    }
    for count in [65, 66, 100] {
        cases.add("W7", format!("{count} memories"), plain, |draft| {
            draft.component = with(&"(core module (memory 0))".repeat(count))
        });
    }
    cases.near("all the memories that there may be", plain, |draft| {
        draft.component = with(&"(core module (memory 0))".repeat(64))
    });
    for (number, elements) in [200_001, 1 << 31, 1 << 33, u64::MAX].into_iter().enumerate() {
        cases.add("W8", format!("a table of {elements} elements, {number}"), plain, |draft| {
            draft.component = table(&[&[0x70, 0][..], &leb(elements)].concat());
        });
    }
    for count in [65, 90] {
        cases.add("W8", format!("{count} tables"), plain, |draft| {
            draft.component = with(&"(core module (table 1 funcref))".repeat(count))
        });
    }
    for kind in [0x00, 0x40, 0x50, 0x66, 0x7f] {
        cases.add("W10", format!("a table of {kind:#x}"), plain, |draft| {
            draft.component = table(&[kind, 0, 1])
        });
    }
    cases.near("a table with a first value", plain, |draft| {
        draft.component = table(&[0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b])
    });
}

fn many(cases: &mut Cases) {
    let numbered = |each: &str, count: usize| {
        (0..count).map(|at| each.replace('#', &at.to_string())).collect::<String>()
    };
    let mut bombs = vec![
        ("exports", numbered("(export \"e#\" (instance $x))", 257)),
        ("exports", numbered("(export \"e#\" (instance $x))", 10_000)),
    ];
    bombs.push(("imports", numbered("(import \"a:b/c#\" (instance))", 257)));
    bombs
        .push(("imports inside", format!("(component {})", numbered("(import \"a:b/c#\" (instance))", 257))));
    bombs.push(("modules", "(core module)".repeat(257)));
    bombs.push(("components", "(component)".repeat(65)));
    bombs.push(("nesting", format!("{}{}", "(component ".repeat(32), ")".repeat(32))));
    bombs.push((
        "nesting and a module",
        format!("{}(core module){}", "(component ".repeat(31), ")".repeat(31)),
    ));
    bombs.push(("a long name", format!("(import \"a:b/{}\" (instance))", "c".repeat(1021))));
    for (about, more) in bombs {
        cases.add("W8", about, plain, |draft| draft.component = with(&format!("(instance $x) {more}")));
    }
    cases.add("W8", "functions without number", plain, |draft| {
        draft.component = and(1, &module(&[section(3, &leb(500_001))]))
    });
    let broken: [(&str, Vec<u8>); 8] = [
        ("functions without bodies", module(&[section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0])])),
        ("bodies without functions", module(&[section(10, &[1, 2, 0, 0x0b])])),
        (
            "a body that is longer than its section",
            module(&[section(3, &[1, 0]), section(10, &[1, 9, 0, 0x0b])]),
        ),
        ("bytes after the last body", module(&[section(3, &[1, 0]), section(10, &[1, 2, 0, 0x0b, 0])])),
        ("sections out of order", module(&[section(5, &[1, 0, 1]), section(4, &[0])])),
        ("a section twice", module(&[section(5, &[1, 0, 1]), section(5, &[1, 0, 1])])),
        ("an unknown section", module(&[section(14, &[0])])),
        ("another number of segments than it says", module(&[section(12, &[2]), section(11, &[0])])),
    ];
    for (about, bytes) in broken {
        cases.add("W8", about, plain, |draft| draft.component = and(1, &bytes));
    }
    cases.near("all the modules that there may be", plain, |draft| {
        draft.component = with(&"(core module)".repeat(256))
    });
    cases.near("as deep as may be", plain, |draft| {
        draft.component = with(&format!("{}{}", "(component ".repeat(31), ")".repeat(31)))
    });
}

fn customs(cases: &mut Cases) {
    for section_name in [
        "signature",
        "signature-wasmsign2",
        "sourceMappingURL",
        "external_debug_info",
        "linking",
        "reloc.CODE",
        ".dep-v1",
        "Name",
        "",
        "producers ",
        ".debug_info",
        "dylink.0",
    ] {
        cases.add("W9", format!("a section `{section_name}`"), plain, |draft| {
            draft.component.extend(section(0, &name(section_name)))
        });
    }
    for section_name in ["signature", "linking"] {
        cases.add("W9", format!("a section `{section_name}` in a module inside"), plain, |draft| {
            draft.component = and(
                4,
                &[compiled("(component)"), section(1, &module(&[section(0, &name(section_name))]))].concat(),
            );
        });
    }
    for (number, content) in
        [&[][..], &[5, b'n'], &[4, 0xff, 0xfe, 0xfd, 0xfc], &[0x80, 0x80, 0x80, 0x80, 0x10]]
            .into_iter()
            .enumerate()
    {
        cases.add("W9", format!("a section with a name that is none, {number}"), plain, |draft| {
            draft.component.extend(section(0, content))
        });
    }
    cases.add("W9", "more sections than there may be", plain, |draft| {
        draft.component.extend(section(0, &name("name")).repeat(4097))
    });
    cases.near("sections that there may be", plain, |draft| {
        for allowed in [
            "name",
            "component-name",
            "producers",
            "target_features",
            ".dep-v0",
            "authors",
            "description",
            "licenses",
            "source",
            "homepage",
            "revision",
            "version",
        ] {
            draft.component.extend(section(0, &[name(allowed), b"anything".to_vec()].concat()));
        }
    });
}

fn worlds(cases: &mut Cases) {
    let roles = ["planner", "executor", "reflector", "auditor", "verifier", "guard", "provider", "service"];
    for (place, role) in roles.into_iter().enumerate() {
        let other = roles[(place + 1) % 6];
        for export in [
            format!("orch:{other}/{other}@0.1.0"),
            format!("orch:{role}/{role}@0.1.1"),
            format!("orch:{role}/{role}"),
            "wasi:http/incoming-handler@0.3.0".to_owned(),
        ] {
            cases.add("W11", format!("a {role} that exports {export}"), plain, |draft| {
                draft.manifest["roles"] = serde_json::json!([role]);
                draft.manifest.as_object_mut().unwrap().remove("kinds");
                if role == "executor" {
                    draft.manifest["kinds"] = serde_json::json!(["note"]);
                }
                draft.component = Wasm { exports: vec![export], ..Wasm::default() }.bytes();
            });
        }
    }
}
