//! Likely mistakes: a yield that is written as in Python, as a future or as a `Result`; a body that returns what it lends.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Error, Expr, ExprAsync, ExprClosure, ExprUnary, Item, Macro, Pat, Path, UnOp,
    parse_quote, parse_quote_spanned,
};

use super::returns::Returns;
use crate::diag::{Errors, path_at};
use crate::tails;
use crate::tokens::{is_punct, is_word};

/// Tells these mistakes, and goes on with what is meant.
pub(super) fn mend(block: &mut Block, krate: &Path, returns: &Returns, errors: &mut Errors) {
    let yields = yields_of(block);
    let mut mend = Mend {
        krate,
        returns,
        lent: yields
            .iter()
            .filter_map(|call| call.parse_body().ok())
            .collect(),
        in_async: false,
        errors,
    };
    mend.visit_block_mut(block);
    tails::of_block(block, &mut |tail| mend.end(tail));
}

/// The yields that are not in other macros.
pub(super) fn yields_of(block: &mut Block) -> Vec<Macro> {
    struct FindYields(Vec<Macro>);

    impl VisitMut for FindYields {
        // Functions of their own.
        fn visit_item_mut(&mut self, _: &mut Item) {}

        fn visit_macro_mut(&mut self, call: &mut Macro) {
            if is_named_yield(call) {
                self.0.push(call.clone());
            }
        }
    }

    let mut yields = FindYields(Vec::new());
    yields.visit_block_mut(block);
    yields.0
}

