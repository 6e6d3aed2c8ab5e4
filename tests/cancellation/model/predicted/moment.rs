//! Time, as far as the model needs it.

/// How far things have come, where one looks.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// The events that come right before what happens now.
    pub(super) after: Vec<usize>,
    /// How many there were, also in the background.
    pub(super) pauses: usize,
    /// Whether the user has been dropped: the level of the outermost context that is finished. Its use and
    /// those around it are dropped, those inside it notice nothing.
    pub(super) dropped: Option<usize>,
}

impl Moment {
    /// When both have been reached.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.after.extend(other.after);
        self.after.sort_unstable();
        self.after.dedup();
        Self {
            after: self.after,
            pauses: self.pauses.max(other.pauses),
            dropped: self.dropped.max(other.dropped),
        }
    }

    /// Whether a use of this level has been dropped.
    pub(super) fn has_dropped(&self, level: usize) -> bool {
        self.dropped.is_some_and(|outermost| level <= outermost)
    }
}
