//! Finding what a guaranteed context borrows.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, FnArg, Lifetime, ParenthesizedGenericArguments, Pat, Receiver, ReceiverKind, Signature,
    TypeFnPtr, TypeReference,
};

/// The borrowed arguments, one error each.
pub(crate) fn borrows(sig: &Signature) -> Vec<Error> {
    sig.inputs
        .iter()
        .filter_map(|input| {
            let mut finder = Finder::default();
            match input {
                FnArg::Receiver(receiver) => {
                    finder.receiver(receiver);
                    let own = "take `self` or `self: Arc<Self>`";
                    Some((finder.found?, "`self`".to_owned(), own))
                }
                FnArg::Typed(typed) => {
                    finder.visit_type_mut(&mut (*typed.ty).clone());
                    let name = match &*typed.pat {
                        Pat::Ident(pat) => format!("`{}`", pat.ident),
                        _ => "this argument".to_owned(),
                    };
                    let own = "take it by value (a `String`, an `Arc`, a clone)";
                    Some((finder.found?, name, own))
                }
            }
        })
        .map(|(borrow, name, own)| {
            Error::new_spanned(
                borrow,
                format!(
                    "{name} is borrowed, but the clean-up of a guaranteed context may outlive the \
                     borrow: {own}, or write `#[async_context(scoped)]` for a context that is dropped \
                     where it stands when its user is cancelled"
                ),
            )
        })
        .collect()
}

#[derive(Default)]
struct Finder {
    found: Option<TokenStream>,
}

impl Finder {
    fn find(&mut self, borrow: impl ToTokens) {
        self.found.get_or_insert(borrow.to_token_stream());
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

    // What a function takes is not held by it.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }

    fn visit_bound_lifetimes_mut(&mut self, _: &mut syn::BoundLifetimes) {}
}
