//! The types of a signature: what they are, and how they are written in a body.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, PathArguments, ReturnType, Token, Type, TypeParamBound, parse_quote};

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

/// The output of a boxed future.
pub(crate) fn future_of(output: &ReturnType) -> Option<&Type> {
    let ReturnType::Type(_, output) = output else {
        return None;
    };
    let boxed = argument_of(argument_of(output, "Pin")?, "Box")?;
    match boxed {
        Type::TraitObject(object) => output_of(&object.bounds),
        _ => None,
    }
}

/// The output of an `impl Future`.
pub(crate) fn impl_future_of(declared: &Type) -> Option<&Type> {
    match declared {
        Type::ImplTrait(future) => output_of(&future.bounds),
        _ => None,
    }
}

/// `T` of `Future<Output = T>`.
fn output_of(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<&Type> {
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last()?;
        if last.ident != "Future" {
            return None;
        }
        let PathArguments::AngleBracketed(arguments) = &last.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
            _ => None,
        })
    })
}

/// The resource and the error of `BoxContext<'_, R, E>` or `impl AsyncContext<Resource = R, Error = E>`.
pub(crate) fn context_of(ty: &Type) -> Option<(Type, Type)> {
    let path = match ty {
        Type::Path(path) => &path.path,
        Type::ImplTrait(context) => match context.bounds.first()? {
            TypeParamBound::Trait(bound) => &bound.path,
            _ => return None,
        },
        _ => return None,
    };
    let last = path.segments.last()?;
    let names = ["AsyncContext", "BoxContext", "LocalBoxContext"];
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    if !names.iter().any(|name| last.ident == name) {
        return None;
    }
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        GenericArgument::AssocType(ty) => Some(ty.ty.clone()),
        _ => None,
    });
    Some((types.next()?, types.next()?))
}

/// `T` of `Name<T>`.
pub(crate) fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == name => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    }
}
