//! The block of a use: everything that leaves it is rewritten.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Block, Expr, Lifetime, Macro, Path, token};

use super::parse::{ContextClause, Handling};
use crate::diag::{ends, path_at};
use crate::rewrite::{Jump, OuterLabels, Position, Rewrite, is_err_expr, walk_block};
use crate::tails;
use crate::tokens::{is_punct, is_word};

/// The block of a use.
pub(super) struct BlockBody {
    krate: Path,
    pub(super) names: Names,
    block: TokenStream,
    /// The braces of the block.
    pub(super) braces: token::Brace,
    /// What becomes of the error of a `?`.
    handling: Handling,
    /// `catch` or `attempt`, where the user wrote one of them.
    keyword: Option<Ident>,
    /// Whether the enclosing function's return type matters.
    may_return: bool,
    /// Whether the label is needed around what runs.
    is_labelled: bool,
    jumps: Vec<Jump>,
}

/// The locals of the expansion, which the block cannot name.
pub(super) struct Names {
    pub(super) value: Ident,
    returns: Ident,
    pub(super) link: Ident,
    jump: Ident,
    leave: Lifetime,
}

impl Names {
    pub(super) fn new() -> Self {
        let site = Span::mixed_site();
        Self {
            value: Ident::new("value", site),
            returns: Ident::new("returns", site),
            link: Ident::new("link", site),
            jump: Ident::new("jump", site),
            leave: Lifetime::new("'the_block_itself", site),
        }
    }
}

impl BlockBody {
    pub(super) fn new(krate: &Path, mut block: Block, first: &ContextClause) -> Self {
        let mut body = Self {
            krate: krate.clone(),
            names: Names::new(),
            block: TokenStream::new(),
            braces: block.brace_token,
            handling: first.handling().clone(),
            keyword: first.keyword().cloned(),
            may_return: false,
            is_labelled: false,
            jumps: Vec::new(),
        };
        if let Handling::Catch = body.handling {
            tails::of_block(&mut block, &mut |tail| ask_kept(krate, tail));
        }
        walk_block(&mut block, &mut body);
        body.block = block.into_token_stream();
        body
    }

