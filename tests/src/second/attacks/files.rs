//! P: names and files of a package.

use serde_json::{Value, json};

use super::Cases;
use crate::second::draft::{Draft, entries};
use crate::second::good::plain;

pub(super) fn add(cases: &mut Cases) {
    for (number, name) in [
        "../component.wasm",
        "/component.wasm",
        "C:\\component.wasm",
        "\\\\host\\component.wasm",
        "a\\b",
        "component.wasm\0",
        "con",
        "component.wasm.",
        "component.wasm ",
        "Component.wasm",
        "COMPONENT.WASM",
        "component.wasm/",
        "./component.wasm",
        "certificates/../component.wasm",
        "certificates//0123456789abcdef.dsse.json",
        "certificates/0123456789ABCDEF.dsse.json",
        "certificates/0123456789abcde.dsse.json",
        "certificates/0123456789abcdef.dsse.json.bak",
        "compone\u{301}nt.wasm",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        cases.add("P1", format!("a file is called `{}`", name.escape_default()), plain, |draft| {
            draft.after(move |files| drop(files.insert(name.into(), b"x".to_vec())));
        });
        if number < 12 {
            cases.add("P1", format!("the manifest says `{}`", name.escape_default()), plain, |draft| {
                declared(draft, |files| files[0]["path"] = json!(name));
            });
        }
    }
    for id in [
        "../x", "acme/..", "acme/.", "acme/x/y", "/acme/x", "acme/", "acme", "acme\\x", "Acme/x", "acme/x\0",
        ".", "",
    ] {
        cases.add("P3", format!("the id `{}`", id.escape_default()), plain, |draft| {
            draft.manifest["id"] = json!(id)
        });
    }
    for version in [
        "../..",
        "1.2",
        "1.2.3/..",
        "v1.2.3",
        "01.2.3",
        "1.2.3+build",
        " 1.2.3",
        "1.2.3-",
        "1.2.3-01",
        "",
        "99999999999999999999.0.0",
    ] {
        cases.add("P3", format!("the version `{version}`"), plain, |draft| {
            draft.manifest["version"] = json!(version)
        });
    }
    cases.add("P3", "the id of a reserved namespace", plain, |draft| draft.manifest["id"] = json!("wasi/x"));
    for number in 0..6 {
        let extra = ["LICENSE", "README.md"][number % 2];
        cases.add("P4", format!("{extra} that nobody declared, {number}"), plain, |draft| {
            draft.documents.remove(extra);
            draft.documents.insert("LICENSE", b"MIT".to_vec());
            declared(draft, |files| files.retain(|file| file["path"] != extra));
            draft.documents.insert(extra, vec![b'x'; number + 1]);
            // Its digest is signed, the manifest does not name it.
            declared(draft, move |files| files.retain(|file| file["path"] != extra));
        });
        cases.add("P4", format!("a file of no name that a package has, {number}"), plain, |draft| {
            let name =
                ["a.txt", "component.wat", ".git", "manifest.json~", "release.dsse.json.1", "certificates/x"]
                    [number];
            draft.after(move |files| drop(files.insert(name.into(), Vec::new())));
        });
        let absent =
            ["LICENSE", "README.md", "sbom.cdx.json", "component.wasm", "manifest.json", "LICENSE"][number];
        cases.add("P5", format!("{absent} is declared and not there, {number}"), plain, |draft| {
            draft.documents.insert("LICENSE", b"MIT".to_vec());
            draft.documents.insert("README.md", b"read".to_vec());
            draft.after(move |files| drop(files.remove(absent)));
        });
        cases.add("P5", format!("{number}: a file declared twice, or not at all"), plain, |draft| {
            declared(draft, move |files| match number {
                0 => drop(files.remove(0)),
                1 => drop(files.remove(1)),
                2 => files.push(files[0].clone()),
                3 => files.push(files[1].clone()),
                4 => files[0]["role"] = json!("sbom"),
                _ => files[1]["path"] = json!("component.wasm"),
            });
        });
    }
    for (number, (name, most)) in [
        ("manifest.json", 256 << 10),
        ("LICENSE", 1 << 20),
        ("sbom.cdx.json", 4 << 20),
        ("release.dsse.json", 1 << 20),
    ]
    .into_iter()
    .enumerate()
    {
        cases.add("P6", format!("{name} of a byte more than it may have"), plain, |draft| {
            draft.after(move |files| drop(files.insert(name.into(), vec![b' '; most + 1])));
        });
        for other in [0_u64, u64::MAX] {
            cases.add("P6", format!("entry {} says {other} bytes", number % 2), plain, |draft| {
                declared(draft, move |files| {
                    files[number % 2]["size"] = json!(other - number as u64 / 2 * u64::from(other > 0))
                });
            });
        }
    }
    for more in [-1, 1] {
        cases.add("P6", format!("the component is {more} bytes longer than said"), plain, |draft| {
            declared(draft, move |files| {
                let size = files[0]["size"].as_i64().unwrap();
                files[0]["size"] = json!(size + more);
            });
        });
    }
    cases.near("a manifest of all the bytes that it may have", plain, |draft| {
        draft.bend(
            super::Place::Manifest,
            crate::second::draft::Bend::Raw(Box::new(|mut bytes| {
                bytes.resize(256 << 10, b' ');
                bytes
            })),
        );
    });
}

/// What the manifest says of the files, changed.
fn declared(draft: &mut Draft, change: impl FnOnce(&mut Vec<Value>)) {
    let mut files = entries(&draft.component, &draft.documents);
    change(&mut files);
    draft.manifest["integrity"] = json!({ "files": files });
}
