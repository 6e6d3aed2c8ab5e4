//! Decides at run time whether the value with which a body ends is a failure.
//!
//! The look is at run time. It needs no bound and takes part in no inference, so that it also judges values of
//! generic, associated and opaque types, and so that no annotation is needed because of it. For a given type
//! it is a constant, but for the discriminant, and folds to a few instructions.

use core::any::type_name;
use core::hash::{Hash, Hasher};
use core::mem::discriminant;

/// Whether `value` is a `Result` that is `Err`.
///
/// # Panics
///
/// On a compiler for which this file is wrong, see [`check`]: a failure must not pass for a success.
#[inline]
pub(crate) fn is_err<T>(value: &T) -> bool {
    check();
    look(value) == Look::Err
}

/// Whether `value` is `Ok`, or `()`.
#[inline]
pub(crate) fn is_ok_or_unit<T>(value: &T) -> bool {
    look(value) == Look::Ok || type_name::<T>() == type_name::<()>()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Ok,
    Err,
    Other,
}

#[inline]
fn look<T>(value: &T) -> Look {
    if !is_result::<T>() {
        return Look::Other;
    }
    let mut read = Read(None);
    discriminant(value).hash(&mut read);
    match read.0 {
        Some(0) => Look::Ok,
        Some(1) => Look::Err,
        _ => unknown_compiler(),
    }
}

/// Whether `T` is `core::result::Result`: compares the beginning of its name with that of another `Result`.
#[inline]
fn is_result<T>() -> bool {
    let sample = type_name::<Result<(), ()>>().as_bytes();
    let name = type_name::<T>().as_bytes();
    // `core::result::Result<(), ()>` without `(), ()>`.
    let Some(length) = sample.len().checked_sub(7) else {
        unknown_compiler()
    };
    name.len() > length && name[..length] == sample[..length]
}

/// Reads the one number that a discriminant hashes.
struct Read(Option<i64>);

impl Hasher for Read {
    #[inline]
    fn write(&mut self, _: &[u8]) {
        self.0 = None;
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "it is 0 or 1")]
    fn write_isize(&mut self, number: isize) {
        self.0 = Some(number as i64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        0
    }
}

/// Makes sure that the look works on this compiler.
///
/// [`type_name`] and the hash of a discriminant are not specified. Where they differ from what the look
/// expects, it panics instead of taking a failure for a success. This folds away where they do not.
#[inline]
fn check() {
    /// Another type with the same name.
    #[allow(dead_code, reason = "it is only looked at")]
    enum Result<T> {
        Ok(T),
        Err(T),
    }

    let holds = look(&Err::<(), ()>(())) == Look::Err
        && look(&Ok::<(), ()>(())) == Look::Ok
        && look(&Err::<&str, u8>(1)) == Look::Err
        && look(&Ok::<&str, u8>("")) == Look::Ok
        && look(&Result::Err(())) == Look::Other
        && look(&Some(Err::<(), ()>(()))) == Look::Other
        && look(&None::<()>) == Look::Other;
    if !holds {
        unknown_compiler();
    }
}

#[cold]
#[inline(never)]
fn unknown_compiler() -> ! {
    panic!(
        "guard-core cannot tell an `Err` on this compiler (`{}`): please report this",
        type_name::<Result<(), ()>>()
    )
}

#[cfg(test)]
mod tests {
    use super::is_err;
    use core::convert::Infallible;
    use core::num::NonZeroU8;

    mod own {
        #[allow(dead_code, reason = "it is only looked at")]
        pub(super) enum Result<T, E> {
            Ok(T),
            Err(E),
        }
    }

    fn opaque(result: Result<u8, &'static str>) -> impl Sized {
        result
    }

    #[allow(clippy::needless_pass_by_value, reason = "as it stands in a body")]
    fn generic<T>(value: T) -> bool {
        is_err(&value)
    }

    #[test]
    fn an_err_of_any_type_is_seen() {
        assert!(generic(Err::<(), ()>(())));
        assert!(generic(opaque(Err("opaque"))));
        assert!(generic(Err::<NonZeroU8, ()>(())), "in a niche");
        assert!(generic(Err::<Infallible, u8>(1)), "without a discriminant");
        assert!(generic(Err::<&dyn Fn(), &str>("a reference")));
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        assert!(!generic(Ok::<(), ()>(())));
        assert!(!generic(Ok::<u8, Infallible>(1)));
        assert!(!generic(opaque(Ok(1))));
        assert!(!generic(own::Result::Ok::<u8, u8>(1)));
        assert!(!generic(own::Result::Err::<u8, u8>(1)));
        assert!(!generic(Some(Err::<u8, u8>(1))));
        assert!(!generic((Err::<u8, u8>(1),)));
        assert!(!generic(&Err::<u8, u8>(1)));
        assert!(!generic(None::<u8>));
        assert!(!generic(()));
    }
}
