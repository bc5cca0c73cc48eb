//! What a package contains: its dependency lists, its bill of materials, secrets, paths, other programs.

use orch_certify::check::Group;
use orch_trust::certificate::{CheckResult, CheckStatus};
use orch_trust::manifest::Role;
use serde_json::{Value, json};

use crate::guest::guest;
use crate::listed::{list, packed, sbom, section, with_bare_module, with_list, with_module, with_section};
use crate::package::Package;

fn executor() -> Vec<u8> {
    guest(Role::Executor, "", &[])
}

fn one(package: &Package, id: &str) -> CheckResult {
    let results = package.look(Group::Contents);
    let ids: Vec<_> = results.iter().map(|result| result.id.as_str()).collect();
    assert_eq!(ids, Group::Contents.checks());
    results.into_iter().find(|result| result.id == id).unwrap()
}

/// That check alone ends like this, with a finding of that code; none: without a finding.
#[track_caller]
fn ends(package: &Package, id: &str, status: CheckStatus, code: &str) {
    let result = one(package, id);
    assert_eq!(result.status, status, "{:?}", result.findings);
    match code {
        "" => assert_eq!(result.findings, [""; 0]),
        code => {
            let says = |finding: &String| finding.starts_with(&format!("{code}: "));
            assert!(result.findings.iter().any(says), "{code}: {:?}", result.findings);
        }
    }
    for other in package.look(Group::Contents).iter().filter(|other| other.id != id) {
        assert_ne!(other.status, CheckStatus::Fail, "{other:?}");
    }
}

fn of_component(component: &[u8]) -> Package {
    Package::bare(Role::Executor, component, &sbom(component).to_string(), |_| {})
}

/// The package whose module has that list; its bill of materials is the usual one.
fn of_list(list: &Value) -> Package {
    of_component(&with_section(&executor(), ".dep-v0", &packed(list)))
}

#[test]
fn every_module_says_what_it_is_made_of() {
    let id = "dependency-list";
    let whole = with_list(&executor());
    ends(&of_component(&whole), id, CheckStatus::Pass, "");
    ends(&of_component(&executor()), id, CheckStatus::Fail, "list-missing");
    // In the first module only.
    let second = wat::parse_str("(module (memory 1) (func))").unwrap();
    ends(&of_component(&with_bare_module(&whole, &second)), id, CheckStatus::Fail, "list-missing");
    // Also in a component inside, which is as deep as one may go.
    let inner = wat::parse_str("(component (component (core module (memory 1))))").unwrap();
    let nested = [whole.as_slice(), &inner[8..]].concat();
    ends(&of_component(&nested), id, CheckStatus::Fail, "list-missing");
    // What only hands calls on is made of nothing.
    let trampoline = "(module (type $t (func (param i32))) (table (export \"t\") 1 funcref)
        (func (param i32) local.get 0 i32.const 0 call_indirect (type $t)))";
    let trampoline = with_bare_module(&whole, &wat::parse_str(trampoline).unwrap());
    ends(&of_component(&trampoline), id, CheckStatus::Pass, "");
    // Only such: nothing there that could be looked up.
    let empty = wat::parse_str("(component (core module))").unwrap();
    ends(&of_component(&empty), id, CheckStatus::Fail, "list-missing");
}

#[test]
fn a_list_that_is_none_is_refused() {
    let refuse = |data: &[u8], code: &str| {
        let component = with_section(&executor(), ".dep-v0", data);
        ends(&of_component(&component), "dependency-list", CheckStatus::Fail, code);
    };
    refuse(b"{}", "list-packing");
    refuse(&[packed(&list()), vec![0]].concat(), "list-packing");
    refuse(&packed(&json!({})), "list-form");
    let mut rootless = list();
    rootless["packages"][1]["root"] = false.into();
    refuse(&packed(&rootless), "list-no-root");
    let mut nowhere = list();
    nowhere["packages"][0]["dependencies"] = json!([7]);
    refuse(&packed(&nowhere), "list-reference");
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 3 << 20], 9);
    refuse(&bomb, "list-bomb");
}

