//! Halstead's counts of Python, as radon 6.0.1 takes them.
//!
//! In -> out: a module's body -> its counts, and those of each function that is in no other.
//! Operators: of arithmetic, comparison, logic and augmented assignment; their operands are what stands beside them. A
//! chain of `and` is one operator with as many operands. A function's decorators, parameters and annotations count
//! nothing; its operands are its own, told apart from those of functions of other names.
//! Not here: what follows from the counts (`halstead.rs`).

use std::borrow::Cow;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{BoolOp, CmpOp, Expr, Number, Operator, Stmt, UnaryOp};

use crate::halstead::{Counts, Halstead, Operand};

pub(crate) fn count(body: &[Stmt]) -> (Halstead, Vec<(String, Halstead)>) {
    let mut walk = Walk::inside(None);
    walk.visit_body(body);
    let functions =
        walk.functions.iter().map(|(name, counts)| ((*name).to_owned(), counts.report())).collect();
    (walk.counts.report(), functions)
}

/// Counts one body with all that is inside of it.
struct Walk<'a> {
    context: Option<Cow<'a, str>>,
    counts: Counts<'a>,
    functions: Vec<(&'a str, Counts<'a>)>,
}

impl<'a> Walk<'a> {
    fn inside(context: Option<Cow<'a, str>>) -> Self {
        Self { context, counts: Counts::default(), functions: Vec::new() }
    }

    fn add_operand(&mut self, expr: &'a Expr) {
        self.counts.add_operand(self.context.as_ref(), operand(expr));
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                let name = function.name.as_str();
                let mut body = Walk::inside(Some(Cow::Borrowed(name)));
                body.visit_body(&function.body);
                self.counts.merge(&body.counts);
                self.functions.push((name, body.counts));
                return;
            }
            Stmt::AugAssign(assign) => {
                self.counts.add_operator(binary(assign.op));
                self.add_operand(&assign.target);
                self.add_operand(&assign.value);
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::BinOp(expr) => {
                self.counts.add_operator(binary(expr.op));
                self.add_operand(&expr.left);
                self.add_operand(&expr.right);
            }
            Expr::UnaryOp(expr) => {
                self.counts.add_operator(match expr.op {
                    UnaryOp::Invert => "Invert",
                    UnaryOp::Not => "Not",
                    UnaryOp::UAdd => "UAdd",
                    UnaryOp::USub => "USub",
                });
                self.add_operand(&expr.operand);
            }
            Expr::BoolOp(expr) => {
                self.counts.add_operator(match expr.op {
                    BoolOp::And => "And",
                    BoolOp::Or => "Or",
                });
                expr.values.iter().for_each(|value| self.add_operand(value));
            }
            Expr::Compare(expr) => {
                expr.ops.iter().for_each(|op| self.counts.add_operator(comparison(*op)));
                expr.comparators.iter().for_each(|value| self.add_operand(value));
                self.add_operand(&expr.left);
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

fn operand(expr: &Expr) -> Operand<'_> {
    match expr {
        Expr::Name(name) => Operand::Text(Cow::Borrowed(name.id.as_str())),
        Expr::Attribute(attribute) => Operand::Text(Cow::Borrowed(attribute.attr.as_str())),
        Expr::StringLiteral(text) => Operand::Text(Cow::Borrowed(text.value.to_str())),
        Expr::BytesLiteral(bytes) => Operand::Bytes(bytes.value.bytes().collect()),
        Expr::NumberLiteral(number) => Operand::Number(spelt(&number.value)),
        // `True == 1` in Python.
        Expr::BooleanLiteral(truth) => Operand::Number(u8::from(truth.value).to_string()),
        Expr::NoneLiteral(_) => Operand::Constant("None"),
        Expr::EllipsisLiteral(_) => Operand::Constant("Ellipsis"),
        other => Operand::Node(std::ptr::from_ref(other).addr()),
    }
}

/// The same text for numbers that Python takes for equal.
fn spelt(number: &Number) -> String {
    match number {
        Number::Int(whole) => decimal(&whole.to_string()),
        Number::Float(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Number::Float(value) => value.to_string(),
        Number::Complex { imag, .. } if *imag == 0.0 => "0".to_owned(),
        Number::Complex { imag, .. } => format!("{imag}j"),
    }
}

/// The digits that `text` has to the base of ten; what is too large for a machine's number is kept as it was written.
fn decimal(text: &str) -> String {
    let base = match text.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => return text.to_owned(),
    };
    let mut digits = vec![0_u8];
    for mut carry in text.chars().skip(2).filter_map(|char| char.to_digit(base)) {
        for digit in &mut digits {
            let value = u32::from(*digit) * base + carry;
            (*digit, carry) = ((value % 10) as u8, value / 10);
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

fn binary(op: Operator) -> &'static str {
    match op {
        Operator::Add => "Add",
        Operator::Sub => "Sub",
        Operator::Mult => "Mult",
        Operator::MatMult => "MatMult",
        Operator::Div => "Div",
        Operator::Mod => "Mod",
        Operator::Pow => "Pow",
        Operator::LShift => "LShift",
        Operator::RShift => "RShift",
        Operator::BitOr => "BitOr",
        Operator::BitXor => "BitXor",
        Operator::BitAnd => "BitAnd",
        Operator::FloorDiv => "FloorDiv",
    }
}

fn comparison(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "Eq",
        CmpOp::NotEq => "NotEq",
        CmpOp::Lt => "Lt",
        CmpOp::LtE => "LtE",
        CmpOp::Gt => "Gt",
        CmpOp::GtE => "GtE",
        CmpOp::Is => "Is",
        CmpOp::IsNot => "IsNot",
        CmpOp::In => "In",
        CmpOp::NotIn => "NotIn",
    }
}

#[cfg(test)]
mod tests {
    use crate::python::measure;

    /// Distinct operators, distinct operands, operators, operands.
    #[track_caller]
    fn check(source: &str, expected: [u32; 4]) {
        let found = measure(source).unwrap().halstead;
        let found = [found.distinct_operators, found.distinct_operands, found.operators, found.operands];
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn each_operator_counts_as_radon_counts_it() {
        check("a + b * c\n", [2, 4, 2, 4]);
        check("a and b and c\n", [1, 3, 1, 3]);
        check("(a and b) and c\n", [1, 4, 2, 4]);
        check("a < b <= c\n", [2, 3, 2, 3]);
        check("a += -1\n", [2, 3, 2, 3]);
        check("a.b + b\n", [1, 1, 1, 2]);
        check("a + 'a'\n", [1, 1, 1, 2]);
        check("1 + 1.0 + True\n", [1, 2, 2, 4]);
        check("0xffffffffffffffffff + 4722366482869645213695\n", [1, 1, 1, 2]);
        check("f() + f()\n", [1, 2, 1, 2]);
        check("f'{a + b}'\n", [1, 2, 1, 2]);
    }

    #[test]
    fn a_functions_operands_are_its_own_and_its_head_counts_nothing() {
        check("@d(a + b)\ndef f(x=a + b):\n    return a + b\n", [1, 2, 1, 2]);
        check("a + b\ndef f():\n    return a + b\n", [1, 4, 2, 4]);
        check(
            "class C:\n    def f(self): return a + b\nclass D:\n    def f(self): return a + b\n",
            [1, 2, 2, 4],
        );
        let functions = measure("def f():\n    a + b\n    def g():\n        c + d\n").unwrap().functions;
        assert_eq!(functions.len(), 1);
        assert_eq!((functions[0].0.as_str(), functions[0].1.distinct_operands), ("f", 4));
    }
}
