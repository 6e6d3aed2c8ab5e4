//! Finding what a guaranteed context borrows.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, FnArg, Lifetime, ParenthesizedGenericArguments, Receiver, ReceiverKind, Signature,
    TypeFnPtr, TypeReference,
};

/// The borrowed arguments, one error each.
pub(crate) fn borrows(sig: &Signature) -> Vec<Error> {
    sig.inputs
        .iter()
        .filter_map(|input| {
            let mut finder = Finder::default();
            match input {
                FnArg::Receiver(receiver) => finder.receiver(receiver),
                FnArg::Typed(typed) => finder.visit_type_mut(&mut (*typed.ty).clone()),
            }
            finder.found
        })
        .map(|(span, what)| {
            Error::new(
                span,
                format!(
                    "{what} is borrowed, but the clean-up of a guaranteed context may outlive it: \
                     either own it (take a `String`, an `Arc`, a clone), \
                     or write `#[async_context(scoped)]` for a context that is only dropped \
                     when its user is cancelled"
                ),
            )
        })
        .collect()
}

#[derive(Default)]
struct Finder {
    found: Option<(Span, &'static str)>,
}

impl Finder {
    fn find(&mut self, span: Span, what: &'static str) {
        self.found.get_or_insert((span, what));
    }

    fn receiver(&mut self, receiver: &Receiver) {
        match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, _) => {
                if lifetime
                    .as_ref()
                    .is_none_or(|lifetime| lifetime.ident != "static")
                {
                    self.find(receiver.span(), "`self`");
                }
            }
            ReceiverKind::Typed(_, ty) => self.visit_type_mut(&mut (**ty).clone()),
            _ => {}
        }
    }
}

impl VisitMut for Finder {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => {
                visit_mut::visit_type_reference_mut(self, reference);
            }
            _ => self.find(reference.span(), "this argument"),
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            self.find(lifetime.span(), "what has this lifetime");
        }
    }

    // What a function takes is not held by it.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }

    fn visit_bound_lifetimes_mut(&mut self, _: &mut syn::BoundLifetimes) {}
}
