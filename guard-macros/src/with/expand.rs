//! Writing the use of a context down.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use super::block::{BlockBody, Names};
use super::contexts::{bind, context_of, fail, own_error};
use super::parse::{AsyncWith, ContextClause, Handling};
use super::tie::tie_of;
use crate::diag::path_at;

/// Input:
///
/// ```text
/// async_with!(file = open(path)?, { file.write(b"x").await?; })
/// ```
///
/// Output:
///
/// ```text
/// {
///     use Probe…;
///     let mut value = None;
///     let returns = Returns::new();
///     if false { return returns.never(); }
///     let next = match context(open(path)) { // temporaries of the expression live until the exit
///         used => {
///             let used = pin!(DroppedByUse::new(used)); // at once, so that it is written where it stands
///             let file = Tie::new(); // see `tie_of`
///             let (used, link) = tied(used, &file);
///             let block = pin!(DroppedByUse::new(async {
///                 if false { return returns.never(); }
///                 {
///                     let file = link.resource();
///                     let out = { file.write(b"x").await?; };
///                     value = Some(link.leaves_with(out));
///                 }
///                 match link.finish().await {}
///             }));
///             in_function(used, block, &link).await
///         }
///     };
///     match next {
///         Next::Finished => {}
///         Next::Returned(returned) => return returned,
///         Next::Failed(error) => {
///             return how_failed(&error).failed(error, returns); // `Err(error.into())`
///         }
///     }
///     carried(value)
/// }
/// ```
///
/// With `catch(…)` or `attempt(…)` the output of the `async` block is the error of a `?`, and a `return` is a jump
/// as a `break` is.
pub(crate) fn expand(krate: &Path, with: AsyncWith) -> TokenStream {
    let inside = with.inside.clone();
    let at = with.block.brace_token.span.join();
    let (first, rest) = with.split_first(Names::new().link);
    let block = match rest {
        // Several contexts are nested uses of one.
        Ok(rest) => syn::parse_quote!({ #krate::async_with! { #rest } }),
        Err(block) => block,
    };
    expand_clause(
        krate,
        &first,
        &BlockBody::new(krate, block, &first),
        inside.as_ref(),
        at,
    )
}

/// [`expand`] for a block that is the body of a function and ends with a `return`.
pub(crate) fn expand_function(krate: &Path, with: AsyncWith) -> TokenStream {
    let out = Ident::new("out", Span::mixed_site());
    let result = match with.clauses.first() {
        Some(ContextClause::Handled {
            keyword, handling, ..
        }) => {
            // rustc shows a wrong return type at the keyword.
            let at = Span::mixed_site().located_at(keyword.span());
            let krate = path_at(krate, at);
            match handling {
                // Only an error leads here: the body itself returns.
                Handling::Attempt(_) => quote_spanned!(at=> #krate::__private::attempted(#out)),
                // Only a swallowed error leads here.
                _ => quote_spanned!(at=> #krate::__private::swallowed(#out)),
            }
        }
        _ => quote!(#out),
    };
    let with = expand(krate, with);
    quote! {
        let #out = #with;
        #result
    }
}

fn expand_clause(
    krate: &Path,
    first: &ContextClause,
    body: &BlockBody,
    inside: Option<&Ident>,
    at: Span,
) -> TokenStream {
    let [used, block, error, next, returned] = ["used", "block", "error", "next", "returned"]
        .map(|name| Ident::new(name, Span::mixed_site()));
    let private = quote!(#krate::__private);
    let core = quote!(#private::core);

    let value = &body.names.value;
    let link = &body.names.link;
    let declarations = body.declarations();
    let tie = tie_of(first);
    let tied = match inside {
        None => quote!(tied(#used, &#tie)),
        // What goes on beside the former context of the call may end this use.
        Some(outer) => quote!(tied_inside(#used, &#tie, &#outer)),
    };
    let context = context_of(&private, first.parts(), first.handling());
    let run = body.run(|run| bind(first.parts(), &quote!(#link.resource()), run));
    // The braces of the user's block, so that coverage counts its lines.
    let mut braces = Group::new(Delimiter::Brace, run);
    braces.set_span(body.braces.span.join());
    // At the block of the user: rustc names the type of an `async` block by the place of this word.
    let keyword = Ident::new("async", Span::mixed_site().located_at(at));
    let jump = body.jump();
    // Bound, so that rustc says of a value of the wrong type what it is, and not what it is carried in; and shows the block.
    let out = Ident::new("out", Span::mixed_site());
    let shown = Ident::new(
        "out",
        Span::mixed_site().located_at(body.braces.span.join()),
    );
    let carried = quote!({
        // A block that always jumps has a value of the type `!`.
        #[allow(unreachable_code, clippy::diverging_sub_expression)]
        let #out = #private::carried(#value);
        #shown
    });
    let (drive, end) = match first.handling() {
        Handling::Function => {
            let return_it = body.returned(&returned);
            let fail = fail(&private, first.parts(), &error);
            let end = quote! {
                match #next {
                    #private::Next::Finished => {}
                    #private::Next::Returned(#returned) => #return_it,
                    #private::Next::Failed(#error) => #fail,
                }
                #jump
                #carried
            };
            (quote!(in_function), end)
        }
        Handling::Catch => {
            let fail = fail(&private, first.parts(), &error);
            let end = quote! {
                match #next {
                    #private::Next::Finished => {
                        #jump
                        #core::option::Option::Some(#carried)
                    }
                    #private::Next::Returned(()) => #core::option::Option::None,
                    #private::Next::Failed(#error) => #fail,
                }
            };
            (quote!(catching), end)
        }
        Handling::Attempt(_) => {
            let own = own_error(&private, first.parts(), &error);
            let end = quote! {
                match #next {
                    #private::Next::Finished => {
                        #jump
                        #core::result::Result::Ok(#carried)
                    }
                    #private::Next::Returned(#error) => #core::result::Result::Err(#error),
                    #private::Next::Failed(#error) => #own,
                }
            };
            (quote!(attempting), end)
        }
    };

    quote! {{
        #[allow(unused_imports)]
        use #private::{
            ProbeAnything as _, ProbeAwaited as _, ProbeCatches as _, ProbeFallible as _, ProbeFuture as _,
            ProbeResult as _, ProbeSafe as _, MayHaveFailed as _,
        };
        #declarations
        let #next = match #context {
            #used => {
                let #used = #core::pin::pin!(#private::DroppedByUse::new(#used));
                let #tie = #private::Tie::new();
                let (#used, #link) = #private::#tied;
                let #block = #core::pin::pin!(#private::DroppedByUse::new(#keyword #braces));
                let #next = #private::#drive(#used, #block, &#link).await;
                #next
            }
        };
        #end
    }}
}
