//! Writing the use of a context down.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Path;

use super::block::Body;
use super::contexts::{bind, context_of, fail};
use super::held::Held;
use super::parse::{AsyncWith, Use};

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
///     let mut value = None;
///     let returns = Returns::new();
///     if false { return returns.never(); }
///     let left = {
///         let order = Order::new();
///         let mut file = pin!(context(open(path))); // see `Held`
///         match enter(file.as_mut()).await {
///             Err(error) => Left::Failed(error),
///             Ok(()) => {
///                 let signal = Signal::new();
///                 let resource = resource(file.as_mut());
///                 let ended = drive(&order, &signal, async {
///                     if false { return returns.never(); }
///                     { let file = resource; let out = { file.write(b"x").await?; }; value = Some(out); }
///                     match signal.finish().await {}
///                 }).await;
///                 leave(file, ended).await
///             }
///         }
///     };
///     match left {
///         Left::Finished => {}
///         Left::Returned(returned) => return returned,
///         Left::Failed(error) => { let failed = Err::<Infallible, _>(error); match failed? {} }
///     }
///     value.expect("…")
/// }
/// ```
pub(crate) fn expand(krate: &Path, with: AsyncWith) -> TokenStream {
    let (first, rest) = with.split_first();
    let block = match rest {
        // Several contexts are nested uses of one.
        Ok(rest) => syn::parse_quote!({ #krate::async_with! { #rest } }),
        Err(block) => block,
    };
    expand_use(krate, &first, &Body::new(krate, block))
}

fn expand_use(krate: &Path, first: &Use, body: &Body) -> TokenStream {
    let [order, resource, error, ended, left, returned] =
        ["order", "resource", "error", "ended", "left", "returned"]
            .map(|name| Ident::new(name, Span::mixed_site()));
    let private = quote!(#krate::__private);
    let core = quote!(#private::core);

    let value = &body.names.value;
    let signal = &body.names.signal;
    let declarations = body.declarations();
    let held = Held::new(first);
    let context = &held.name;
    let hold = held.hold(&private, &context_of(&private, first.parts()));
    let at_the_end = held.at(body.end);
    let hint = body.hint();
    let run = body.run(|block| bind(first.parts(), &resource, block));
    let look_again = body.look_again(&ended);
    let return_it = body.returned(&returned);
    let fail = fail(&private, first.parts(), &error);
    let jump = body.jump();

    quote! {{
        #declarations
        let #left = {
            let #order = #private::Order::new();
            #hold
            let #left = match #private::enter(#context.as_mut()).await {
                #core::result::Result::Err(#error) => #private::Left::Failed(#error),
                #core::result::Result::Ok(()) => {
                    let #signal = #private::Signal::new();
                    let #resource = #private::resource(#context.as_mut());
                    let #ended = #private::drive(&#order, &#signal, async {
                        #hint
                        #run
                        #[allow(unreachable_code)]
                        match #signal.finish().await {}
                    })
                    .await;
                    #look_again
                    #private::leave(#at_the_end, #ended).await
                }
            };
            #left
        };
        match #left {
            #private::Left::Finished => {}
            #private::Left::Returned(#returned) => #return_it,
            #private::Left::Failed(#error) => #fail,
        }
        #jump
        #private::carried(#value)
    }}
}