#[test]
fn the_bill_of_materials_is_of_this_component() {
    let component = with_list(&executor());
    let with = |edit: fn(&mut Value)| {
        let mut bill = sbom(&component);
        edit(&mut bill);
        Package::bare(Role::Executor, &component, &bill.to_string(), |_| {})
    };
    let refuse = |edit: fn(&mut Value), code: &str| ends(&with(edit), "sbom", CheckStatus::Fail, code);
    ends(&with(|_| {}), "sbom", CheckStatus::Pass, "");
    // What is not judged may be there.
    ends(&with(|bill| bill["serialNumber"] = "urn:uuid:1".into()), "sbom", CheckStatus::Pass, "");
    refuse(|bill| *bill = json!({}), "sbom-unreadable");
    refuse(|bill| bill["metadata"]["component"]["name"] = 1.into(), "sbom-unreadable");
    // Fields are named, at every level.
    refuse(
        |bill| {
            let fields = ["bomFormat", "specVersion", "metadata", "components", "dependencies"];
            *bill = fields.iter().map(|field| bill[*field].clone()).collect();
        },
        "sbom-unreadable",
    );
    refuse(|bill| bill["metadata"] = json!([bill["metadata"]["component"]]), "sbom-unreadable");
    refuse(
        |bill| {
            let entry = &bill["components"][0];
            bill["components"][0] =
                json!([entry["bom-ref"], entry["name"], entry["version"], entry["purl"], [], []]);
        },
        "sbom-unreadable",
    );
    refuse(
        |bill| {
            let hash = &bill["metadata"]["component"]["hashes"][0];
            bill["metadata"]["component"]["hashes"][0] = json!([hash["alg"], hash["content"]]);
        },
        "sbom-unreadable",
    );
    refuse(
        |bill| {
            let uses = &bill["dependencies"][0];
            bill["dependencies"][0] = json!([uses["ref"], uses["dependsOn"]]);
        },
        "sbom-unreadable",
    );
    refuse(|bill| bill["bomFormat"] = "SPDX".into(), "sbom-format");
    refuse(|bill| bill["specVersion"] = "1.2".into(), "sbom-format");
    refuse(
        |bill| bill["metadata"]["component"]["hashes"][0]["content"] = "0".repeat(64).into(),
        "sbom-subject",
    );
    refuse(|bill| bill["metadata"]["component"]["hashes"] = json!([]), "sbom-subject");
    refuse(|bill| bill["metadata"]["component"]["hashes"][0]["alg"] = "SHA-1".into(), "sbom-subject");
    refuse(
        |bill| {
            let hash = bill["metadata"]["component"]["hashes"][0].clone();
            bill["metadata"]["component"]["hashes"] = json!([hash, hash]);
        },
        "sbom-subject",
    );
    refuse(|bill| bill["metadata"]["component"]["version"] = "1.0.1".into(), "sbom-subject");
    refuse(|bill| bill["components"][0]["components"] = json!([{}]), "sbom-nested");
    refuse(|bill| bill["components"][0]["bom-ref"] = "local:sample@1.0.0".into(), "sbom-reference");
    refuse(|bill| drop(bill["components"][0].as_object_mut().unwrap().remove("bom-ref")), "sbom-reference");
    refuse(|bill| bill["dependencies"][0]["dependsOn"] = json!(["pkg:cargo/x@1.0.0"]), "sbom-reference");
    refuse(|bill| bill["dependencies"][1] = bill["dependencies"][0].clone(), "sbom-reference");
    refuse(|bill| drop(bill["dependencies"].as_array_mut().unwrap().remove(0)), "sbom-incomplete");
    refuse(|bill| bill["components"][0]["purl"] = "pkg:npm/helper@1.2.3".into(), "sbom-package");
    refuse(|bill| bill["components"][0]["purl"] = "pkg:cargo/helper@1.2.4".into(), "sbom-package");
    refuse(|bill| drop(bill["components"][0].as_object_mut().unwrap().remove("version")), "sbom-package");
    refuse(
        |bill| {
            let mut again = bill["components"][0].clone();
            again["bom-ref"] = "again".into();
            bill["components"].as_array_mut().unwrap().push(again);
            bill["dependencies"].as_array_mut().unwrap().push(json!({ "ref": "again" }));
        },
        "sbom-surplus",
    );
    let text = sbom(&component).to_string().replacen("{", "{\"version\":1,", 1);
    let twice = Package::bare(Role::Executor, &component, &text, |_| {});
    ends(&twice, "sbom", CheckStatus::Fail, "sbom-unreadable");
}

#[test]
fn the_bill_of_materials_names_what_the_modules_name() {
    let refuse = |edit: fn(&mut Value), code: &str| {
        let mut list = list();
        edit(&mut list);
        ends(&of_list(&list), "sbom", CheckStatus::Fail, code);
    };
    ends(&of_list(&list()), "sbom", CheckStatus::Pass, "");
    let more = json!({ "name": "hidden", "version": "0.1.0", "source": "crates.io" });
    let list_with =
        |list: &mut Value, more: &Value| list["packages"].as_array_mut().unwrap().push(more.clone());
    let mut longer = list();
    list_with(&mut longer, &more);
    ends(&of_list(&longer), "sbom", CheckStatus::Fail, "sbom-incomplete");
    refuse(|list| list["packages"][0]["version"] = "1.2.4".into(), "sbom-incomplete");
    refuse(|list| list["packages"][0]["source"] = "git".into(), "sbom-surplus");
    refuse(|list| list["packages"][1]["name"] = "other".into(), "sbom-subject");
    // A second module is made of something else.
    let mut other = list();
    list_with(&mut other, &more);
    let module = wat::parse_str("(module (memory 1))").unwrap();
    let module = [module, section(".dep-v0", &packed(&other))].concat();
    let component = with_bare_module(&with_list(&executor()), &module);
    ends(&of_component(&component), "sbom", CheckStatus::Fail, "sbom-incomplete");
    // Without any list there is nothing to compare with.
    let bare = one(&of_component(&executor()), "sbom");
    assert_eq!(bare.status, CheckStatus::Skipped);
}

