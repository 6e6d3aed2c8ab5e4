//! The block of a use: everything that leaves it is rewritten.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Block, Lifetime, Macro, Path};

use crate::walk::{Around, Jump, Place, Rewrite, is_err, walk_block};

/// The block of a use.
pub(super) struct Body {
    krate: Path,
    pub(super) names: Names,
    block: TokenStream,
    /// Where the block ends.
    pub(super) end: Span,
    /// Whether the enclosing function's return type matters.
    may_return: bool,
    /// Whether it may return a success, which an exit on the way may turn into a failure.
    may_succeed: bool,
    jumps: Vec<Jump>,
}

/// The locals of the expansion, which the block cannot name.
pub(super) struct Names {
    pub(super) value: Ident,
    returns: Ident,
    pub(super) signal: Ident,
    jump: Ident,
    leave: Lifetime,
}

impl Names {
    fn new() -> Self {
        let site = Span::mixed_site();
        Self {
            value: Ident::new("value", site),
            returns: Ident::new("returns", site),
            signal: Ident::new("signal", site),
            jump: Ident::new("jump", site),
            leave: Lifetime::new("'leave", site),
        }
    }
}

impl Body {
    pub(super) fn new(krate: &Path, mut block: Block) -> Self {
        let mut body = Self {
            krate: krate.clone(),
            names: Names::new(),
            block: TokenStream::new(),
            end: block.brace_token.span.close(),
            may_return: false,
            may_succeed: false,
            jumps: Vec::new(),
        };
        walk_block(&mut block, &mut body);
        body.block = block.into_token_stream();
        body
    }

    /// What is declared before the use: where the block leaves its value, and how it jumped.
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
            let hint = self.hint();
            quote! {
                let #returns = #krate::__private::Returns::new();
                #hint
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

    /// Tells the type of what is returned, before the block needs it.
    pub(super) fn hint(&self) -> TokenStream {
        let krate = &self.krate;
        let returns = if self.may_return {
            let returns = &self.names.returns;
            quote!(#returns)
        } else {
            // It matters only that there is one.
            quote!(#krate::__private::Returns::<#krate::__private::core::convert::Infallible>::new())
        };
        quote! {
            #[allow(clippy::needless_return)]
            if false { return #returns.never(); }
        }
    }

    /// Runs the block and keeps its value.
    pub(super) fn run(&self, bind: impl FnOnce(TokenStream) -> TokenStream) -> TokenStream {
        let krate = &self.krate;
        let Names { value, leave, .. } = &self.names;
        let block = &self.block;
        let out = Ident::new("out", Span::mixed_site());
        let label = (!self.jumps.is_empty()).then(|| quote!(#leave:));
        let run = bind(quote! {
            match #block {
                #[allow(unreachable_code)]
                #out => #value = #krate::__private::core::option::Option::Some(#out),
            }
        });
        quote!(#label { #run })
    }

    /// Looks once more at how the block ended, if an inner use can have changed it.
    pub(super) fn look_again(&self, ended: &Ident) -> Option<TokenStream> {
        let krate = &self.krate;
        let returned = Ident::new("returned", Span::mixed_site());
        self.may_succeed.then(|| {
            quote! {
                let #ended = #ended.unless(|#returned| {
                    #[allow(unused_imports)]
                    use #krate::__private::Success as _;
                    #krate::__private::Returned(#returned).__guard_is_failure()
                });
            }
        })
    }

    /// What to do with what the block returned.
    pub(super) fn returned(&self, returned: &Ident) -> TokenStream {
        if self.may_return {
            quote!(return #returned)
        } else {
            quote!(match #returned {})
        }
    }

    /// Does after the exit what the block wanted to do.
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
            let value = value
                .as_ref()
                .map(|_| quote!(#krate::__private::carried(#carried)));
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

impl Rewrite for Body {
    fn yields(&mut self, call: &Macro, _: Place, _: &Around) -> Option<TokenStream> {
        let signal = &self.names.signal;
        // What `#[async_context]` made of the call says whether it catches.
        let catches = call
            .tokens
            .clone()
            .into_iter()
            .take_while(|token| token.to_string() != ";")
            .any(|token| token.to_string() == "catch");
        let told = Ident::new(
            if catches { "told_to_catch" } else { "told" },
            Span::mixed_site(),
        );
        Some(quote!(#signal.#told(#call)))
    }

    fn returns(&mut self, keyword: Span, value: TokenStream, _: Place) -> Option<TokenStream> {
        self.may_return = true;
        // An error is what a body fails with unless it says otherwise.
        if is_err(&value) {
            return None;
        }
        let krate = &self.krate;
        let Names {
            returns, signal, ..
        } = &self.names;
        let returned = Ident::new("returned", Span::mixed_site());
        let keyword = Ident::new("return", keyword);
        if value.is_empty() {
            return Some(quote!({ #signal.returned(); #keyword }));
        }
        self.may_succeed = true;
        Some(quote! {
            #keyword {
                let #returned = #returns.typed(#value);
                {
                    #[allow(unused_imports)]
                    use #krate::__private::Success as _;
                    if !#krate::__private::Returned(&#returned).__guard_is_failure() {
                        #signal.returned();
                    }
                }
                #returned
            }
        })
    }

    fn may_return(&mut self) {
        self.may_return = true;
    }

    fn jumps(&mut self, jump: Jump) -> Option<TokenStream> {
        let Names {
            jump: slot, leave, ..
        } = &self.names;
        let index = self.jumps.len() + 1;
        let number = Literal::usize_unsuffixed(index);
        let keep = jump.value.as_ref().map(|value| {
            let carried = carried(index);
            let krate = &self.krate;
            quote!(#carried = #krate::__private::core::option::Option::Some(#value);)
        });
        let keyword = Ident::new("break", jump.keyword.span());
        self.jumps.push(jump);
        Some(quote!({ #slot = #number; #keep #keyword #leave }))
    }
}

/// The value that a `break` carries out of the block.
fn carried(index: usize) -> Ident {
    format_ident!("carried_{index}", span = Span::mixed_site())
}
