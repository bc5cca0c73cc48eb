//! What a package says it is made of: its bill of materials, and the lists in its modules.

use orch_trust::sbom;

/// Components are found, each inside another too, or the file refuses.
pub(crate) fn bill(bytes: &[u8]) -> bool {
    let Ok(found) = sbom::components(bytes) else { return false };
    assert!(std::str::from_utf8(bytes).is_ok(), "JSON is UTF-8");
    // What is passed over may hold numbers and escapes that no value of a program can hold.
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return true };
    assert_eq!(value["bomFormat"], "CycloneDX");
    let described = value["metadata"]["component"].is_object().then_some(&value["metadata"]["component"]);
    let mut named: Vec<&str> = Vec::new();
    let entries = value["components"].as_array().expect("it says its components");
    let mut open: Vec<&serde_json::Value> = entries.iter().chain(described).collect();
    while let Some(entry) = open.pop() {
        named.push(entry["name"].as_str().expect("each has a name"));
        open.extend(entry["components"].as_array().into_iter().flatten());
    }
    let mut listed: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    named.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, named);
    true
}

/// A list is whole and bounded, and says the same when it is packed anew. Bytes that begin like JSON are packed first.
#[cfg(feature = "engine")]
pub(crate) fn dependency_list(bytes: &[u8]) -> bool {
    use orch_certify::check::dependency_list::{BYTES_MAX, inflate, read};

    let pack = |bytes: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(bytes, 1);
    let section = if bytes.starts_with(b"{") { pack(bytes) } else { bytes.to_vec() };
    let Ok(text) = inflate(&section) else {
        assert!(read(&section).is_err());
        return false;
    };
    assert!(text.len() <= BYTES_MAX);
    assert!(!bytes.starts_with(b"{") || text == bytes);
    assert!(inflate(&[&section[..], b"\0"].concat()).is_err(), "what follows is not passed over");
    assert!(inflate(&section[..section.len() - 1]).is_err(), "nor is what lacks");
    let Ok(list) = read(&section) else { return false };
    assert!(list.packages.iter().any(|package| package.root));
    let places = list.packages.len();
    assert!(list.packages.iter().flat_map(|package| &package.dependencies).all(|place| *place < places));
    let again = serde_json::to_vec(&list).unwrap();
    assert_eq!(read(&pack(&again)).expect("our own text is read"), list);
    true
}

pub(crate) fn valid_bill() -> Vec<(&'static str, Vec<u8>)> {
    let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"name":"me","version":"1.0.0"}},
        "components":[{"type":"library","name":"a","version":"1.2.3","components":[{"name":"b"}]},{"name":"c","version":"x"}]}"#;
    vec![("valid", text.as_bytes().to_vec())]
}

#[cfg(feature = "engine")]
pub(crate) fn valid_list() -> Vec<(&'static str, Vec<u8>)> {
    let text = r#"{"packages":[{"name":"plugin","version":"1.0.0","source":"local","dependencies":[1,2],"root":true},
        {"name":"lib","version":"2.0.0-rc.1","source":"crates.io"},
        {"name":"mac","version":"0.1.0","source":"git","kind":"build","dependencies":[1]}],"format":1}"#;
    vec![
        ("valid", text.as_bytes().to_vec()),
        ("valid-packed", miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 9)),
    ]
}