    /// The locals that are declared before the use: one for the value of the block, and those for its jumps.
    pub(super) fn declarations(&self) -> TokenStream {
        let krate = &self.krate;
        let Names {
            value,
            returns,
            jump,
            ..
        } = &self.names;
        let none = quote!(#krate::__private::core::option::Option::None);
        let jump = (!self.jumps.is_empty()).then(|| quote!(let mut #jump = 0;));
        let carried = self
            .carriers()
            .map(|(_, carried)| quote!(let mut #carried = #none;));
        let returns = self.may_return.then(|| {
            quote! {
                let #returns = #krate::__private::Returns::new();
                #[allow(clippy::needless_return)]
                if false { return #returns.never(); }
            }
        });
        quote! {
            #[allow(unused_mut)]
            let mut #value = #none;
            #jump
            #(#carried)*
            #returns
        }
    }

    /// Code that never runs, from which rustc infers the output type of the `async` block before the block needs it.
    fn hint(&self) -> TokenStream {
        let krate = &self.krate;
        let core = quote!(#krate::__private::core);
        let never = quote!(#core::convert::Infallible);
        let returns = match &self.handling {
            Handling::Function if self.may_return => self.names.returns.to_token_stream(),
            // Nothing is returned, so any type does.
            Handling::Function => quote!(#krate::__private::Returns::<#never>::new()),
            Handling::Catch => quote! {
                #krate::__private::Returns::<#core::result::Result<#never, _>>::new()
            },
            Handling::Attempt(error) => {
                let error = error.as_ref().map(|error| quote!(::<#error>));
                let keyword = &self.keyword;
                return quote! {
                    #[allow(clippy::needless_return)]
                    if false {
                        use #krate::__private::#keyword;
                        return #keyword #error();
                    }
                };
            }
        };
        quote! {
            #[allow(clippy::needless_return)]
            if false { return #returns.never(); }
        }
    }

    /// The `async` block: it runs the user's and keeps its value.
    pub(super) fn run(&self, bind: impl FnOnce(TokenStream) -> TokenStream) -> TokenStream {
        let krate = &self.krate;
        let Names {
            value, link, leave, ..
        } = &self.names;
        let block = &self.block;
        let out = Ident::new("out", Span::mixed_site());
        let hint = self.hint();
        let label = self.is_labelled.then(|| quote!(#leave:));
        let run = bind(quote! {
            match #block {
                #[allow(unreachable_code)]
                #out => #value = #krate::__private::core::option::Option::Some(#link.leaves_with(#out)),
            }
        });
        quote! {
            #hint
            #label { #run }
            #[allow(unreachable_code)]
            match #link.finish().await {}
        }
    }

    /// Code that returns what the block has returned.
    pub(super) fn returned(&self, returned: &Ident) -> TokenStream {
        if self.may_return {
            quote!(return #returned)
        } else {
            quote!(match #returned {})
        }
    }

    /// Code that makes the jump of the block, after the exit.
    pub(super) fn jump(&self) -> Option<TokenStream> {
        if self.jumps.is_empty() {
            return None;
        }
        let krate = &self.krate;
        let jump = &self.names.jump;
        let arms = self.jumps.iter().zip(1_usize..).map(|(one, index)| {
            let Jump {
                keyword,
                label,
                value,
            } = one;
            let number = Literal::usize_unsuffixed(index);
            let carried = carried(index);
            // Where the value is, so that rustc says there that a loop takes none.
            let value = value.as_ref().map(|value| {
                let end = ends(value).1;
                let site = Span::mixed_site().located_at(end);
                let krate = path_at(krate, site);
                let mut kept = Group::new(Delimiter::Parenthesis, carried.to_token_stream());
                kept.set_span(end);
                quote_spanned!(site=> #krate::__private::carried #kept)
            });
            quote!(#number => #keyword #label #value,)
        });
        Some(quote!(match #jump { #(#arms)* _ => {} }))
    }

    /// The jumps that carry a value, and where.
    fn carriers(&self) -> impl Iterator<Item = (&Jump, Ident)> {
        let numbered = self.jumps.iter().zip(1_usize..);
        numbered
            .filter(|(jump, _)| jump.value.is_some())
            .map(|(jump, index)| (jump, carried(index)))
    }
}

impl Rewrite for BlockBody {
    fn yields(&mut self, call: &Macro, _: Position, _: &OuterLabels) -> Option<TokenStream> {
        let (krate, link) = (&self.krate, &self.names.link);
        // What `#[async_context]` made of the call says whether it catches.
        let catches = call
            .tokens
            .clone()
            .into_iter()
            .take_while(|token| !is_punct(token, ';'))
            .any(|token| is_word(&token, "catch"));
        let told = Ident::new(
            if catches { "told_to_catch" } else { "told" },
            Span::mixed_site(),
        );
        let told = quote!(#link.#told(#call));
        let Some(yielder) = yielder_of(call) else {
            return Some(told);
        };
        // What goes on beside the context of this block is driven by whoever drives the context that yields.
        let at_yield = Ident::new("beside_at_yield", Span::mixed_site());
        let pin = quote!(#krate::__private::core::pin::pin);
        Some(quote! {
            match #link.beside_at_yield() {
                #at_yield => {
                    let #at_yield = #pin!(#at_yield);
                    #at_yield.enter(&#yielder);
                    #told
                }
            }
        })
    }

    fn returns(
        &mut self,
        keyword: Span,
        value: TokenStream,
        position: Position,
    ) -> Option<TokenStream> {
        self.may_return = true;
        let keyword = Ident::new("return", keyword);
        let Names {
            returns,
            link,
            leave,
            ..
        } = &self.names;
        if !matches!(self.handling, Handling::Function) {
            // In the `async` block only a `?` returns.
            return self.jumps(Jump {
                keyword,
                label: None,
                value: (!value.is_empty()).then(|| quote!(#returns.typed(#value))),
            });
        }
        // Nothing but a `Result` or `()` is returned: no `?` leaves with a success, so it need not be marked. It
        // may stand in a closure that a macro makes.
        if value.is_empty() || is_result(&value) {
            return None;
        }
        let returned = quote!(#link.returns(#returns.typed(#value)));
        if position != Position::InMacro {
            return Some(quote!(#keyword #returned));
        }
        // If it stands in such a closure, it does not leave the block, and must not be marked.
        self.is_labelled = true;
        Some(quote! {
            #keyword {
                #[allow(unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop)]
                if false { break #leave loop {}; }
                #returned
            }
        })
    }

    fn may_return(&mut self) {
        self.may_return |= matches!(self.handling, Handling::Function);
    }

    fn jumps(&mut self, jump: Jump) -> Option<TokenStream> {
        let Names {
            jump: slot,
            link,
            leave,
            ..
        } = &self.names;
        let index = self.jumps.len() + 1;
        let number = Literal::usize_unsuffixed(index);
        let keep = jump.value.as_ref().map(|value| {
            let carried = carried(index);
            let krate = &self.krate;
            quote! {
                #carried = #krate::__private::core::option::Option::Some(#link.leaves_with(#value));
            }
        });
        let keyword = Ident::new("break", jump.keyword.span());
        self.jumps.push(jump);
        self.is_labelled = true;
        Some(quote!({ #keep #slot = #number; #keyword #leave }))
    }
}

/// Has rustc warn of a value of a block in `catch(…)` that is written as an `Err`. Other values are not looked at: their type
/// may be inferred from code that follows, and a look at it here would decide it too early.
fn ask_kept(krate: &Path, tail: &mut Expr) {
    if !is_err_expr(tail) {
        return;
    }
    let out = Ident::new("out", Span::mixed_site());
    // The statement has the span of the value, and its hygiene: rustc does not warn of what a macro of another crate writes.
    let (start, end) = ends(&*tail);
    let value = Ident::new("__guard_value", start);
    let mut nothing = Group::new(Delimiter::Parenthesis, TokenStream::new());
    nothing.set_span(end);
    let ask = quote_spanned!(start=> #value.__guard_kept #nothing;);
    *tail = syn::parse_quote! {
        match #tail {
            #out => {
                #[allow(unused_imports)]
                use #krate::__private::KeptAnything as _;
                match #krate::__private::kept(&#out) {
                    #value => { #ask }
                }
                #out
            }
        }
    };
}

/// The yielder, in what `#[async_context]` made of a yield.
fn yielder_of(call: &Macro) -> Option<Ident> {
    let before = call.tokens.clone().into_iter();
    let mut before = before.take_while(|token| !is_punct(token, ';'));
    before.find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "__guard_yielder" => Some(ident),
        _ => None,
    })
}

/// The value that a jump carries out of the block.
fn carried(index: usize) -> Ident {
    format_ident!("carried_{index}", span = Span::mixed_site())
}

/// Whether an expression is written as `Ok(…)` or `Err(…)`.
fn is_result(tokens: &TokenStream) -> bool {
    match syn::parse2::<Expr>(tokens.clone()) {
        Ok(Expr::Call(call)) => match *call.func {
            Expr::Path(path) => {
                let last = path.path.segments.last();
                last.is_some_and(|segment| segment.ident == "Ok" || segment.ident == "Err")
            }
            _ => false,
        },
        _ => false,
    }
}
