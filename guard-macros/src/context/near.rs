//! A yield that is written as in Python, or as if it were a future or a `Result`.

use proc_macro2::TokenStream;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Error, Expr, ExprClosure, Item, Macro, Pat, parse_quote};

use crate::diag::Errors;

/// Tells these mistakes, and goes on with what is meant.
///
/// `error` is the type of the errors of the context.
pub(super) fn mend(block: &mut Block, error: &TokenStream, errors: &mut Errors) {
    Mend { error, errors }.visit_block_mut(block);
}

struct Mend<'a> {
    error: &'a TokenStream,
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
            Expr::Match(code) if is_yield(&code.expr) => {
                if let Some(pat) = code.arms.iter().find_map(|arm| of_a_result(&arm.pat)) {
                    self.is_no_result(pat, &mut code.expr);
                }
            }
            Expr::Let(code) if is_yield(&code.expr) => {
                if let Some(pat) = of_a_result(&code.pat) {
                    self.is_no_result(pat, &mut code.expr);
                }
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

impl Mend<'_> {
    fn is_no_result(&mut self, pat: &Pat, yields: &mut Expr) {
        self.errors.push(Error::new_spanned(
            pat,
            "`yield_resource!` evaluates to an `Outcome`, and not to a `Result`: match `Outcome::Completed`, \
             `Outcome::Failed(_)`, `Outcome::Cancelled` and `Outcome::Panicked`, or ask `.is_completed()`",
        ));
        let error = self.error;
        *yields = parse_quote!({
            #yields;
            ::core::result::Result::<(), #error>::Ok(())
        });
    }
}

/// A pattern of a `Result`, which no `Outcome` can match.
fn of_a_result(pat: &Pat) -> Option<&Pat> {
    match pat {
        Pat::TupleStruct(variant)
            if variant.path.is_ident("Ok") || variant.path.is_ident("Err") =>
        {
            Some(pat)
        }
        _ => None,
    }
}

fn is_yield(expr: &Expr) -> bool {
    matches!(expr, Expr::Macro(call)
        if call.mac.path.segments.last().is_some_and(|name| name.ident == "yield_resource"))
}
