//! The proof that there is exactly one yield on every path.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Block, Expr, Path, Token};

use crate::diag::path_at;
use crate::function::Function;
use crate::rewrite::{is_err_expr, mentions};
use crate::tails;

/// The locals by which rustc proves that there is one yield on every path.
///
/// Their names are chosen for the messages in which they appear: "use of moved value: `the_one_yield`"
/// for a second yield, "used binding `a_yield_or_err_on_every_path` is possibly-uninitialized" for a path
/// without one. rustc names a local in its messages only if the local is not an external macro's, so
/// these two have the hygiene of the function itself, unless it mentions one of the names. Code that comes
/// by a name in another way, such as from `include!`, can do no harm with it: to lend takes the yielder.
pub(super) struct Proof {
    hygiene: Span,
    /// Whether the token of the set-up is needed.
    pub(super) has_windows: bool,
}

impl Proof {
    const TOKEN: &'static str = "the_one_yield";
    const PROOF: &'static str = "a_yield_or_err_on_every_path";
    const SET_UP: &'static str = "cancellable_is_only_for_the_set_up";

    pub(super) fn new(function: &Function) -> Self {
        let is_mentioned = mentions(&function.to_token_stream(), &|word| {
            let word = word.strip_prefix("r#").unwrap_or(word);
            word == Self::TOKEN || word == Self::PROOF || word == Self::SET_UP
        });
        Self {
            hygiene: if is_mentioned {
                Span::mixed_site()
            } else {
                function.sig.ident.span()
            },
            has_windows: false,
        }
    }

    /// Moved by the yield.
    pub(super) fn token(&self, span: Span) -> Ident {
        Ident::new(Self::TOKEN, span.resolved_at(self.hygiene))
    }

    /// Assigned by the yield, and used by every return.
    pub(super) fn proof(&self, span: Span) -> Ident {
        Ident::new(Self::PROOF, span.resolved_at(self.hygiene))
    }

    /// What every `cancellable!` borrows: a second token, which is gone after the yield.
    pub(super) fn window(&self, span: Span) -> Ident {
        if self.has_windows {
            Ident::new(Self::SET_UP, span.resolved_at(self.hygiene))
        } else {
            self.token(span)
        }
    }

    /// Begins the set-up.
    pub(super) fn set_up(&self, span: Span) -> Option<TokenStream> {
        self.has_windows.then(|| {
            let (set_up, yielder) = (self.window(span), yielder());
            let mutable = Token![mut](set_up.span());
            quote_spanned! {Span::mixed_site().located_at(span)=>
                #[allow(unused_mut, unused_assignments, unused_variables)]
                let #mutable #set_up = #yielder.token();
            }
        })
    }

    /// Ends the set-up. The token is made anew before it is moved, so that a second yield does not cause a second error.
    pub(super) fn end_of_set_up(&self, span: Span) -> Option<TokenStream> {
        self.has_windows.then(|| {
            let (set_up, yielder) = (self.window(span), yielder());
            quote_spanned! {Span::mixed_site().located_at(span)=>
                #[allow(unused_assignments)]
                { #set_up = #yielder.token(); let _ended = #set_up; }
            }
        })
    }

    pub(super) fn prove(&self, krate: &Path, span: Span) -> TokenStream {
        let proof = self.proof(span);
        let span = Span::mixed_site().located_at(span);
        let krate = path_at(krate, span);
        quote_spanned! {span=>
            #[allow(unused_assignments)]
            { #proof = #krate::__private::Yielded; }
        }
    }
}

/// The local that holds the yielder, which only generated code can name.
pub(super) fn yielder() -> Ident {
    Ident::new("__guard_yielder", Span::mixed_site())
}

/// A path that ends in `Err(…)` has failed to enter, and need not yield.
pub(super) fn excuse_errors_of_block(block: &mut Block, krate: &Path, proof: &Proof) {
    tails::of_block(block, &mut |tail| excuse_error(tail, krate, proof));
}

/// The same for what a `return` returns.
pub(super) fn excuse_errors_of_value(
    value: TokenStream,
    krate: &Path,
    proof: &Proof,
) -> TokenStream {
    match syn::parse2::<Expr>(value.clone()) {
        Ok(mut value) => {
            tails::of_expr(&mut value, &mut |tail| excuse_error(tail, krate, proof));
            value.into_token_stream()
        }
        Err(_) => value,
    }
}

fn excuse_error(tail: &mut Expr, krate: &Path, proof: &Proof) {
    if matches!(tail, Expr::Call(_) | Expr::MethodCall(_)) && is_err_expr(tail) {
        let prove = proof.prove(krate, tail.span());
        *tail = Expr::Verbatim(quote!({ #prove #tail }));
    }
}
