//! What the declared return type says about a context.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{GenericArgument, Path, PathArguments, ReturnType, Type, TypePath, parse_quote};

use crate::args::Args;

/// The resource, and how the body returns.
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Returns {
    /// `-> Result<R, E>`, or an alias of it, whose last segment ends in `Result`.
    Fallible {
        /// The resource, if it is written; else it is what the alias says.
        resource: Option<Type>,
        /// The type that the body returns: the same `Result`, of `()`.
        output: Type,
        /// The error, if it is written; else it is what the alias says.
        error: Option<Type>,
    },
    /// `-> R`, or nothing for `()`.
    Plain(Type),
}

impl Returns {
    pub(crate) fn of(output: &ReturnType) -> Self {
        let ReturnType::Type(_, declared) = output else {
            return Self::Plain(parse_quote!(()));
        };
        match as_result(declared) {
            Some(path) => Self::fallible(path),
            None => Self::Plain((**declared).clone()),
        }
    }

    /// The type that is lent, if its name does not say that it is a `Result`, although it has the form of one.
    pub(crate) fn unlike_result(&self) -> Option<&TypePath> {
        match self {
            Self::Plain(Type::Path(path)) => Some(path),
            _ => None,
        }
    }

    /// An alias of `Result`, whatever its name is.
    pub(crate) fn fallible(path: &TypePath) -> Self {
        let mut path = path.clone();
        let mut types = Vec::new();
        let is_std = path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Result");
        if let Some(PathArguments::AngleBracketed(arguments)) = path
            .path
            .segments
            .last_mut()
            .map(|last| &mut last.arguments)
        {
            for argument in &mut arguments.args {
                if let GenericArgument::Type(argument) = argument {
                    types.push(argument.clone());
                    if types.len() == 1 {
                        *argument = parse_quote!(());
                    }
                }
            }
        }
        let mut types = types.into_iter();
        Self::Fallible {
            resource: types.next(),
            output: Type::Path(path),
            error: types.next().filter(|_| is_std),
        }
    }

    pub(crate) fn is_fallible(&self) -> bool {
        matches!(self, Self::Fallible { .. })
    }

    /// The resource type.
    pub(crate) fn resource(&self, krate: &Path) -> TokenStream {
        match self {
            Self::Plain(resource)
            | Self::Fallible {
                resource: Some(resource),
                ..
            } => resource.to_token_stream(),
            Self::Fallible { output, .. } => {
                quote!(<#output as #krate::__private::Fallible>::Value)
            }
        }
    }

    /// The error type.
    pub(crate) fn error(&self, krate: &Path) -> TokenStream {
        match self {
            Self::Plain(_) => quote!(#krate::__private::core::convert::Infallible),
            Self::Fallible {
                error: Some(error), ..
            } => error.to_token_stream(),
            Self::Fallible { output, .. } => {
                quote!(<#output as #krate::__private::Fallible>::Error)
            }
        }
    }

    /// The type of the body's error, as far as the context is told of it.
    pub(crate) fn caught(&self, args: &Args) -> TokenStream {
        if args.catch {
            self.error(&args.krate)
        } else {
            quote!(())
        }
    }

    /// What the body returns.
    pub(crate) fn output(&self) -> TokenStream {
        match self {
            Self::Plain(_) => quote!(()),
            Self::Fallible { output, .. } => output.to_token_stream(),
        }
    }
}

fn as_result(declared: &Type) -> Option<&TypePath> {
    match declared {
        Type::Group(group) => as_result(&group.elem),
        Type::Paren(paren) => as_result(&paren.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let is_generic = !matches!(last.arguments, PathArguments::None);
            let is_result = last.ident == "Result"
                || (is_generic && last.ident.to_string().ends_with("Result"));
            is_result.then_some(path)
        }
        _ => None,
    }
}
