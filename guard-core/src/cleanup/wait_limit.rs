//! How long a use waits for its nest.

use core::task::Poll;

/// How long a use waits for its nest.
#[derive(Clone, Copy, Debug)]
pub enum WaitLimit {
    /// As long as [`set_wait_limit`](crate::set_wait_limit) says.
    General,
    /// The context has a limit of its own. Ready when the time is up.
    Own(Poll<()>),
    /// As long as `General` says, or until the time of this one is up, whichever is later.
    Longer(Poll<()>),
    /// Not at all: its exit was given up, so what is left belongs to the enclosing use.
    GivenUp,
}

impl WaitLimit {
    /// The limit of two contexts whose exits wait for the same nest: as long as either of them waits. If one exit began
    /// earlier, it would break the order for the other.
    #[cfg(feature = "alloc")]
    pub(crate) fn joined(self, other: Self) -> Self {
        let both = |one: Poll<()>, other: Poll<()>| if one.is_ready() { other } else { one };
        match (self, other) {
            (Self::GivenUp, limit) | (limit, Self::GivenUp) => limit,
            (Self::General, Self::General) => Self::General,
            (Self::Own(one), Self::Own(other)) => Self::Own(both(one, other)),
            (Self::General, Self::Own(over) | Self::Longer(over))
            | (Self::Own(over) | Self::Longer(over), Self::General) => Self::Longer(over),
            (Self::Longer(one), Self::Own(other) | Self::Longer(other))
            | (Self::Own(one), Self::Longer(other)) => Self::Longer(both(one, other)),
        }
    }
}
