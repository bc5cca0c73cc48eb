//! The language of a file, by its name.
//!
//! In -> out: a path -> a word of `[a-z0-9+-]`, empty if nobody knows.

const BY_ENDING: [(&str, &[&str]); 24] = [
    ("c", &["c", "h"]),
    ("c++", &["cc", "cpp", "cxx", "hpp"]),
    ("csharp", &["cs"]),
    ("css", &["css", "scss"]),
    ("go", &["go"]),
    ("html", &["html", "htm"]),
    ("java", &["java"]),
    ("javascript", &["js", "jsx", "mjs", "cjs"]),
    ("json", &["json"]),
    ("kotlin", &["kt", "kts"]),
    ("lua", &["lua"]),
    ("markdown", &["md", "markdown"]),
    ("php", &["php"]),
    ("python", &["py", "pyi"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("shell", &["sh", "bash", "zsh"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("text", &["txt", "rst", "adoc"]),
    ("toml", &["toml"]),
    ("typescript", &["ts", "tsx", "mts", "cts"]),
    ("wit", &["wit"]),
    ("yaml", &["yaml", "yml"]),
];

/// The language.
pub fn of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, ending)) = name.rsplit_once('.') else { return "" };
    let ending = ending.to_ascii_lowercase();
    BY_ENDING.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_language_of_its_ending() {
        for (path, language) in [
            ("a/b.rs", "rust"),
            ("A.PY", "python"),
            ("x.h", "c"),
            ("Makefile", ""),
            ("a.rs/b", ""),
            ("x.zip", ""),
        ] {
            assert_eq!(of(path), language, "{path}");
        }
    }
}
