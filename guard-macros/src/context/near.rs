//! A yield that is written as in Python, or as if it were a future or a `Result`.

use syn::visit_mut::{self, VisitMut};
use syn::{Block, Error, Expr, ExprClosure, Item, Macro, parse_quote};

use crate::diag::Errors;

/// Tells these mistakes, and goes on with what is meant.
pub(super) fn mend(block: &mut Block, errors: &mut Errors) {
    Mend { errors }.visit_block_mut(block);
}

struct Mend<'a> {
    errors: &'a mut Errors,
}

impl VisitMut for Mend<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        match expr {
            Expr::Yield(lends) => {
                self.errors.push(Error::new(
                    lends.yield_token.span,
                    "write `yield_resource!(resource)` instead of `yield resource`",
                ));
                let lent = &lends.expr;
                *expr = parse_quote!(yield_resource!(#lent));
            }
            Expr::Await(waits) if is_yield(&waits.base) => {
                self.errors.push(Error::new(
                    waits.await_token.span,
                    "`yield_resource!` waits for the block itself, and evaluates to an `Outcome`: leave out the `.await`",
                ));
                *expr = (*waits.base).clone();
            }
            Expr::Try(asks) if is_yield(&asks.expr) => {
                self.errors.push(Error::new(
                    asks.question_token.span,
                    "`yield_resource!` evaluates to an `Outcome`, since the clean-up runs however the block ends: leave out \
                     the `?`. The block's error leaves by itself, when the clean-up is over",
                ));
                *expr = (*asks.expr).clone();
            }
            _ => {}
        }
    }

    // Functions of their own.
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
    // Tokens.
    fn visit_macro_mut(&mut self, _: &mut Macro) {}
}

fn is_yield(expr: &Expr) -> bool {
    matches!(expr, Expr::Macro(call)
        if call.mac.path.segments.last().is_some_and(|name| name.ident == "yield_resource"))
}