/// A package whose second module's memory begins with that text.
fn of_data(text: &[u8]) -> Package {
    let escaped: String = text.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let half = escaped.len() / 2 / 3 * 3;
    let (before, behind) = escaped.split_at(half);
    let place = 16 + half / 3;
    // In two pieces that touch, the later one first.
    let body =
        format!("(memory 1) (data (i32.const {place}) \"{behind}\") (data (i32.const 16) \"{before}\")");
    of_component(&with_module(&with_list(&executor()), &body))
}

/// Made here, so that this file holds no secret.
fn token() -> String {
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
    let noise: String = (0..36).map(|place| letters[(place * 7 + place * place / 3) % 62]).collect();
    format!("ghp_{noise}")
}

#[test]
fn secrets_are_refused_wherever_they_are_and_never_shown() {
    let (id, token) = ("secrets", token());
    ends(&of_data(b"nothing to see here"), id, CheckStatus::Pass, "");
    let component = with_list(&executor());
    let in_manifest = Package::bare(Role::Executor, &component, &sbom(&component).to_string(), |manifest| {
        manifest["description"] = token.clone().into();
    });
    let mut bill = sbom(&component);
    bill["serialNumber"] = token.clone().into();
    let in_bill = Package::bare(Role::Executor, &component, &bill.to_string(), |_| {});
    let mut named = list();
    named["packages"][0]["source"] = token.clone().into();
    let name = format!("(func (export \"{token}\"))");
    let places = [
        (of_data(token.as_bytes()), "data of module 2"),
        (
            of_component(&[component.clone(), section("description", token.as_bytes())].concat()),
            "`description`",
        ),
        (of_component(&with_module(&component, &name)), "a name of module 2"),
        (in_manifest, "manifest.json"),
        (in_bill, "sbom.cdx.json"),
    ];
    for (package, place) in places {
        ends(&package, id, CheckStatus::Fail, "secret-found");
        let findings = one(&package, id).findings;
        assert!(findings[0].ends_with(place) || findings[0].contains(place), "{findings:?}");
        assert!(!findings.iter().any(|finding| finding.contains(&token)), "{findings:?}");
    }
    // Escaped, as JSON allows.
    let escaped = Package::bare(Role::Executor, &component, &sbom(&component).to_string(), |manifest| {
        manifest["description"] = token.clone().into();
    });
    let text = std::fs::read_to_string(escaped.folder().join("manifest.json")).unwrap();
    escaped.write("manifest.json", text.replacen("ghp_", "\\u0067hp\\u005f", 1).as_bytes());
    ends(&escaped, id, CheckStatus::Fail, "secret-found");
    // Packed in the list, which then is no longer the one of the bill.
    let found = one(&of_list(&named), id);
    assert_eq!(found.findings, ["secret-found: token of GitHub in section `.dep-v0` of module 1"]);
}

#[test]
fn build_paths_are_warnings_and_many_of_them_refuse() {
    ends(&of_data(b"/home/alice/plugin/src/lib.rs"), "secrets", CheckStatus::Warn, "build-path");
    let package = |modules: usize| {
        let path = "(memory 1) (data (i32.const 0) \"/home/alice/plugin/src/lib.rs\")";
        let component = (0..modules).fold(executor(), |component, _| with_module(&component, path));
        Package::new(Role::Executor, &component, |_| {})
    };
    let verdict = package(8).certify();
    assert_eq!((verdict.exit, verdict.with("warn")), (0, vec!["secrets"]), "{:?}", verdict.findings);
    let verdict = package(9).certify();
    assert_eq!((verdict.exit, verdict.with("warn")), (3, vec!["secrets"]), "{:?}", verdict.findings);
}

#[test]
fn programs_and_archives_inside_data_are_refused() {
    let id = "dangerous-content";
    let mut windows = b"MZ".to_vec();
    windows.resize(0x3c, 0);
    windows.extend(b"\x40\0\0\0PE\0\0");
    for head in [
        &b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"[..],
        &windows,
        b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0",
        b"PK\x03\x04\x14\0\0\0\x08\0",
        b"\0asm\x01\0\0\0",
    ] {
        ends(&of_data(&[b"text ", head].concat()), id, CheckStatus::Fail, "embedded-file");
    }
    ends(&of_data(b"\x7fELF MZ PK\x03\x04 \0asm"), id, CheckStatus::Pass, "");
    let component =
        [with_list(&executor()), section("description", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0")].concat();
    ends(&of_component(&component), id, CheckStatus::Fail, "embedded-file");
    // A mebibyte of nothing, and a byte: raw, because as text it would be long.
    let zeros = vec![0u8; (1 << 20) + 1];
    let content = [&[1, 1][..], &crate::listed::length(zeros.len()), &zeros].concat();
    let module = [b"\0asm\x01\0\0\0\x0b", crate::listed::length(content.len()).as_slice(), &content].concat();
    let module = [module, section(".dep-v0", &packed(&list()))].concat();
    let component = with_bare_module(&with_list(&executor()), &module);
    ends(&of_component(&component), id, CheckStatus::Warn, "zero-run");
}
