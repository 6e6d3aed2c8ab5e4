//! Finds the tail expressions of a block.

use syn::{Block, Expr, Stmt};

/// Calls `end` for each expression that may be the value of a block.
pub(super) fn of_block(block: &mut Block, end: &mut dyn FnMut(&mut Expr)) {
    if let Some(Stmt::Expr(tail, None)) = block.stmts.last_mut() {
        of_expr(tail, end);
    }
}

/// Calls `end` for each expression that may be the value of an expression.
pub(super) fn of_expr(tail: &mut Expr, end: &mut dyn FnMut(&mut Expr)) {
    match tail {
        Expr::If(code) => {
            of_block(&mut code.then_branch, end);
            if let Some((_, otherwise)) = &mut code.else_branch {
                of_expr(otherwise, end);
            }
        }
        Expr::Match(code) => {
            for arm in &mut code.arms {
                of_expr(&mut arm.body, end);
            }
        }
        Expr::Block(code) if code.label.is_none() => of_block(&mut code.block, end),
        Expr::Unsafe(code) => of_block(&mut code.block, end),
        Expr::Group(group) => of_expr(&mut group.expr, end),
        Expr::Paren(paren) => of_expr(&mut paren.expr, end),
        _ => end(tail),
    }
}
