//! A `break` or `continue` in the arguments of a macro that the crate does not know.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Lifetime, Macro, Token};

use super::walker::Walker;
use super::{Jump, Rewrite};

impl<R: Rewrite> Walker<'_, R> {
    /// Puts the call of an unknown macro, in whose arguments there are jumps, into a loop that is added here.
    ///
    /// The arguments stay as they are. If the macro brings a loop, the jumps mean that loop. If not, they mean the loop that
    /// is added, and from there the jump out of the block is made.
    pub(super) fn keep_jumps(
        &mut self,
        call: &Macro,
        jumps: &[Jump],
        is_statement: bool,
    ) -> Option<TokenStream> {
        let mut labels: Vec<Option<Lifetime>> = Vec::new();
        for jump in jumps {
            if !labels.contains(&jump.label) {
                labels.push(jump.label.clone());
            }
        }
        // A jump without a label goes to the innermost loop.
        labels.sort_by_key(Option::is_some);
        let mut code = call.to_token_stream();
        if is_statement {
            code = quote!({ #code });
        }
        let mut found = false;
        for (level, label) in labels.into_iter().enumerate() {
            let here = || jumps.iter().filter(|jump| jump.label == label);
            let mut jump = |keyword: &str, value: Option<TokenStream>| {
                let span = here().find(|jump| jump.keyword == keyword)?.keyword.span();
                self.rewrite.jumps(Jump {
                    keyword: Ident::new(keyword, span),
                    label: label.clone(),
                    value,
                })
            };
            let with_value = here().find_map(|jump| jump.value.as_ref());
            let value = Ident::new("broken", Span::mixed_site());
            let breaks = jump("break", with_value.map(|_| quote!(#value)));
            let continues = jump("continue", None);
            if breaks.is_none() && continues.is_none() {
                continue;
            }
            found = true;
            code = in_a_loop(level, label.as_ref(), &code, &value, breaks, continues);
        }
        found.then_some(code)
    }
}

/// `code` in a loop or in a labelled block. After it a `break` does what `breaks` says, a `continue` what `continues`
/// says.
fn in_a_loop(
    level: usize,
    label: Option<&Lifetime>,
    code: &TokenStream,
    value: &Ident,
    breaks: Option<TokenStream>,
    continues: Option<TokenStream>,
) -> TokenStream {
    let site = Span::mixed_site();
    let done = Lifetime::new(&format!("'done_{level}"), site);
    let again = Ident::new("again", site);
    let colon = label.map(|_| Token![:](site));
    // A block, not a loop: only a jump with this label can mean it.
    if label.is_some() && continues.is_none() {
        return quote!(#done: {
            #[allow(clippy::let_unit_value, unreachable_code, unused_labels, unused_variables)]
            let #value = #label #colon { break #done #code };
            #[allow(unreachable_code)]
            { #breaks }
        });
    }
    // If the definition of the macro adds a `break` or `continue` that the arguments do not have, the loop here must not
    // catch it. So a `continue` moves a value twice, and a `break` has the wrong type: the program does not compile.
    let (declare, guard) = match continues {
        Some(continues) => (
            quote!(let mut #again = false;),
            quote! {
                if #again {
                    #continues
                }
                #again = true;
            },
        ),
        None => (
            quote! {
                struct Once;
                let #again = Once;
            },
            quote!(#[allow(clippy::drop_non_drop)] ::core::mem::drop(#again);),
        ),
    };
    let leave = breaks.unwrap_or_else(|| {
        quote! {
            let #value: ::core::convert::Infallible = #value;
            match #value {}
        }
    });
    quote!(#done: {
        #declare
        #[allow(
            clippy::never_loop, clippy::let_unit_value, unreachable_code, unused_labels, unused_variables
        )]
        let #value = #label #colon loop {
            #guard
            break #done #code
        };
        #[allow(unreachable_code)]
        { #leave }
    })
}
