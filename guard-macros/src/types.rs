//! Types of a signature, repeated in a body.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Type, parse_quote};

/// The type as it can be written in a body, where `impl Trait` is left to be inferred.
pub(crate) fn in_body(ty: TokenStream) -> TokenStream {
    struct Infer;
    impl VisitMut for Infer {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(_) = ty {
                *ty = parse_quote!(_);
            } else {
                visit_mut::visit_type_mut(self, ty);
            }
        }
    }
    match syn::parse2::<Type>(ty.clone()) {
        Ok(mut ty) => {
            Infer.visit_type_mut(&mut ty);
            ty.into_token_stream()
        }
        Err(_) => ty,
    }
}
