//! Raw counts of Rust, by the definitions of `python_raw.rs`.
//!
//! In -> out: source and its tree -> [`Raw`].
//! A comment of several lines that stands alone is what a text of several lines is in Python. Logical lines: items, what
//! types have, statements, each `match` arm, each `else`.
//! Not here: what an index is made of (`maintainability.rs`).

use syn::visit::{self, Visit};

use crate::raw::Raw;

pub(crate) fn count(source: &str, file: &syn::File) -> Raw {
    let mut raw = lines(source);
    let mut logical = Logical(0);
    logical.visit_file(file);
    raw.lloc = logical.0;
    raw
}

/// Where the text stands between two lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// So many comments, one in the other.
    Comment(u32),
    Text,
    /// A raw text with so many `#`.
    Raw(usize),
}

/// What a line has.
#[derive(Default)]
struct Line {
    code: bool,
    comment: bool,
}

fn lines(source: &str) -> Raw {
    let mut raw = Raw::default();
    let mut within = Within::Code;
    for text in source.lines() {
        let began = within;
        let mut line = Line::default();
        within = scan(text, within, &mut line, &mut raw.comments);
        raw.loc += 1;
        let goes_on = |at: Within| matches!(at, Within::Comment(_));
        match (text.trim().is_empty(), line.code, line.comment) {
            (true, ..) => raw.blank += 1,
            (false, false, true) if goes_on(began) || goes_on(within) => raw.multi += 1,
            (false, false, true) => raw.single_comments += 1,
            _ => raw.sloc += 1,
        }
    }
    raw
}

/// Reads one line. Comments that begin and end in it are added to `comments`.
fn scan(text: &str, mut within: Within, line: &mut Line, comments: &mut u32) -> Within {
    let began_in_comment = matches!(within, Within::Comment(_));
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match within {
            Within::Comment(depth) => {
                line.comment = true;
                if rest.starts_with("*/") {
                    length = 2;
                    within = if depth <= 1 { Within::Code } else { Within::Comment(depth - 1) };
                    *comments += u32::from(depth <= 1 && !began_in_comment);
                } else if rest.starts_with("/*") {
                    length = 2;
                    within = Within::Comment(depth + 1);
                }
            }
            Within::Text => {
                line.code = true;
                match first {
                    '\\' => length += rest.chars().nth(1).map_or(0, char::len_utf8),
                    '"' => within = Within::Code,
                    _ => {}
                }
            }
            Within::Raw(marks) => {
                line.code = true;
                let end = rest
                    .strip_prefix('"')
                    .map(|after| after.bytes().take_while(|byte| *byte == b'#').count());
                if end.is_some_and(|found| found >= marks) {
                    length = 1 + marks;
                    within = Within::Code;
                }
            }
            Within::Code if rest.starts_with("//") => {
                line.comment = true;
                *comments += 1;
                return within;
            }
            Within::Code if rest.starts_with("/*") => {
                line.comment = true;
                length = 2;
                within = Within::Comment(1);
            }
            Within::Code if first.is_whitespace() => {}
            Within::Code => {
                line.code = true;
                (within, length) = code(rest, first, before);
            }
        }
        before = first;
        rest = rest.get(length..).unwrap_or("");
    }
    within
}

/// What begins with this character of code, and how long what is certain of it is.
fn code(rest: &str, first: char, before: char) -> (Within, usize) {
    let plain = (Within::Code, first.len_utf8());
    match first {
        '"' => (Within::Text, 1),
        'r' if !is_of_a_name(before) || matches!(before, 'b' | 'c') => {
            let after = rest.get(1..).unwrap_or("");
            let marks = after.bytes().take_while(|byte| *byte == b'#').count();
            if after.get(marks..).is_some_and(|text| text.starts_with('"')) {
                (Within::Raw(marks), 2 + marks)
            } else {
                plain
            }
        }
        '\'' => {
            let mut chars = rest.char_indices().skip(1);
            match (chars.next(), chars.next()) {
                // What is escaped has no quote but itself.
                (Some((_, '\\')), Some((at, escaped))) => {
                    let from = at + escaped.len_utf8();
                    let end = rest.get(from..).and_then(|tail| tail.find('\''));
                    (Within::Code, end.map_or(from, |end| from + end + 1))
                }
                (Some(_), Some((at, '\''))) => (Within::Code, at + 1),
                _ => plain,
            }
        }
        _ => plain,
    }
}

fn is_of_a_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Logical lines.
struct Logical(u32);

impl<'ast> Visit<'ast> for Logical {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.0 += 1;
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        self.0 += 1;
        visit::visit_impl_item(self, item);
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        self.0 += 1;
        visit::visit_trait_item(self, item);
    }

    fn visit_foreign_item(&mut self, item: &'ast syn::ForeignItem) {
        self.0 += 1;
        visit::visit_foreign_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.0 += u32::from(field.ident.is_some());
        visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.0 += 1;
        visit::visit_variant(self, variant);
    }

    fn visit_stmt(&mut self, stmt: &'ast syn::Stmt) {
        // An item counts where it is visited as one.
        self.0 += u32::from(!matches!(stmt, syn::Stmt::Item(_)));
        visit::visit_stmt(self, stmt);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.0 += 1;
        visit::visit_arm(self, arm);
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        self.0 += u32::from(expr.else_branch.is_some());
        visit::visit_expr_if(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// loc, lloc, sloc, comments, multi, blank, single comments.
    #[track_caller]
    fn check(source: &str, expected: [u32; 7]) {
        let raw = count(source, &syn::parse_str(source).unwrap());
        let found = [raw.loc, raw.lloc, raw.sloc, raw.comments, raw.multi, raw.blank, raw.single_comments];
        assert_eq!(found, expected, "{source:?}");
    }

    #[test]
    fn lines_are_told_apart_as_in_python() {
        check("", [0; 7]);
        check("fn f() {}\n", [1, 1, 1, 0, 0, 0, 0]);
        check("// a\n\nfn f() {} // b\n", [3, 1, 1, 2, 0, 1, 1]);
        check("/* a\n\n b */\nfn f() {}\n", [4, 1, 1, 0, 2, 1, 0]);
        check("/* a /* b */ */ fn f() {}\n", [1, 1, 1, 1, 0, 0, 0]);
        check("/* a */\nfn f() {}\n", [2, 1, 1, 1, 0, 0, 1]);
        check("const A: &str = \"// no\n // comment\";\n", [2, 1, 2, 0, 0, 0, 0]);
        check("const A: &str = r#\"\"// no\n\"#; // yes\n", [2, 1, 2, 1, 0, 0, 0]);
        check("fn f<'a>() { let b = ('\"', '\\'', b'/', 'a'); } // c\n", [1, 2, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn statements_items_arms_and_elses_are_logical_lines() {
        check("fn f() { if a { b } else { c } }\n", [1, 5, 1, 0, 0, 0, 0]);
        check("fn f() { match a { 1 => b, _ => c } }\n", [1, 4, 1, 0, 0, 0, 0]);
        check("struct S { a: u8, b: u8 } enum E { A, B(u8) }\n", [1, 6, 1, 0, 0, 0, 0]);
        check("impl S { fn f() { let a = 1; a } }\n", [1, 4, 1, 0, 0, 0, 0]);
    }
}
