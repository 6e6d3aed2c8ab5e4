//! Writing a checked context down.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, FnArg, Lifetime, Meta, Pat, PatIdent, Receiver, ReturnType, Token, Type,
    parse_quote, parse_quote_spanned,
};

use super::Definition;
use super::body::ContextBody;
use super::ownership::is_borrowed;
use super::proof::yielder;
use super::receiver::this;
use crate::args::Args;
use crate::diag::{ends, path_at};
use crate::function::Function;
use crate::rewrite::{lend_again, lent_places, mentions};
use crate::types::in_body;

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
///     Owned::owned(&path);
///     guaranteed::<_, _, (), _, _>(move |yielder: Yielder<File, (), io::Error>| async move {
///         let path = path;
///         let the_one_yield = yielder.token();
///         let a_yield_or_err_on_every_path;
///         let out: io::Result<()> = {
///             let mut file = File::open(path).await?;
///             { a_yield_or_err_on_every_path = Yielded; yield_resource!(@lend the_one_yield yielder; file) };
///             file.sync_all().await
///         };
///         return finish(out, a_yield_or_err_on_every_path);
///     }, …)
/// }
/// ```
pub(super) fn expand(definition: &Definition, function: &Function) -> TokenStream {
    let krate = &definition.args.krate;
    let resource = definition.returns.resource(krate);
    let error = definition.returns.error(krate);
    let mut sig = function.sig.clone();
    sig.asyncness = None;
    // A `const` has been reported as an error.
    sig.constness = None;
    let declared = match &sig.output {
        ReturnType::Type(_, declared) => ends(declared).0,
        ReturnType::Default => sig.ident.span(),
    };
    let declared = Span::mixed_site().located_at(declared);
    let output = if definition.args.boxed {
        let lifetime = lifetime_of_box(&mut sig, &definition.args);
        let caught = definition.args.catch.then(|| quote!(, #error));
        // With the type on the heap, what it is besides a context is part of the alias.
        let boxed = if definition.args.local {
            quote_spanned!(declared=> LocalBoxContext)
        } else {
            quote_spanned!(declared=> BoxContext)
        };
        quote_spanned!(declared=> #krate::#boxed<#lifetime, #resource, #error #caught>)
    } else {
        let caught = definition.args.catch.then(|| quote!(#error,));
        let sent = (!definition.args.scoped && !definition.args.local)
            .then(|| quote!(+ #krate::__private::core::marker::Send));
        let owned = (!definition.args.scoped).then(|| quote!(#sent + 'static));
        quote_spanned! {declared=>
            impl #krate::AsyncContext<#caught Resource = #resource, Error = #error> #owned
        }
    };
    sig.output = parse_quote_spanned!(declared=> -> #output);
    if let Some(body) = &function.body {
        let lent = lent_places(body);
        for input in &mut sig.inputs {
            if let FnArg::Typed(typed) = input {
                let is_mutable = matches!(&*typed.ty, Type::Reference(reference) if reference.mutability.is_some());
                if is_mutable {
                    lend_again(&mut typed.pat, &lent);
                }
            }
        }
    }
    let arguments = arguments(
        &mut sig,
        &definition.args,
        definition.returns.written_resource(),
    );
    let body = definition
        .body
        .as_ref()
        .map(|body| expand_body(definition, body, &sig, &arguments, declared));

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
    // After an error a part of the body is left out, which may have used an argument.
    let quiet = definition
        .is_broken
        .then(|| quote!(#[allow(unused_variables, unused_mut)]));
    quote! {
        #quiet
        #(#attrs)*
        #track_caller
        #vis #defaultness #sig #body
    }
}

/// The lifetime of a boxed context: that of what it borrows.
///
/// Where several elided lifetimes are borrowed, they get one name, since `'_` would not say which is meant.
fn lifetime_of_box(sig: &mut syn::Signature, args: &Args) -> TokenStream {
    if !args.scoped {
        return quote!('static);
    }
    let mut borrowed = Elided::default();
    for input in &mut sig.inputs {
        borrowed.visit_fn_arg_mut(input);
    }
    if borrowed.named.is_empty() && borrowed.count == 0 {
        return quote!('static);
    }
    if borrowed.named.is_empty() && borrowed.count == 1 {
        return quote!('_);
    }
    if let ([only], 0) = (&*borrowed.named, borrowed.count) {
        return quote!(#only);
    }
    let context = Lifetime::new("'context", Span::mixed_site());
    let mut naming = Elided {
        name: Some(context.clone()),
        ..Elided::default()
    };
    for input in &mut sig.inputs {
        naming.visit_fn_arg_mut(input);
    }
    sig.generics.params.insert(0, parse_quote!(#context));
    for named in borrowed.named {
        sig.generics
            .make_where_clause()
            .predicates
            .push(parse_quote!(#named: #context));
    }
    quote!(#context)
}

/// The lifetimes in a signature.
#[derive(Default)]
pub(super) struct Elided {
    /// What the elided ones are to be called, if they get a name.
    pub(super) name: Option<Lifetime>,
    pub(super) count: usize,
    named: Vec<Lifetime>,
}

impl Elided {
    fn reference(&mut self, lifetime: &mut Option<Lifetime>) {
        match lifetime {
            Some(lifetime) => self.visit_lifetime_mut(lifetime),
            None => {
                self.count += 1;
                lifetime.clone_from(&self.name);
            }
        }
    }
}

impl VisitMut for Elided {
    fn visit_receiver_mut(&mut self, receiver: &mut Receiver) {
        match &mut receiver.kind {
            syn::ReceiverKind::Reference(_, lifetime, _) => self.reference(lifetime),
            syn::ReceiverKind::Typed(_, ty) => self.visit_type_mut(ty),
            _ => {}
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        self.reference(&mut reference.lifetime);
        self.visit_type_mut(&mut reference.elem);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            self.count += 1;
            if let Some(name) = &self.name {
                *lifetime = name.clone();
            }
        } else if lifetime.ident != "static" && !self.named.contains(lifetime) {
            self.named.push(lifetime.clone());
        }
    }

    // These have lifetimes of their own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }

    fn visit_bound_lifetimes_mut(&mut self, _: &mut syn::BoundLifetimes) {}
}

/// An argument: how the body finds it, and what to ask of it.
struct Argument {
    /// What makes an owned value of it, before the context is made.
    keep: Option<TokenStream>,
    /// What comes first in the body, in the order of the arguments.
    binding: TokenStream,
    /// A reference to what the context owns of it, where its type is.
    reference: TokenStream,
    /// Its attributes: a lint level, or `cfg`.
    attrs: Vec<Attribute>,
    /// Whether what it must be is said by the bounds of a generic parameter.
    is_generic: bool,
    /// Whether it has the type of what is lent, so that what it must be is asked of that already.
    is_like_resource: bool,
}

/// Gives every argument a name in the signature, and its pattern to the body, as an `async fn` does: so
/// arguments are dropped in the same order, whether the body has been started or not.
fn arguments(sig: &mut syn::Signature, args: &Args, resource: Option<&syn::Type>) -> Vec<Argument> {
    let site = Span::mixed_site();
    let resource = resource.map(|resource| resource.to_token_stream().to_string());
    let generics: Vec<Ident> = sig
        .generics
        .type_params()
        .map(|generic| generic.ident.clone())
        .collect();
    let mut arguments = Vec::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        let is_kept = args.owned && is_borrowed(input);
        match input {
            FnArg::Receiver(receiver) => {
                arguments.push(receiver_argument(receiver, is_kept, args));
            }
            FnArg::Typed(typed) => {
                let (start, end) = ends(&typed.ty);
                let start = site.located_at(start);
                let pat = &*typed.pat;
                // The local in the body gets the attributes of the argument: a `cfg` removes both, and a lint level
                // is meant for the local. Only the local can fulfil an `expect`, so the argument gets an `allow`.
                let attrs = core::mem::take(&mut typed.attrs);
                typed.attrs = attrs.iter().map(allowed).collect();
                let (attrs, quiet) = (&attrs, &typed.attrs);
                let lent = is_kept.then(|| quote!(.lent()));
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
                        let keep = is_kept.then(|| quote!(#(#quiet)* let #name = #name;));
                        let binding = quote! {
                            #keep
                            #(#attrs)*
                            #[allow(clippy::no_effect_underscore_binding)]
                            let #mutability #ident = #name #lent;
                        };
                        (name, binding)
                    }
                    _ => {
                        let name = format_ident!("__guard_argument_{index}", span = start);
                        let binding = quote! {
                            #(#quiet)*
                            let #name = #name;
                            #(#attrs)*
                            let #pat = #name #lent;
                        };
                        (name, binding)
                    }
                };
                let mut referred = name.clone();
                referred.set_span(site.located_at(end));
                let keep = is_kept.then(|| {
                    let krate = path_at(&args.krate, start);
                    quote_spanned! {start=>
                        #(#quiet)*
                        let #name = #krate::__private::argument(#referred).keep();
                    }
                });
                let reference = if is_kept {
                    quote_spanned!(start=> #referred.owned())
                } else {
                    quote_spanned!(start=> &#referred)
                };
                *typed.pat = parse_quote!(#name);
                arguments.push(Argument {
                    keep,
                    binding,
                    reference,
                    attrs: quiet.clone(),
                    is_like_resource: resource.as_ref().is_some_and(|resource| {
                        *resource == typed.ty.to_token_stream().to_string()
                    }),
                    is_generic: mentions(&typed.ty.to_token_stream(), &|word| {
                        word == "impl" || generics.iter().any(|generic| generic == word)
                    }),
                });
            }
        }
    }
    arguments
}

fn receiver_argument(receiver: &Receiver, is_kept: bool, args: &Args) -> Argument {
    let span = Span::mixed_site().located_at(receiver.span());
    let attrs = receiver.attrs.clone();
    let self_token = &receiver.self_token;
    if !is_kept {
        return Argument {
            keep: None,
            // Captured whole, and whether it is used or not.
            binding: quote_spanned!(span=> let _ = &#self_token;),
            reference: quote_spanned!(span=> &#self_token),
            attrs,
            is_generic: false,
            is_like_resource: false,
        };
    }
    let this = this(span);
    let krate = path_at(&args.krate, span);
    Argument {
        keep: Some(quote_spanned! {span=>
            let owned_self = #krate::__private::KeepSelf::keep_self(#self_token);
        }),
        binding: quote_spanned! {span=>
            let owned_self = owned_self;
            #[allow(unused_variables)]
            let #this = &owned_self;
        },
        reference: quote_spanned!(span=> &owned_self),
        attrs,
        is_generic: false,
        is_like_resource: false,
    }
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
    body: &ContextBody,
    sig: &syn::Signature,
    arguments: &[Argument],
    declared: Span,
) -> TokenStream {
    let Definition {
        args,
        returns,
        is_broken,
        ..
    } = definition;
    let ContextBody {
        block,
        label,
        proof,
        instrumented,
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

    // Where the resource does not fulfil a bound, rustc reports that for this call and for the return type. Both get the
    // same span, so that rustc shows one error.
    let make = match (args.scoped, args.local) {
        (true, _) => "scoped",
        (false, true) => "local",
        (false, false) => "guaranteed",
    };
    let make = Ident::new(make, declared);
    let from = path_at(named, declared);
    // Of a generic type rustc would report it twice.
    let is_asked =
        |argument: &&Argument| !(args.scoped || (argument.is_generic && argument.is_like_resource));
    let owned = arguments.iter().filter(is_asked).map(|argument| {
        let reference = &argument.reference;
        let span = reference.span();
        let krate = path_at(named, span);
        let owned = match (args.local, argument.is_generic) {
            (true, _) => quote_spanned!(span=> owned_locally),
            (false, true) => quote_spanned!(span=> owned_generic),
            // A method, of which rustc does not say by which bound it is required.
            (false, false) => quote_spanned!(span=> Owned::owned),
        };
        let attrs = &argument.attrs;
        quote_spanned!(span=> #(#attrs)* #krate::__private::#owned(#reference);)
    });
    let keep = arguments
        .iter()
        .filter_map(|argument| argument.keep.as_ref());
    let bindings = arguments.iter().map(|argument| &argument.binding);

    let the_token = proof.token(sig.ident.span());
    let the_proof = proof.proof(sig.ident.span());
    let mutable = Token![mut](the_proof.span());
    // A path that ends without a yield ends at the closing brace.
    let proven = proof.proof(block.brace_token.span.close());
    // After another error, the proof would only repeat it.
    let excused = is_broken.then(|| quote!(= #private::Yielded));
    // The arguments are captured under names of the same hygiene.
    let yielder = yielder();
    let out = Ident::new("out", site);

    let set_up = proof.set_up(sig.ident.span());
    let yielding = quote_spanned! {here=>
                    #[allow(unused_variables)]
                    let #the_token = #yielder.token();
                    #set_up
                    #[allow(unused_mut, unused_assignments, unused_variables)]
                    let #mutable #the_proof #excused;
                    if false {
                        return #private::Returns::<#output>::new().never();
                    }
                    let #out: #output = #label #block;
                    #[allow(unreachable_code)]
                    return #private::finish(#out, #proven);
    };
    let yielding = match instrumented {
        None => yielding,
        Some(around) => around.around(&Group::new(Delimiter::None, yielding)),
    };
    let mut code = Group::new(
        Delimiter::Brace,
        quote_spanned!(here=> #(#bindings)* #yielding),
    );
    // The braces of the user: by them coverage knows whose lines these are.
    code.set_span(block.brace_token.span.join());
    let making = quote_spanned!(declared=> #from::__private::#make);
    let start = quote_spanned!(here=>
        move |#yielder: #private::Yielder<#resource, #caught, #error>| async move #code
    );
    let printer = quote_spanned! {here=> {
        #[allow(unused_imports)]
        use #named::__private::{DescribeDebug as _, DescribeDisplay as _, DescribeError as _};
        (&&&#private::Describe::<#error>::new()).__guard_printer()
    }};
    let context = quote_spanned!(declared=> #making::<_, #error, #caught, _, _>(#start, #printer));
    let context = if args.boxed {
        let boxed = Ident::new(if args.local { "boxed_local" } else { "boxed" }, here);
        quote_spanned!(here=> #krate::AsyncContext::<#caught>::#boxed(#context))
    } else {
        context
    };
    let expanded = quote_spanned!(declared=> #(#keep)* #(#owned)* return #context;);
    // The braces of the user make it the user's function, for lints such as `dead_code`.
    let mut function_body = Group::new(Delimiter::Brace, expanded);
    function_body.set_span(block.brace_token.span.join());
    function_body.into_token_stream()
}
