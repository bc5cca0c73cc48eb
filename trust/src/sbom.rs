//! What a package says it is made of: names and versions in its CycloneDX file.
//!
//! In -> out: `sbom.cdx.json` -> components, nested ones and the described one included.
//! Limits: 100,000 components, 64 levels.
//! Invariant: read only as far as revocation needs it; a file that does not say its components refuses.
//! Not here: whether that is true (the certifier's checks).

use serde::Deserialize;

use crate::refusal::Refusal;
use crate::strict_json;

const COMPONENTS_MAX: usize = 100_000;
const DEPTH_MAX: usize = 64;

/// One component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: String,
    pub version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: String,
    #[serde(default)]
    metadata: Metadata,
    components: Vec<ComponentText>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    component: Option<ComponentText>,
}

#[derive(Deserialize)]
struct ComponentText {
    name: String,
    version: Option<String>,
    #[serde(default)]
    components: Vec<Self>,
}

/// Every component that the file names.
///
/// # Errors
/// `SbomUnreadable`.
pub fn components(bytes: &[u8]) -> Result<Vec<Component>, Refusal> {
    let unreadable = |why: String| Refusal::SbomUnreadable { why };
    let document: Document =
        strict_json::parse_foreign(bytes).map_err(|error| unreadable(error.to_string()))?;
    if document.bom_format != "CycloneDX" {
        return Err(unreadable("`bomFormat` is not `CycloneDX`".to_owned()));
    }
    let mut found = Vec::new();
    let mut level: Vec<ComponentText> =
        document.metadata.component.into_iter().chain(document.components).collect();
    for _ in 0..DEPTH_MAX {
        let mut inner = Vec::new();
        for ComponentText { name, version, components } in level {
            found.push(Component { name, version });
            inner.extend(components);
        }
        if found.len() > COMPONENTS_MAX {
            return Err(unreadable(format!("it has more than {COMPONENTS_MAX} components")));
        }
        if inner.is_empty() {
            return Ok(found);
        }
        level = inner;
    }
    Err(unreadable(format!("it is nested more than {DEPTH_MAX} levels deep")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_is_found_also_inside_others() {
        let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"name":"me","version":"1.0.0"}},
            "components":[{"type":"library","name":"a","version":"1.2.3","components":[{"name":"b"}]},{"name":"c","version":"x"}]}"#;
        let found = components(text.as_bytes()).unwrap();
        let named: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.version.as_deref())).collect();
        assert_eq!(named, [("me", Some("1.0.0")), ("a", Some("1.2.3")), ("c", Some("x")), ("b", None)]);
    }

    #[test]
    fn a_file_that_does_not_say_its_components_is_unreadable() {
        let nested = |levels: usize| {
            let inner = format!("{}{}", r#"{"name":"a","components":["#.repeat(levels), "]}".repeat(levels));
            format!(r#"{{"bomFormat":"CycloneDX","components":[{inner}]}}"#)
        };
        assert_eq!(components(nested(50).as_bytes()).unwrap().len(), 50);
        let wrong = [
            "",
            "{}",
            "[]",
            "null",
            r#"{"bomFormat":"CycloneDX"}"#,
            r#"{"bomFormat":"SPDX","components":[]}"#,
            r#"{"bomFormat":"CycloneDX","components":[{"version":"1.0.0"}]}"#,
            r#"{"bomFormat":"CycloneDX","components":[],"components":[]}"#,
            r#"{"bomFormat":"CycloneDX","components":[]} x"#,
            r#"["CycloneDX",{},[]]"#,
            r#"{"bomFormat":"CycloneDX","metadata":[null],"components":[]}"#,
            r#"{"bomFormat":"CycloneDX","components":[["a",null,[]]]}"#,
        ];
        let latin1 = b"{\"bomFormat\":\"CycloneDX\",\"note\":\"\xfc\",\"components\":[]}";
        assert_eq!(components(latin1).unwrap_err().code(), "sbom-unreadable");
        let many = |count: usize| {
            let one = vec![r#"{"name":"a"}"#; count].join(",");
            format!(r#"{{"bomFormat":"CycloneDX","components":[{one}]}}"#)
        };
        assert_eq!(components(many(100_000).as_bytes()).unwrap().len(), 100_000);
        assert_eq!(components(many(100_001).as_bytes()).unwrap_err().code(), "sbom-unreadable");
        for text in wrong.into_iter().map(str::to_owned).chain([nested(65), nested(10_000)]) {
            let code = components(text.as_bytes()).unwrap_err().code();
            assert_eq!(code, "sbom-unreadable", "{}", &text[..text.len().min(80)]);
        }
    }
}
