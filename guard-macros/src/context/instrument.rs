//! `#[tracing::instrument]` on a context, above or below `#[async_context]`.
//!
//! Of the two attributes `#[instrument]` has to be expanded first: what it instruments is an `async fn`. It puts the body
//! into an `async` block, which it then awaits in its span. The yield goes into that block, with all that belongs to it,
//! so that the set-up and the clean-up are in the span.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, ExprAsync, Stmt};

use crate::args::Args;
use crate::diag::Errors;
use crate::function::Function;
use crate::rewrite::mentions;

/// The name of a local that only `#[instrument]` writes: it returns it in code that never runs, so that rustc knows the
/// type of the block.
const FAKE_RETURN: &str = "__tracing_attr_fake_return";

/// The name that stands where the body was, until the body is put back.
const BODY: &str = "__guard_body";

/// The function with `#[async_context]` below the `#[instrument]` that now is below it, if there is one.
pub(super) fn below(args: &TokenStream, function: &Function) -> Option<TokenStream> {
    function.sig.asyncness?;
    let is_instrument = |attr: &Attribute| {
        let last = attr.path().segments.last();
        last.is_some_and(|last| last.ident == "instrument")
    };
    let index = function.attrs.iter().rposition(is_instrument)?;
    let (above, below) = function.attrs.split_at(index + 1);
    // Errors in the arguments are reported when the macro runs the second time.
    let krate = Args::parse(args.clone(), &mut Errors::default()).krate;
    let Function {
        vis,
        defaultness,
        sig,
        body,
        ..
    } = function;
    let body = body.as_ref()?;
    Some(quote! {
        #(#above)*
        #[#krate::async_context(#args)]
        #(#below)*
        #vis #defaultness #sig #body
    })
}

/// The code that `#[instrument]` has put around a body.
pub(crate) struct Instrumented(Block);

impl Instrumented {
    /// Takes this code off a block, and leaves the body.
    pub(super) fn take(block: &mut Block) -> Option<Self> {
        let mut finding = Finding { body: None };
        finding.visit_block_mut(block);
        let body = finding.body?;
        Some(Self(core::mem::replace(block, body)))
    }

    /// Puts this code around the rewritten body.
    pub(super) fn around(&self, body: &Group) -> TokenStream {
        let mut tokens = TokenStream::new();
        for stmt in &self.0.stmts {
            stmt.to_tokens(&mut tokens);
        }
        put(tokens, body)
    }
}

/// Whether `#[instrument]`, or an attribute that works in the same way, has put the body into an `async` block.
pub(super) fn is_around(block: &Block) -> bool {
    mentions(&block.to_token_stream(), &|word| {
        word == "__tracing_instrument_future"
    })
}

fn put(tokens: TokenStream, body: &Group) -> TokenStream {
    let put_one = |token| match token {
        TokenTree::Ident(ident) if ident == BODY => body.stream(),
        TokenTree::Group(group) => {
            let mut with = Group::new(group.delimiter(), put(group.stream(), body));
            with.set_span(group.span());
            TokenTree::Group(with).into()
        }
        other => other.into(),
    };
    tokens.into_iter().map(put_one).collect::<TokenStream>()
}

struct Finding {
    body: Option<Block>,
}

impl VisitMut for Finding {
    fn visit_expr_async_mut(&mut self, code: &mut ExprAsync) {
        match &mut *code.block.stmts {
            [
                Stmt::Expr(Expr::If(fake), _),
                Stmt::Expr(Expr::Block(body), None),
            ] if self.body.is_none() && is_fake_return(fake) => {
                self.body = Some(body.block.clone());
                let place = Ident::new(BODY, Span::mixed_site());
                code.block.stmts = vec![Stmt::Expr(Expr::Verbatim(quote!(#place)), None)];
            }
            _ => visit_mut::visit_expr_async_mut(self, code),
        }
    }
}

fn is_fake_return(code: &syn::ExprIf) -> bool {
    mentions(&code.then_branch.to_token_stream(), &|word| {
        word == FAKE_RETURN
    })
}
