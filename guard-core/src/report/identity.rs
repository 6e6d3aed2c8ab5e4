//! The name and the place of a context, for its reports.

use core::any::type_name;
use core::panic::Location;

/// Which context it is.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// Deferred, because most contexts never report anything.
    name: fn() -> &'static str,
    /// Where it was made, if that is known.
    pub(crate) location: Option<&'static Location<'static>>,
}

impl Identity {
    /// Named after `N`, and made there.
    #[inline]
    pub(crate) fn made_at<N: ?Sized>(location: &'static Location<'static>) -> Self {
        Self {
            name: type_name::<N>,
            location: Some(location),
        }
    }

    /// Named like this, and made by the caller.
    #[cfg(feature = "std")]
    #[track_caller]
    #[inline]
    pub(crate) fn named(name: fn() -> &'static str) -> Self {
        Self {
            name,
            location: Some(Location::caller()),
        }
    }

    /// Known by its type only.
    #[inline]
    pub(crate) fn of_type<C: ?Sized>() -> Self {
        Self {
            name: type_name::<C>,
            location: None,
        }
    }

    /// The path of the function, or of the type.
    pub(crate) fn path(self) -> &'static str {
        let name = (self.name)();
        // Generated code knows its function only by the closure inside it.
        name.strip_suffix("::{{closure}}").unwrap_or(name)
    }
}
