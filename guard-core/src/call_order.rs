//! Checks that the methods of a context are called in their order: enter, resource, exit.

/// How far a context is. What is called out of order panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// Not entered.
    #[default]
    Start,
    /// Its resource may be lent.
    Entered,
    /// Its clean-up has begun.
    Exiting,
    /// It has been exited, or could not be entered.
    Ended,
}

impl Order {
    /// It is to be entered, or goes on with that.
    #[inline]
    pub(crate) fn enter(self) {
        match self {
            Self::Start => {}
            Self::Entered | Self::Exiting => {
                panic!("a context was entered that is already entered")
            }
            Self::Ended => panic!("a context was entered that has ended"),
        }
    }

    /// It is entered.
    #[inline]
    pub(crate) fn entered(&mut self) {
        *self = Self::Entered;
    }

    /// Its resource is asked for.
    #[inline]
    pub(crate) fn lend(self) {
        assert!(
            self == Self::Entered,
            "the resource of a context that is not entered was asked for"
        );
    }

    /// It is to be exited, or goes on with that.
    #[inline]
    pub(crate) fn exit(&mut self) {
        match self {
            Self::Start => panic!("a context was exited that is not entered"),
            Self::Entered | Self::Exiting => *self = Self::Exiting,
            Self::Ended => panic!("a context was exited that has ended"),
        }
    }

    /// It is over.
    #[inline]
    pub(crate) fn end(&mut self) {
        *self = Self::Ended;
    }
}
