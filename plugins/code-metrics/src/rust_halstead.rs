//! Halstead's counts of Rust, by the definitions of `python_halstead.rs`.
//!
//! In -> out: a file -> its counts, and those of each function that is in no other.
//! Operators: `!`, `-`, `*` before, those of arithmetic, comparison and logic between, augmented assignment. A chain of `&&` is one
//! operator with as many operands. Of a path its last name counts; brackets count nothing. What a macro's arguments hold, and a
//! function's head, is not counted.
//! Not here: what follows from the counts (`halstead.rs`).

use std::borrow::Cow;

use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, Lit, Member, Signature, UnOp};

use crate::halstead::{Counts, Halstead, Operand};

pub(crate) fn count(file: &syn::File) -> (Halstead, Vec<(String, Halstead)>) {
    let mut walk = Walk::default();
    walk.visit_file(file);
    let functions = walk.functions.iter().map(|(name, counts)| (name.clone(), counts.report())).collect();
    (walk.counts.report(), functions)
}

/// Counts one body with all that is inside of it.
#[derive(Default)]
struct Walk<'a> {
    context: Option<Cow<'a, str>>,
    counts: Counts<'a>,
    functions: Vec<(String, Counts<'a>)>,
}

impl<'a> Walk<'a> {
    fn add_function(&mut self, signature: &Signature, body: &'a Block) {
        let name = signature.ident.to_string();
        let mut inside = Walk { context: Some(Cow::Owned(name.clone())), ..Walk::default() };
        inside.visit_block(body);
        self.counts.merge(&inside.counts);
        self.functions.push((name, inside.counts));
    }

    fn add_operand(&mut self, expr: &'a Expr) {
        self.counts.add_operand(self.context.as_ref(), operand(bare(expr)));
    }

    /// The operands of a chain of one operator of logic, and what is inside of them.
    fn add_chain(&mut self, expr: &'a Expr, name: &'static str) {
        match expr {
            Expr::Binary(inner) if binary(&inner.op) == name => {
                self.add_chain(&inner.left, name);
                self.add_chain(&inner.right, name);
            }
            other => {
                self.add_operand(other);
                self.visit_expr(other);
            }
        }
    }
}

impl<'a> Visit<'a> for Walk<'a> {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.add_function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.add_function(&item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add_function(&item.sig, body);
        }
    }

    fn visit_expr_binary(&mut self, expr: &'a syn::ExprBinary) {
        let name = binary(&expr.op);
        self.counts.add_operator(name);
        if matches!(expr.op, BinOp::And(_) | BinOp::Or(_)) {
            self.add_chain(&expr.left, name);
            self.add_chain(&expr.right, name);
            return;
        }
        self.add_operand(&expr.left);
        self.add_operand(&expr.right);
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'a syn::ExprUnary) {
        self.counts.add_operator(match expr.op {
            UnOp::Deref(_) => "Deref",
            UnOp::Not(_) => "Not",
            UnOp::Neg(_) => "USub",
            _ => "Unary",
        });
        self.add_operand(&expr.expr);
        visit::visit_expr_unary(self, expr);
    }
}

/// Without the brackets around it.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => bare(&inner.expr),
        Expr::Group(inner) => bare(&inner.expr),
        other => other,
    }
}

fn operand(expr: &Expr) -> Operand<'_> {
    let text = |text: String| Operand::Text(Cow::Owned(text));
    match expr {
        Expr::Path(path) => {
            text(path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string()))
        }
        Expr::Field(field) => text(match &field.member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(value) => text(value.value()),
            Lit::ByteStr(value) => Operand::Bytes(value.value()),
            Lit::CStr(value) => Operand::Bytes(value.value().into_bytes()),
            Lit::Byte(value) => Operand::Number(value.value().to_string()),
            Lit::Char(value) => text(value.value().to_string()),
            Lit::Int(value) => Operand::Number(value.base10_digits().to_owned()),
            Lit::Float(value) => Operand::Number(value.base10_digits().to_owned()),
            Lit::Bool(value) => Operand::Constant(if value.value { "true" } else { "false" }),
            _ => Operand::Node(std::ptr::from_ref(expr).addr()),
        },
        other => Operand::Node(std::ptr::from_ref(other).addr()),
    }
}

fn binary(op: &BinOp) -> &'static str {
    match op {
        BinOp::Add(_) | BinOp::AddAssign(_) => "Add",
        BinOp::Sub(_) | BinOp::SubAssign(_) => "Sub",
        BinOp::Mul(_) | BinOp::MulAssign(_) => "Mult",
        BinOp::Div(_) | BinOp::DivAssign(_) => "Div",
        BinOp::Rem(_) | BinOp::RemAssign(_) => "Mod",
        BinOp::And(_) => "And",
        BinOp::Or(_) => "Or",
        BinOp::BitXor(_) | BinOp::BitXorAssign(_) => "BitXor",
        BinOp::BitAnd(_) | BinOp::BitAndAssign(_) => "BitAnd",
        BinOp::BitOr(_) | BinOp::BitOrAssign(_) => "BitOr",
        BinOp::Shl(_) | BinOp::ShlAssign(_) => "LShift",
        BinOp::Shr(_) | BinOp::ShrAssign(_) => "RShift",
        BinOp::Eq(_) => "Eq",
        BinOp::Lt(_) => "Lt",
        BinOp::Le(_) => "LtE",
        BinOp::Ne(_) => "NotEq",
        BinOp::Ge(_) => "GtE",
        BinOp::Gt(_) => "Gt",
        _ => "Binary",
    }
}

#[cfg(test)]
mod tests {
    use crate::rust::measure;

    /// Distinct operators, distinct operands, operators, operands.
    #[track_caller]
    fn check(body: &str, expected: [u32; 4]) {
        let found = measure(&format!("fn f() {{ {body} }}")).unwrap().halstead;
        let found = [found.distinct_operators, found.distinct_operands, found.operators, found.operands];
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn each_operator_counts_as_in_python() {
        check("a + b * c", [2, 4, 2, 4]);
        check("a && b && c", [1, 3, 1, 3]);
        check("(a && b) && c", [1, 4, 2, 4]);
        check("a += -1", [2, 3, 2, 3]);
        check("a.b + b", [1, 1, 1, 2]);
        check("m::b + b", [1, 1, 1, 2]);
        check("f() + f()", [1, 2, 1, 2]);
        check("(a) + a", [1, 1, 1, 2]);
        check("assert!(a + b)", [0, 0, 0, 0]);
        check("*a == 0xff", [2, 3, 2, 3]);
    }

    #[test]
    fn a_functions_operands_are_its_own() {
        let found = measure("fn f() -> u8 { a + b } impl T { fn g() { a + b; fn h() { c + d } } }").unwrap();
        assert_eq!(found.halstead.distinct_operands, 6);
        let names: Vec<_> = found.functions.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["f", "g"]);
        assert_eq!(found.functions[1].1.distinct_operands, 4);
    }
}
