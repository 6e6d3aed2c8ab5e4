//! In place of the macros, without the feature `macros`: they say that it is missing.
//!
//! Nothing can stand in place of an attribute. Where one is imported, rustc names the feature.

/// Not there without the feature `macros`.
#[doc(hidden)]
#[macro_export]
macro_rules! async_with {
    ($($tokens:tt)*) => {
        $crate::__private::missing_macro!("`async_with!`")
    };
}

/// Not there without the feature `macros`.
#[doc(hidden)]
#[macro_export]
macro_rules! yield_resource {
    ($($tokens:tt)*) => {
        $crate::__private::missing_macro!("`#[async_context]` with `yield_resource!`")
    };
}

/// Not there without the feature `macros`.
#[doc(hidden)]
#[macro_export]
macro_rules! cancellable {
    ($($tokens:tt)*) => {
        $crate::__private::missing_macro!("`#[async_context]` with `cancellable!`")
    };
}

// A closure, so that the value has any type, and no lint calls what follows it unreachable.
#[doc(hidden)]
#[macro_export]
macro_rules! __missing_macro {
    ($what:literal) => {{
        $crate::__private::core::compile_error!($crate::__private::core::concat!(
            $what,
            " needs the feature `macros` of guard-core, which is a default one: without the default features, write \
             `features = [\"macros\", …]` in `Cargo.toml`"
        ));
        (|| $crate::__private::core::unreachable!())()
    }};
}
