//! Finding what a guaranteed context borrows.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, FnArg, Lifetime, ParenthesizedGenericArguments, Pat, Receiver, ReceiverKind, Signature,
    Type, TypeFnPtr, TypeParamBound, TypeReference,
};

use crate::rewrite::mentions;
use crate::tokens::is_punct;

/// The arguments that are borrowed although they may not be, one error each.
///
/// With `owned` a reference may be an argument, but not be part of one.
pub(crate) fn borrows(sig: &Signature, owned: bool) -> Vec<Error> {
    sig.inputs
        .iter()
        .filter_map(|input| {
            let argument = ArgumentBorrows::of(input);
            if owned {
                argument.why_not_owned()
            } else {
                argument.why_not_guaranteed()
            }
        })
        .collect()
}

/// The type parameters of which nothing is known, one error each: no guaranteed context can keep a value of such a type.
pub(crate) fn unbounded(sig: &Signature, local: bool) -> Vec<Error> {
    let bound = if local { "'static" } else { "Send + 'static" };
    let clause = sig.generics.where_clause.to_token_stream();
    let inputs = sig.inputs.to_token_stream();
    let output = sig.output.to_token_stream();
    let is_mentioned = |tokens: &TokenStream, name: &Ident| mentions(tokens, &|word| name == word);
    sig.generics
        .type_params()
        .filter(|generic| generic.bounds.iter().all(is_maybe) && !is_mentioned(&clause, &generic.ident))
        .map(|generic| &generic.ident)
        // What only the body mentions need not be kept.
        .filter(|name| is_mentioned(&inputs, name) || is_mentioned(&output, name))
        .map(|name| {
            Error::new_spanned(
                name,
                format!(
                    "`{name}` may be anything, but a guaranteed context owns what it uses: write `{name}: {bound}`, or write \
                     `#[async_context(scoped)]` for a context that is dropped where it stands when its user is cancelled"
                ),
            )
        })
        .collect()
}

/// `?Sized`
fn is_maybe(bound: &TypeParamBound) -> bool {
    let first = bound.to_token_stream().into_iter().next();
    first.is_some_and(|first| is_punct(&first, '?'))
}

/// Whether `owned` makes an owned value of this argument.
pub(crate) fn is_borrowed(input: &FnArg) -> bool {
    match input {
        FnArg::Receiver(receiver) => is_borrowed_receiver(receiver),
        FnArg::Typed(typed) => referred(&typed.ty).is_some(),
    }
}

/// [`is_borrowed`] for `self`.
pub(crate) fn is_borrowed_receiver(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, _) => !is_static(lifetime.as_ref()),
        ReceiverKind::Typed(_, ty) => referred(ty).is_some(),
        _ => false,
    }
}

/// Whether a receiver is `&mut self`.
pub(crate) fn is_lent_receiver(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(.., Some(_)))
}

/// The reference that a type is, unless it is `'static`, which borrows from nobody.
fn referred(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Group(group) => referred(&group.elem),
        Type::Paren(paren) => referred(&paren.elem),
        Type::Reference(reference) => {
            (!is_static(reference.lifetime.as_ref())).then_some(reference)
        }
        _ => None,
    }
}

/// An argument, and the borrows in its type.
struct ArgumentBorrows {
    name: String,
    is_self: bool,
    /// The first borrow in it.
    borrow: Option<TokenStream>,
    /// Whether it is a `&mut`.
    is_mutable: bool,
    /// The first borrow inside what it is a reference to, or inside a type that is no reference.
    inside: Option<TokenStream>,
}

impl ArgumentBorrows {
    fn of(input: &FnArg) -> Self {
        let mut all = Finder::default();
        let mut inside = Finder::default();
        let is_mutable;
        match input {
            FnArg::Receiver(receiver) => {
                all.receiver(receiver);
                match &receiver.kind {
                    ReceiverKind::Reference(_, _, mutability) => is_mutable = mutability.is_some(),
                    ReceiverKind::Typed(_, ty) => is_mutable = inside.inside(ty),
                    _ => is_mutable = false,
                }
            }
            FnArg::Typed(typed) => {
                all.visit_type_mut(&mut (*typed.ty).clone());
                is_mutable = inside.inside(&typed.ty);
            }
        }
        let (name, is_self) = match input {
            FnArg::Receiver(_) => ("`self`".to_owned(), true),
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(pat) => (format!("`{}`", pat.ident), false),
                _ => ("this argument".to_owned(), false),
            },
        };
        Self {
            name,
            is_self,
            borrow: all.found,
            is_mutable,
            inside: inside.found,
        }
    }

    fn why_not_guaranteed(self) -> Option<Error> {
        let Self { name, borrow, .. } = self;
        let by_value = if self.is_self {
            "take `self` or `self: Arc<Self>`"
        } else {
            "take it by value (a `String`, an `Arc`, a clone)"
        };
        let own = if self.is_mutable || self.inside.is_some() {
            by_value.to_owned()
        } else if self.is_self {
            "write `#[async_context(owned)]` for a context that keeps a clone of it".to_owned()
        } else {
            "write `#[async_context(owned)]` for a context that keeps an owned copy of it"
                .to_owned()
        };
        Some(Error::new_spanned(
            borrow?,
            format!(
                "{name} is borrowed, but the clean-up of a guaranteed context may outlive the \
                 borrow: {own}, or write `#[async_context(scoped)]` for a context that is dropped \
                 where it stands when its user is cancelled"
            ),
        ))
    }

    fn why_not_owned(self) -> Option<Error> {
        let Self { name, borrow, .. } = self;
        if self.is_mutable {
            return Some(Error::new_spanned(
                borrow?,
                format!(
                    "{name} is a `&mut`, and `owned` would change a copy: take what can be shared (an \
                     `Arc<Mutex<…>>`), or write `#[async_context(scoped)]` for a context \
                     that is dropped where it stands when its user is cancelled"
                ),
            ));
        }
        Some(Error::new_spanned(
            self.inside?,
            format!(
                "{name} has a reference inside another type, of which `owned` can make no owned value: \
                 take an owned type, or write `#[async_context(scoped)]` for a context \
                     that is dropped where it stands when its user is cancelled"
            ),
        ))
    }
}

#[derive(Default)]
struct Finder {
    found: Option<TokenStream>,
}

impl Finder {
    fn find(&mut self, borrow: impl ToTokens) {
        self.found.get_or_insert(borrow.to_token_stream());
    }

    /// Looks inside a reference, or into a type that is none. Returns whether it is a `&mut`.
    fn inside(&mut self, ty: &Type) -> bool {
        if let Some(reference) = referred(ty) {
            self.visit_type_mut(&mut (*reference.elem).clone());
            reference.mutability.is_some()
        } else {
            self.visit_type_mut(&mut ty.clone());
            false
        }
    }

    fn receiver(&mut self, receiver: &Receiver) {
        match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, _) if !is_static(lifetime.as_ref()) => {
                self.find(receiver);
            }
            ReceiverKind::Typed(_, ty) => self.visit_type_mut(&mut (**ty).clone()),
            _ => {}
        }
    }
}

fn is_static(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

impl VisitMut for Finder {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => {
                visit_mut::visit_type_reference_mut(self, reference);
            }
            _ => self.find(reference),
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            self.find(lifetime);
        }
    }

    // A function pointer holds none of its arguments.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }

    fn visit_bound_lifetimes_mut(&mut self, _: &mut syn::BoundLifetimes) {}
}
