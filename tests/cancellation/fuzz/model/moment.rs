//! The time of the model: which events have happened, and how many pauses have passed.

/// How far things have come, where one looks.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// The events that come right before what happens now.
    pub(super) after: Vec<usize>,
    /// How many there were, also in the background.
    pub(super) pauses: usize,
    /// The pauses after which it last waited for something in the background.
    pub(super) waited: Option<usize>,
    /// Whether this is what is left of something that was dropped.
    pub(super) dropped: Option<Dropped>,
}

/// A drop, by the user of all or by a time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dropped {
    /// The uses from this level on are inside what was dropped.
    pub(super) from: usize,
    /// The level of the outermost context among them that is finished. Its use and those around it are
    /// dropped, those inside it notice nothing.
    pub(super) outermost: usize,
    pub(super) event: usize,
    /// After how many pauses.
    pub(super) at: usize,
}

impl Moment {
    /// When both have been reached.
    pub(super) fn and(mut self, other: Self) -> Self {
        let dropped = self.dropped.max(other.dropped);
        self.wait_for(other);
        Self { dropped, ..self }
    }

    /// When the other has been reached too.
    pub(super) fn wait_for(&mut self, other: Self) {
        self.after.extend(other.after);
        self.after.sort_unstable();
        self.after.dedup();
        self.pauses = self.pauses.max(other.pauses);
        self.waited = self.waited.max(other.waited);
    }

    /// Right after the drop, if there was one.
    pub(super) fn of_drop(&self) -> Self {
        match self.dropped {
            None => self.clone(),
            Some(dropped) => Self {
                after: vec![dropped.event],
                pauses: dropped.at,
                waited: None,
                dropped: self.dropped,
            },
        }
    }

    /// Whether a use of this level has been dropped.
    pub(super) fn has_dropped(&self, level: usize) -> bool {
        self.dropped
            .is_some_and(|dropped| (dropped.from..=dropped.outermost).contains(&level))
    }
}
