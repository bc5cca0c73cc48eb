//! Depth of a Python file, from its tokens.
//!
//! In -> out: source -> nothing, or the line where it passes a limit.
//! Invariant: brackets that do not match are refused here, so that the parser's recovery cannot nest unseen.
//! Not here: the counting and its limits (`nesting.rs`).

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::Mode;
use ruff_python_parser::lexer::lex;

use crate::block::MeasureError;
use crate::nesting::Nesting;

/// Fails when parsing or walking `source` could need more stack than a plugin has.
///
/// # Errors
/// `TooDeep`; `Syntax` for brackets that do not match.
pub(crate) fn check_python(source: &str) -> Result<(), MeasureError> {
    let mut lexer = lex(source, Mode::Module);
    let mut nesting = Nesting::default();
    let mut open: Vec<TokenKind> = Vec::new();
    let mut after_operand = false;
    let mut line = 1_u32;
    loop {
        let kind = lexer.next_token();
        match kind {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Newline => {
                line = line.saturating_add(1);
                nesting.end_all();
            }
            TokenKind::NonLogicalNewline => line = line.saturating_add(1),
            TokenKind::Comma | TokenKind::Semi => nesting.end_part(),
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                open.push(kind);
                nesting.enter();
            }
            TokenKind::FStringStart | TokenKind::TStringStart | TokenKind::Indent => {
                open.push(kind);
                nesting.enter();
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd
            | TokenKind::Dedent => {
                if open.pop() != opener(kind) {
                    return Err(MeasureError::Syntax(format!("brackets do not match at line {line}")));
                }
                nesting.leave();
                if kind != TokenKind::Dedent {
                    nesting.link();
                }
            }
            TokenKind::Lambda => nesting.sticky_step(),
            TokenKind::Not
            | TokenKind::Await
            | TokenKind::Async
            | TokenKind::If
            | TokenKind::Else
            | TokenKind::DoubleStar
            | TokenKind::Yield
            | TokenKind::Unknown => nesting.step(),
            TokenKind::Plus | TokenKind::Minus | TokenKind::Tilde | TokenKind::Star if !after_operand => {
                nesting.step();
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment => {}
            _ => nesting.link(),
        }
        if nesting.is_too_deep() {
            return Err(MeasureError::TooDeep { line });
        }
        after_operand = ends_operand(kind);
    }
}

/// True if an operator after this token has a left side.
fn ends_operand(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd
            | TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
            | TokenKind::Ellipsis
    )
}

fn opener(closer: TokenKind) -> Option<TokenKind> {
    match closer {
        TokenKind::Rpar => Some(TokenKind::Lpar),
        TokenKind::Rsqb => Some(TokenKind::Lsqb),
        TokenKind::Rbrace => Some(TokenKind::Lbrace),
        TokenKind::FStringEnd => Some(TokenKind::FStringStart),
        TokenKind::TStringEnd => Some(TokenKind::TStringStart),
        TokenKind::Dedent => Some(TokenKind::Indent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, fits: bool) {
        let start: String = source.chars().take(40).collect();
        assert_eq!(check_python(source).is_ok(), fits, "`{start}`");
    }

    #[test]
    fn what_is_written_one_inside_the_other_counts() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{1: ", "}"), ("f(x, ", ")"), ("f\"{", "}\"")] {
            check(&format!("{}1{}\n", open.repeat(20), close.repeat(20)), true);
            check(&format!("{}1{}\n", open.repeat(250), close.repeat(250)), false);
        }
    }

    #[test]
    fn prefixes_count() {
        for prefix in ["not ", "-", "~", "lambda: ", "lambda x, y: ", "1 if x else ", "2 ** ", "await "] {
            check(&format!("{}1\n", prefix.repeat(20)), true);
            check(&format!("{}1\n", prefix.repeat(250)), false);
        }
    }

    #[test]
    fn chains_may_be_longer_but_not_endless() {
        for (first, link) in [("a", " + a"), ("a", ".b"), ("a", "()"), ("a", "[0]"), ("a", " if a")] {
            check(&format!("{first}{}\n", link.repeat(90)), true);
            check(&format!("{first}{}\n", link.repeat(2500)), false);
        }
    }

    #[test]
    fn wide_is_not_deep() {
        check(&format!("x = [{}]\n", "(1 + 2, -3), ".repeat(20_000)), true);
        check(&"x = 1 + 2\n".repeat(20_000), true);
        check(&format!("x = ({})\n", "'text' ".repeat(20_000)), true);
        check(&format!("if a:\n    pass\n{}", "elif a and not b:\n    pass\n".repeat(5000)), true);
    }

    #[test]
    fn blocks_count() {
        let nested = |levels: usize| -> String {
            let mut text: String = (0..levels).map(|level| format!("{}if x:\n", " ".repeat(level))).collect();
            text.push_str(&format!("{}pass\n", " ".repeat(levels)));
            text
        };
        check(&nested(60), true);
        check(&nested(250), false);
    }

    #[test]
    fn brackets_inside_strings_and_comments_do_not_count() {
        check(&format!("x = '{}' # {}\n", "(".repeat(500), "[".repeat(500)), true);
        check(&format!("{}1{}\n", "(\")\", ".repeat(250), ")".repeat(250)), false);
    }

    #[test]
    fn brackets_that_do_not_match_are_refused() {
        check(&"[ ) ".repeat(5), false);
        check(")\n", false);
    }
}
