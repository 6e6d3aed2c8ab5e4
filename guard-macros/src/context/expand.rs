//! Writing a checked context down.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, Meta, Pat, PatIdent, ReturnType, Token, parse_quote, parse_quote_spanned,
};

use super::Definition;
use super::body::{Body, anchor};
use crate::diag::{ends, path_at};
use crate::function::Function;
use crate::types::in_body;
use crate::walk::mentions;

/// Input:
///
/// ```text
/// #[async_context]
/// async fn open(path: PathBuf) -> io::Result<File> {
///     let mut file = File::open(path).await?;
///     yield_resource!(file);
///     file.sync_all().await
/// }
/// ```
///
/// Output:
///
/// ```text
/// fn open(path: PathBuf) -> impl AsyncContext<Resource = File, Error = …> + Send + 'static {
///     owned(&path);
///     guaranteed::<File, _, (), _, _>(move |anchor| async move {
///         let path = path;
///         let the_one_yield = anchor.handle();
///         let a_yield_on_every_path;
///         let out: io::Result<()> = {
///             let mut file = File::open(path).await?;
///             { a_yield_on_every_path = Yielded; yield_resource!(@lend the_one_yield anchor; file) };
///             file.sync_all().await
///         };
///         return finish(out, a_yield_on_every_path);
///     }, …)
/// }
/// ```
pub(super) fn expand(definition: &Definition, function: &Function) -> TokenStream {
    let krate = &definition.args.krate;
    let resource = definition.returns.resource(krate);
    let error = definition.returns.error(krate);
    let caught = definition.args.catch.then(|| quote!(#error,));
    let owned = (!definition.args.scoped)
        .then(|| quote!(+ #krate::__private::core::marker::Send + 'static));

    let mut sig = function.sig.clone();
    sig.asyncness = None;
    // An error about it has been told.
    sig.constness = None;
    let declared = match &sig.output {
        ReturnType::Type(_, declared) => ends(declared).0,
        ReturnType::Default => sig.ident.span(),
    };
    let declared = Span::mixed_site().located_at(declared);
    sig.output = parse_quote_spanned! {declared=>
        -> impl #krate::AsyncContext<#caught Resource = #resource, Error = #error> #owned
    };
    let arguments = arguments(&mut sig);
    let body = definition
        .body
        .as_ref()
        .map(|body| expand_body(definition, body, &sig, &arguments));

    let Function {
        attrs,
        vis,
        defaultness,
        ..
    } = function;
    let is_tracked = attrs
        .iter()
        .any(|attr| attr.path().is_ident("track_caller"));
    // Only functions with Rust's own ABI can be tracked.
    let is_foreign = sig.abi.is_some();
    let track_caller = (!is_tracked && !is_foreign).then(|| quote!(#[track_caller]));
    let body = body.unwrap_or_else(|| quote!(;));
    quote! {
        #(#attrs)*
        #track_caller
        #vis #defaultness #sig #body
    }
}

/// An argument: how the body finds it, and what to ask of it.
struct Argument {
    /// What comes first in the body, in the order of the arguments.
    binding: TokenStream,
    /// A reference to it, where its type is.
    reference: TokenStream,
    /// Its attributes: a lint level, or `cfg`.
    attrs: Vec<Attribute>,
    /// Whether what it must be is said by the bounds of a generic parameter.
    is_generic: bool,
}

/// Gives every argument a name in the signature, and its pattern to the body, as an `async fn` does: so
/// arguments are dropped in the same order, whether the body has been started or not.
fn arguments(sig: &mut syn::Signature) -> Vec<Argument> {
    let site = Span::mixed_site();
    let generics: Vec<Ident> = sig
        .generics
        .type_params()
        .map(|generic| generic.ident.clone())
        .collect();
    let mut arguments = Vec::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(receiver) => {
                let this = &receiver.self_token;
                let span = site.located_at(receiver.span());
                arguments.push(Argument {
                    // Captured whole, and whether it is used or not.
                    binding: quote_spanned!(span=> let _ = &#this;),
                    reference: quote_spanned!(span=> &#this),
                    attrs: receiver.attrs.clone(),
                    is_generic: false,
                });
            }
            FnArg::Typed(typed) => {
                let (start, end) = ends(&typed.ty);
                let start = site.located_at(start);
                let pat = &*typed.pat;
                // What is configured away is so in the body too, and a lint is about the local now: what is
                // expected there is not expected of the argument.
                let attrs = core::mem::take(&mut typed.attrs);
                typed.attrs = attrs.iter().map(allowed).collect();
                let (attrs, quiet) = (&attrs, &typed.attrs);
                // In the signature the name is for the documentation; with a hygiene of its own, it is
                // not what the body sees.
                let (name, binding) = match pat {
                    Pat::Ident(PatIdent {
                        by_ref: None,
                        ident,
                        subpat: None,
                        mutability,
                        ..
                    }) => {
                        let mut name = ident.clone();
                        name.set_span(site.located_at(ident.span()));
                        let binding = quote! {
                            #(#attrs)*
                            #[allow(clippy::no_effect_underscore_binding)]
                            let #mutability #ident = #name;
                        };
                        (name, binding)
                    }
                    _ => {
                        let name = format_ident!("__guard_argument_{index}", span = start);
                        let binding = quote! {
                            #(#quiet)*
                            let #name = #name;
                            #(#attrs)*
                            let #pat = #name;
                        };
                        (name, binding)
                    }
                };
                let mut referred = name.clone();
                referred.set_span(site.located_at(end));
                *typed.pat = parse_quote!(#name);
                arguments.push(Argument {
                    binding,
                    reference: quote_spanned!(start=> &#referred),
                    attrs: quiet.clone(),
                    is_generic: mentions(&typed.ty.to_token_stream(), &|word| {
                        word == "impl" || generics.iter().any(|generic| generic == word)
                    }),
                });
            }
        }
    }
    arguments
}

/// The attribute, with `expect` made an `allow`.
fn allowed(attr: &Attribute) -> Attribute {
    let mut attr = attr.clone();
    if let Meta::List(list) = &mut attr.meta {
        if let Some(expect) = list.path.get_ident().filter(|name| *name == "expect") {
            list.path = Ident::new("allow", expect.span()).into();
        }
    }
    attr
}

fn expand_body(
    definition: &Definition,
    body: &Body,
    sig: &syn::Signature,
    arguments: &[Argument],
) -> TokenStream {
    let Definition {
        args,
        returns,
        is_broken,
        ..
    } = definition;
    let Body {
        block,
        label,
        proof,
    } = body;
    let label = label.as_ref().map(|label| quote!(#label:));
    let site = Span::mixed_site();
    let here = site.located_at(sig.ident.span());
    // An import is looked up first, so a wrong `crate = path` is complained about where it is written.
    let named = &args.krate;
    let krate = path_at(named, here);
    let private = quote_spanned!(here=> #krate::__private);

    let resource = in_body(returns.resource(named));
    let error = in_body(returns.error(named));
    let output = in_body(returns.output());
    let caught = in_body(returns.caught(args));

    let make = Ident::new(if args.scoped { "scoped" } else { "guaranteed" }, here);
    let owned = arguments.iter().filter(|_| !args.scoped).map(|argument| {
        let reference = &argument.reference;
        let span = reference.span();
        let krate = path_at(named, span);
        let owned = Ident::new(
            if argument.is_generic {
                "owned_generic"
            } else {
                "owned"
            },
            span,
        );
        let attrs = &argument.attrs;
        quote_spanned!(span=> #(#attrs)* #krate::__private::#owned(#reference);)
    });
    let bindings = arguments.iter().map(|argument| &argument.binding);

    let the_handle = proof.handle(sig.ident.span());
    let the_proof = proof.proof(sig.ident.span());
    let mutable = Token![mut](the_proof.span());
    // A path that ends without a yield ends at the closing brace.
    let proven = proof.proof(block.brace_token.span.close());
    // After an error has been told, the proof would only repeat it.
    let excused = is_broken.then(|| quote!(= #private::Yielded));
    // The arguments are captured under names of the same hygiene.
    let anchor = anchor();
    let out = Ident::new("out", site);

    let mut code = Group::new(
        Delimiter::Brace,
        quote_spanned! {here=>
                    #(#bindings)*
                    #[allow(unused_variables)]
                    let #the_handle = #anchor.handle();
                    #[allow(unused_mut, unused_assignments, unused_variables)]
                    let #mutable #the_proof #excused;
                    if false {
                        return #private::Returns::<#output>::new().never();
                    }
                    let #out: #output = #label #block;
                    #[allow(unreachable_code)]
                    return #private::finish(#out, #proven);
        },
    );
    // The braces of the user: by them coverage knows whose lines these are.
    code.set_span(block.brace_token.span.join());
    let expanded = quote_spanned! {here=>
            #(#owned)*
            return #private::#make::<#resource, #error, #caught, _, _>(
                move |#anchor: #private::Anchor<#resource, #caught>| async move #code,
                {
                    #[allow(unused_imports)]
                    use #named::__private::{DescribeDebug as _, DescribeDisplay as _, DescribeError as _};
                    (&&&#private::Describe::<#error>::new()).__guard_printer()
                },
            );
    };
    // The braces of the user make it the user's function, for lints such as `dead_code`.
    let mut function_body = Group::new(Delimiter::Brace, expanded);
    function_body.set_span(block.brace_token.span.join());
    function_body.into_token_stream()
}