struct Mend<'a> {
    krate: &'a Path,
    returns: &'a Returns,
    lent: Vec<Ident>,
    /// In an `async` block, which returns by itself.
    in_async: bool,
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
                let lent = match lends.expr.as_deref() {
                    // `yield!(resource)`
                    Some(Expr::Unary(ExprUnary {
                        op: UnOp::Not(_),
                        expr: lent,
                        ..
                    })) => Some(lent),
                    _ => lends.expr.as_ref(),
                };
                *expr = parse_quote!(yield_resource!(#lent));
            }
            Expr::Call(call) if is_yield_without_a_bang(&call.func) => {
                self.errors.push(Error::new_spanned(
                    &call.func,
                    "`yield_resource!` is a macro: write it with a `!`",
                ));
                let lent = &call.args;
                *expr = parse_quote!(yield_resource!(#lent));
            }
            Expr::Call(call) if is_timeout(&call.func) => {
                if let Some(yields) = call.args.iter_mut().find(|one| is_yield(one)) {
                    self.errors.push(no_future(&*yields));
                    *yields = parse_quote!(::core::future::ready(#yields));
                }
            }
            Expr::Call(call)
                if self.returns.is_fallible()
                    && is_ok(&call.func)
                    && matches!(call.args.first(), Some(value) if is_yield(value)) =>
            {
                self.errors.push(Error::new_spanned(
                    &call.args,
                    "this is the `Outcome` of the block, and a context ends with `Ok(())`: write it as a statement before that",
                ));
                let value = &mut call.args[0];
                *value = parse_quote!({ let _ = #value; });
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
            Expr::If(code) if is_yield(&code.cond) => self.is_no_bool(&mut code.cond),
            Expr::Unary(ExprUnary {
                op: UnOp::Not(_),
                expr: inner,
                ..
            }) if is_yield(inner) => self.is_no_bool(inner),
            Expr::Let(code) if is_yield(&code.expr) => {
                if let Some(pat) = of_a_result(&code.pat) {
                    self.is_no_result(pat, &mut code.expr);
                }
            }
            Expr::Return(returns) if !self.in_async => {
                if let Some(value) = &mut returns.expr {
                    tails::of_expr(value, &mut |tail| self.end(tail));
                }
            }
            _ => {}
        }
    }

    fn visit_expr_async_mut(&mut self, code: &mut ExprAsync) {
        let around = core::mem::replace(&mut self.in_async, true);
        visit_mut::visit_expr_async_mut(self, code);
        self.in_async = around;
    }

    // Functions of their own.
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
    fn visit_macro_mut(&mut self, call: &mut Macro) {
        let name = call.path.segments.last().map(|last| last.ident.to_string());
        let ends: &[&str] = match name.as_deref() {
            Some("select" | "select_biased") => &["=>"],
            Some("join" | "try_join") => &[",", ""],
            // Tokens.
            _ => return,
        };
        self.is_no_future(call, ends);
    }
}

impl Mend<'_> {
    /// Has the end of the body say what is wrong if it is what was lent, or is to be lent.
    fn end(&self, tail: &mut Expr) {
        let value = match tail {
            Expr::Call(call) if call.args.len() == 1 && is_ok(&call.func) => &mut call.args[0],
            tail if !self.returns.is_fallible() => tail,
            _ => return,
        };
        let is_lent = match value {
            Expr::Path(path) => {
                let name = path.path.get_ident();
                name.is_some_and(|name| self.lent.contains(name))
            }
            Expr::Struct(_) => true,
            _ => false,
        };
        if is_lent {
            let site = Span::mixed_site().located_at(value.span());
            let krate = path_at(self.krate, site);
            *value = parse_quote_spanned!(site=> #krate::__private::EndOfContext::end(#value));
        }
    }

    /// Says that a yield is none of the futures of a macro. There it is followed by one of `ends`.
    fn is_no_future(&mut self, call: &mut Macro, ends: &[&str]) {
        let tokens: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
        let mut out = TokenStream::new();
        let mut rest = tokens.as_slice();
        while let [first, after @ ..] = rest {
            if let [name, bang, TokenTree::Group(group), after @ ..] = rest {
                let end = match after {
                    [] => "",
                    [comma, ..] if is_punct(comma, ',') => ",",
                    [equals, head, ..] if is_punct(equals, '=') && is_punct(head, '>') => "=>",
                    _ => "another",
                };
                if is_word(name, "yield_resource") && is_punct(bang, '!') && ends.contains(&end) {
                    self.errors.push(no_future(quote!(#name #bang #group)));
                    out.extend(quote!(::core::future::ready(#name #bang #group)));
                    rest = after;
                    continue;
                }
            }
            out.extend([first.clone()]);
            rest = after;
        }
        call.tokens = out;
    }

    fn is_no_bool(&mut self, yields: &mut Expr) {
        self.errors.push(Error::new_spanned(
            &*yields,
            "`yield_resource!` evaluates to an `Outcome`: ask `yield_resource!(…).is_completed()`",
        ));
        *yields = parse_quote!(#yields.is_completed());
    }

    fn is_no_result(&mut self, pat: &Pat, yields: &mut Expr) {
        self.errors.push(Error::new_spanned(
            pat,
            "`yield_resource!` evaluates to an `Outcome`, and not to a `Result`: match `Outcome::Completed`, \
             `Outcome::Failed(_)`, `Outcome::Cancelled` and `Outcome::Panicked`, or ask `.is_completed()`",
        ));
        let error = self.returns.error(self.krate);
        *yields = parse_quote!({
            #yields;
            ::core::result::Result::<(), #error>::Ok(())
        });
    }
}

fn no_future(yields: impl ToTokens) -> Error {
    Error::new_spanned(
        yields,
        "`yield_resource!` waits for the block itself, and is no future: what is to go on beside the block is its second \
         argument, `yield_resource!(resource, async { … })`",
    )
}

/// A function that waits for a future.
fn is_timeout(function: &Expr) -> bool {
    let Expr::Path(path) = function else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|last| last.ident == "timeout" || last.ident == "timeout_at")
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

/// Whether a call of this function makes an `Ok`.
pub(super) fn is_ok(function: &Expr) -> bool {
    matches!(function, Expr::Path(path) if path.path.is_ident("Ok"))
}

fn is_yield_without_a_bang(function: &Expr) -> bool {
    matches!(function, Expr::Path(path) if path.path.is_ident("yield_resource"))
}

fn is_yield(expr: &Expr) -> bool {
    matches!(expr, Expr::Macro(call) if is_named_yield(&call.mac))
}

pub(super) fn is_named_yield(call: &Macro) -> bool {
    let last = call.path.segments.last();
    last.is_some_and(|name| name.ident == "yield_resource")
}
