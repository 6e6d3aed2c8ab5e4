//! Expressions that are certainly an `Err`, by how they are written.

use proc_macro2::TokenStream;
use syn::{Expr, Stmt};

/// Whether an expression is written as `Err(…)`, or as a method of one that leaves an `Err` an `Err`.
pub(crate) fn is_err(tokens: &TokenStream) -> bool {
    syn::parse2::<Expr>(tokens.clone()).is_ok_and(|expr| is_err_expr(&expr))
}

pub(crate) fn is_err_expr(expr: &Expr) -> bool {
    // Methods that leave an `Err` an `Err`.
    let keep = [
        "attach",
        "attach_printable",
        "change_context",
        "context",
        "inspect",
        "inspect_err",
        "into",
        "map",
        "map_err",
        "with_context",
        "wrap_err",
        "wrap_err_with",
    ];
    match expr {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let last = path.path.segments.last();
                last.is_some_and(|segment| segment.ident == "Err")
            }
            _ => false,
        },
        Expr::MethodCall(call) => {
            keep.iter().any(|kept| call.method == kept) && is_err_expr(&call.receiver)
        }
        Expr::Group(group) => is_err_expr(&group.expr),
        Expr::Paren(paren) => is_err_expr(&paren.expr),
        Expr::Block(code) if code.label.is_none() => match code.block.stmts.as_slice() {
            [Stmt::Expr(expr, None)] => is_err_expr(expr),
            _ => false,
        },
        _ => false,
    }
}
