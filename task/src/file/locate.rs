//! Where a key stands in a YAML text, for messages about what was read from it.
//!
//! In -> out: text, keys from the outermost -> [`Place`].
//! Limits: those of a task file (`parse.rs`).
//! Not here: what the text means; who read it has understood it.

use crate::file::error::Place;
use crate::file::node::{Node, Placed};
use crate::file::yaml_options::options;

/// Where the last of these keys stands, or the last before one that is not there; places of lists count from 0.
pub fn place_of_key(text: &str, path: &[String]) -> Option<Place> {
    let root: Placed = serde_saphyr::from_str_with_options(text, options()).ok()?;
    let (mut here, mut place) = (&root, None);
    for part in path {
        let found = match &here.node {
            Node::Map(entries) => entries
                .iter()
                .find(|(key, _)| matches!(&key.node, Node::Text(name) if name == part))
                .map(|(key, value)| (key.at.place, value)),
            Node::List(entries) => {
                part.parse().ok().and_then(|at: usize| entries.get(at)).map(|value| (value.at.place, value))
            }
            _ => None,
        };
        let Some((at, value)) = found else { break };
        (here, place) = (value, Some(at));
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_block_and_flow_style_and_through_aliases() {
        let text = "# x\nsettings:\n  a/b: &all\n    checks:\n      - {name: x}\n      - name: y\n        comand: [z]\n  c/d: *all\n";
        let line = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            place_of_key(text, &path).map(|place| place.line)
        };
        assert_eq!(line(&["settings", "a/b"]), Some(3));
        assert_eq!(line(&["settings", "a/b", "checks", "1", "comand"]), Some(7));
        assert_eq!(line(&["settings", "a/b", "checks", "0", "name"]), Some(5));
        assert_eq!(line(&["settings", "a/b", "checks", "0", "missing"]), Some(5), "the last that is there");
        assert_eq!(line(&["settings", "c/d"]), Some(8));
        assert_eq!(line(&["other"]), None);
        assert_eq!(place_of_key("a: [", &["a".to_owned()]), None);
    }
}
