//! Depth of a Rust file, from its token trees.
//!
//! In -> out: tokens -> nothing, or the line where they pass a limit.
//! Invariant: walks with a stack of its own, so any depth can be judged.
//! Not here: the counting and its limits (`nesting.rs`).

use proc_macro2::{Delimiter, Punct, Spacing, TokenStream, TokenTree, token_stream};

use crate::block::MeasureError;
use crate::nesting::Nesting;

/// Fails when parsing or walking `tokens` could need more stack than a plugin has.
///
/// # Errors
/// `TooDeep`.
pub(crate) fn check_rust(tokens: &TokenStream) -> Result<(), MeasureError> {
    let mut nesting = Nesting::default();
    let mut outer: Vec<Enclosing> = Vec::new();
    let mut inside = Enclosing::new(tokens.clone(), Before::Start);
    let mut before = Before::Start;
    loop {
        let Some(token) = inside.tokens.next() else {
            before = inside.ends_as;
            let Some(enclosing) = outer.pop() else { return Ok(()) };
            inside = enclosing;
            nesting.leave();
            if !matches!(before, Before::Start) {
                nesting.link();
            }
            continue;
        };
        if matches!(before, Before::Block) && starts_anew(&token) {
            nesting.end_all();
        }
        let line = u32::try_from(token.span().start().line).unwrap_or(u32::MAX);
        before = match token {
            TokenTree::Group(group) => {
                nesting.enter();
                let ends_as = match (before, group.delimiter()) {
                    (Before::Attribute, _) => Before::Start,
                    (_, Delimiter::Brace) => Before::Block,
                    _ => Before::Operand,
                };
                outer.push(std::mem::replace(&mut inside, Enclosing::new(group.stream(), ends_as)));
                Before::Start
            }
            TokenTree::Punct(punct) => count_punct(&punct, before, &mut inside.angles, &mut nesting),
            TokenTree::Ident(ident) if is_step(&ident.to_string()) => {
                nesting.step();
                Before::Start
            }
            TokenTree::Ident(_) if matches!(before, Before::Infix('\'')) => Before::Start,
            TokenTree::Ident(_) | TokenTree::Literal(_) => Before::Operand,
        };
        if nesting.is_too_deep() {
            return Err(MeasureError::TooDeep { line });
        }
    }
}

/// A group that is being read.
struct Enclosing {
    tokens: token_stream::IntoIter,
    /// What the whole group is for the token after it.
    ends_as: Before,
    angles: Angles,
}

impl Enclosing {
    fn new(tokens: TokenStream, ends_as: Before) -> Self {
        Self { angles: Angles::of(tokens.clone()), tokens: tokens.into_iter(), ends_as }
    }
}

/// Which `>` of one group close a `<`: generic arguments nest without a group of their own.
struct Angles {
    /// For each `>` that is not an arrow's, in order.
    closes: std::vec::IntoIter<bool>,
}

impl Angles {
    fn of(tokens: TokenStream) -> Self {
        let mut closes = Vec::new();
        let (mut open, mut arrow) = (0_u32, false);
        for token in tokens {
            let TokenTree::Punct(punct) = token else {
                arrow = false;
                continue;
            };
            match punct.as_char() {
                '<' => open += 1,
                '>' if !arrow => {
                    closes.push(open > 0);
                    open = open.saturating_sub(1);
                }
                ';' => open = 0,
                _ => {}
            }
            arrow = matches!(punct.as_char(), '-' | '=') && punct.spacing() == Spacing::Joint;
        }
        Self { closes: closes.into_iter() }
    }
}

/// What the last token was.
#[derive(Clone, Copy)]
enum Before {
    /// Nothing that an operator could continue.
    Start,
    Operand,
    /// A group in braces: an operand, or the end of a statement or an item.
    Block,
    /// `#` or `#!`: the group after it is an attribute or a doc comment, which nothing continues.
    Attribute,
    /// The first part of an operator, or of a lifetime; another part follows without a space.
    Infix(char),
}

fn count_punct(punct: &Punct, before: Before, angles: &mut Angles, nesting: &mut Nesting) -> Before {
    let continues = !matches!(before, Before::Start | Before::Attribute);
    if punct.as_char() == '#' || (punct.as_char() == '!' && matches!(before, Before::Attribute)) {
        return Before::Attribute;
    }
    match (punct.as_char(), before) {
        (',', _) => nesting.end_part(),
        (';', _) | ('>', Before::Infix('=')) => nesting.end_all(),
        ('\'', _) => {}
        ('.' | '?' | ':', _) => nesting.link(),
        ('<', Before::Infix('<')) => nesting.link(),
        ('<', _) => nesting.sticky_step(),
        ('=', Before::Infix('<')) => nesting.unstick(),
        ('>', Before::Infix('-')) => nesting.step(),
        ('>', _) => match angles.closes.next() {
            Some(true) => nesting.unstick(),
            _ => nesting.link(),
        },
        // The parameters of a closure; their commas end nothing.
        ('|', Before::Start) => nesting.sticky_step(),
        // Assignments and bindings nest to the right.
        ('=', Before::Operand | Before::Block) | ('@', _) => nesting.step(),
        ('=', Before::Infix(first)) if !matches!(first, '=' | '!') => nesting.step(),
        _ if continues => nesting.link(),
        _ => nesting.step(),
    }
    match (punct.as_char(), punct.spacing()) {
        ('>', _) if !matches!(before, Before::Infix('-' | '=')) => Before::Operand,
        ('?', _) => Before::Operand,
        ('\'', _) => Before::Infix('\''),
        (char, Spacing::Joint) if continues => Before::Infix(char),
        _ => Before::Start,
    }
}

