//! The body of a context: its yields, and the proof that there is exactly one on every path.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Block, Error, Expr, Macro, Path, Stmt};

use crate::args::Args;
use crate::diag::Errors;
use crate::walk::{Place, Rewrite, is_err, walk_block};

/// A body whose yields use the handle and leave the proof.
///
/// The two names are chosen for the messages in which they appear: «use of moved value» for a second
/// yield, «used binding … is possibly-uninitialized» for a path without one.
pub(crate) struct Body {
    pub(crate) block: Block,
}

pub(crate) fn handle(span: Span) -> Ident {
    Ident::new("the_one_yield", Span::mixed_site().located_at(span))
}

pub(crate) fn proof(span: Span) -> Ident {
    Ident::new("a_yield_on_every_path", Span::mixed_site().located_at(span))
}

impl Body {
    pub(crate) fn new(mut block: Block, args: &Args, name: &Ident, errors: &mut Errors) -> Self {
        let mut rewrite = Yields {
            krate: &args.krate,
            catches: args.catch,
            found: false,
            errors,
        };
        walk_block(&mut block, &mut rewrite);
        if !rewrite.found {
            errors.push(Error::new(
                name.span(),
                format!(
                    "`{name}` never lends its resource: write `yield_resource!(resource)` between the \
                     set-up and the clean-up, or `yield_resource!()` if it lends nothing"
                ),
            ));
        }
        excuse_errors_of_block(&mut block, &args.krate);
        Self { block }
    }
}

struct Yields<'a> {
    krate: &'a Path,
    catches: bool,
    found: bool,
    errors: &'a mut Errors,
}

impl Yields<'_> {
    fn prove(&self, span: Span) -> TokenStream {
        let krate = self.krate;
        let proof = proof(span);
        let span = Span::mixed_site().located_at(span);
        quote_spanned! {span=>
            #[allow(unused_assignments)]
            { #proof = #krate::__private::Yielded; }
        }
    }
}

impl Rewrite for Yields<'_> {
    fn yields(&mut self, call: &Macro, place: Place) -> Option<TokenStream> {
        self.found = true;
        let Macro { path, tokens, .. } = call;
        let span = path.segments.last()?.ident.span();
        let handle = handle(span);
        let lend = Ident::new(
            if place == Place::InMacro {
                "lend_waking"
            } else {
                "lend"
            },
            Span::mixed_site(),
        );
        let catch = self.catches.then(|| quote!(catch));
        let call = quote!(#path!(@#lend #handle #catch; #tokens));
        if place != Place::Direct {
            return Some(call);
        }
        let prove = self.prove(span);
        Some(quote!({ #prove #call }))
    }

    fn window(&mut self, call: &Macro, place: Place) -> Option<TokenStream> {
        let Macro { path, tokens, .. } = call;
        let handle = handle(path.segments.last()?.ident.span());
        (place == Place::Direct).then(|| quote!(#path!(@window #handle; #tokens)))
    }

    fn misplaced(&mut self, span: Span, inside: &'static str) -> Option<TokenStream> {
        self.found = true;
        self.errors.push(Error::new(
            span,
            format!(
                "`yield_resource!` inside {inside}, which is a function of its own: \
                 yield in the body of the context itself"
            ),
        ));
        let krate = self.krate;
        Some(quote!(#krate::__private::misplaced_yield()))
    }

    fn contains_yield(&mut self, call: TokenStream) -> Option<TokenStream> {
        // What the other macro makes of the yield is not known, so that it is reached is left to be
        // checked at run time.
        let prove = self.prove(Span::call_site());
        Some(quote!({ #prove #call }))
    }

    fn returns(&mut self, keyword: Span, value: TokenStream, place: Place) -> Option<TokenStream> {
        if place != Place::Direct || is_err(&value) {
            return None;
        }
        let krate = self.krate;
        let proof = proof(keyword);
        let keyword = Ident::new("return", keyword);
        let value = if value.is_empty() { quote!(()) } else { value };
        Some(quote!(#keyword #krate::__private::finish(#value, #proof)))
    }
}

/// A path that ends in `Err(…)` has failed to enter, and need not yield.
fn excuse_errors_of_block(block: &mut Block, krate: &Path) {
    if let Some(Stmt::Expr(tail, None)) = block.stmts.last_mut() {
        excuse_errors(tail, krate);
    }
}

fn excuse_errors(tail: &mut Expr, krate: &Path) {
    match tail {
        Expr::If(code) => {
            excuse_errors_of_block(&mut code.then_branch, krate);
            if let Some((_, otherwise)) = &mut code.else_branch {
                excuse_errors(otherwise, krate);
            }
        }
        Expr::Match(code) => {
            for arm in &mut code.arms {
                excuse_errors(&mut arm.body, krate);
            }
        }
        Expr::Block(code) if code.label.is_none() => excuse_errors_of_block(&mut code.block, krate),
        Expr::Unsafe(code) => excuse_errors_of_block(&mut code.block, krate),
        Expr::Call(_) if is_err(&quote!(#tail)) => {
            let proof = proof(Span::call_site());
            *tail = Expr::Verbatim(quote! {{
                #[allow(unused_assignments)]
                { #proof = #krate::__private::Yielded; }
                #tail
            }});
        }
        _ => {}
    }
}