/// True if this token after a block begins the next statement, item or match arm.
fn starts_anew(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(ident) => ident != "else" && ident != "as",
        TokenTree::Punct(punct) => punct.as_char() == '#',
        TokenTree::Literal(_) | TokenTree::Group(_) => true,
    }
}

/// Words after which an expression, a type or a pattern is read recursively.
fn is_step(word: &str) -> bool {
    matches!(
        word,
        "if" | "else"
            | "match"
            | "return"
            | "break"
            | "yield"
            | "move"
            | "async"
            | "unsafe"
            | "const"
            | "mut"
            | "ref"
            | "dyn"
            | "impl"
            | "fn"
            | "for"
            | "in"
            | "let"
            | "as"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, fits: bool) {
        let start: String = source.chars().take(60).collect();
        assert_eq!(check_rust(&source.parse().unwrap()).is_ok(), fits, "`{start}`");
    }

    fn body(expression: &str) -> String {
        format!("fn f() {{ let x = {expression}; }}")
    }

    #[test]
    fn what_is_written_one_inside_the_other_counts() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("f(x, ", ")"), ("if a { 1 } else {", "}")]
        {
            check(&body(&format!("{}1{}", open.repeat(20), close.repeat(20))), true);
            check(&body(&format!("{}1{}", open.repeat(250), close.repeat(250))), false);
        }
    }

    #[test]
    fn prefixes_count() {
        for prefix in [
            "!",
            "-",
            "&",
            "&&",
            "*",
            "& mut ",
            "|| ",
            "|a, b| ",
            "return ",
            "-#[a]",
            "a = ",
            "if a { 1 } else ",
        ] {
            check(&body(&format!("{}{{ 1 }}", prefix.repeat(15))), true);
            check(&body(&format!("{}{{ 1 }}", prefix.repeat(250))), false);
        }
    }

    #[test]
    fn patterns_count() {
        for (open, close) in [("(", ")"), ("&", ""), ("S { a: ", "}"), ("a @ ", "")] {
            check(&format!("fn f() {{ let {}a{} = x; }}", open.repeat(15), close.repeat(15)), true);
            check(&format!("fn f() {{ let {}a{} = x; }}", open.repeat(250), close.repeat(250)), false);
        }
    }

    #[test]
    fn types_count() {
        for (open, close) in
            [("A<", ">"), ("A<B, ", ">"), ("&'a ", ""), ("* const ", ""), ("fn(A, B) -> ", "")]
        {
            check(&format!("type T = {}u8{};", open.repeat(15), close.repeat(15)), true);
            check(&format!("type T = {}u8{};", open.repeat(250), close.repeat(250)), false);
            check(&format!("type T = {}u8;", open.repeat(250)), false);
        }
    }

    #[test]
    fn chains_may_be_longer_but_not_endless() {
        for link in [" + a", ".b()", "?", "[0]", " as u8", " || a", " == a"] {
            check(&body(&format!("a{}", link.repeat(80))), true);
            check(&body(&format!("a{}", link.repeat(3000))), false);
        }
    }

    #[test]
    fn wide_is_not_deep() {
        check(&"#[test] fn f<T: A<B>>(x: &T) -> u8 { if x { 1 } else { -2 } }\n".repeat(3000), true);
        check(&"//! Says what it is.\n".repeat(3000), true);
        check(&"impl<'a> A<'a> for B { const C: u8 = 1; fn f(&self) {} }\n".repeat(3000), true);
        check(&body(&format!("[{}]", "1 << 3, ".repeat(60))), true);
        check(&body(&format!("[{}]", "(1 + 2, -3), ".repeat(5000))), true);
        check(
            &format!(
                "fn f() {{ match x {{ {} _ => 1 }} }}",
                "(1, -1) => { 2 } -1 => { f(x) } 'a' => 1, ".repeat(500)
            ),
            true,
        );
        check(&format!("fn f() {{ {} }}", "if a < 1 { g() } for x in y { x.z()?; } ".repeat(2000)), true);
    }
}
