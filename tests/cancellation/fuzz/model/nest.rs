//! The model of nests: a use is dropped while the code around it goes on, and an outer use waits for its clean-up.

use super::{Dropped, Model, Moment, Stop};
use crate::fuzz::compare::Event;

/// When each of those ends that were dropped inside a use.
pub(super) type Nest = Vec<Moment>;

/// Something is dropped when it is not over by then.
pub(super) struct Deadline {
    /// After how many pauses.
    pub(super) at: usize,
    /// How many uses there are around it.
    pub(super) from: usize,
    pub(super) name: String,
    /// Where the drop stands among the events, once it came.
    pub(super) event: Option<usize>,
    /// Where its surroundings go on then.
    pub(super) resumed: Option<Moment>,
}

impl Model {
    pub(super) fn pause(&mut self) -> Result<(), Stop> {
        self.pass_until(self.now.pauses + 1)
    }

    /// Lets time pass. The drop may come meanwhile: what is inside a context that is finished does not notice.
    fn pass_until(&mut self, pauses: usize) -> Result<(), Stop> {
        let mut earliest = self.now.pauses + 1;
        loop {
            let alive = match self.now.dropped {
                None => 0,
                Some(dropped) => dropped.outermost.saturating_add(1),
            };
            // Of two at the same time the outer one comes first.
            let mut due: Vec<usize> = (0..self.deadlines.len()).collect();
            due.retain(|&number| {
                let Deadline { at, from, .. } = self.deadlines[number];
                from >= alive && (earliest..=pauses).contains(&at)
            });
            let Some(first) = due
                .into_iter()
                .min_by_key(|&number| self.deadlines[number].at)
            else {
                self.now.pauses = pauses;
                return Ok(());
            };
            self.now.pauses = self.deadlines[first].at;
            // What is inside may be due at the same time.
            earliest = self.now.pauses;
            if !self.drop_comes(first) {
                return Err(Stop::Dropped);
            }
        }
    }

    /// What is dropped comes after the drop, and the drop after what was before. Returns whether somebody
    /// finishes what goes on here.
    fn drop_comes(&mut self, number: usize) -> bool {
        let from = self.deadlines[number].from;
        let event = self.deadlines[number].event.unwrap_or_else(|| {
            self.events.push(Event {
                what: self.deadlines[number].name.clone(),
                after: Vec::new(),
            });
            self.events.len() - 1
        });
        let resumed = Moment {
            after: vec![event],
            ..self.now.clone()
        };
        self.deadlines[number].event = Some(event);
        self.deadlines[number].resumed = Some(resumed);
        let finishes = |level: &usize| self.finishes[*level];
        let outermost = (from..self.finishes.len()).find(finishes);
        self.drops(Dropped {
            from,
            outermost: outermost.unwrap_or(usize::MAX),
            event,
            at: self.now.pauses,
        });
        outermost.is_some()
    }

    /// What happens now is what this drop left.
    pub(super) fn drops(&mut self, dropped: Dropped) {
        let before = std::mem::replace(&mut self.now.after, vec![dropped.event]);
        let event = &mut self.events[dropped.event];
        event
            .after
            .extend(before.into_iter().filter(|&before| before != dropped.event));
        self.now.dropped = Some(dropped);
    }

    pub(super) fn timeout(
        &mut self,
        number: usize,
        ticks: usize,
        body: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.deadlines.push(Deadline {
            at: self.now.pauses + ticks,
            from: self.finishes.len(),
            name: format!("time out {number}"),
            event: None,
            resumed: None,
        });
        let ended = body(self);
        let deadline = self.deadlines.pop().expect("it was put there");
        let Some(resumed) = deadline.resumed else {
            return ended;
        };
        let left = std::mem::replace(&mut self.now, resumed);
        self.nests[self.nest].push(left);
        Ok(())
    }

    /// A nest for a use.
    pub(super) fn open_nest(&mut self) -> usize {
        self.nests.push(Nest::new());
        self.nests.len() - 1
    }

    /// Does it in a use with this nest.
    pub(super) fn inside<T>(&mut self, nest: usize, act: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::replace(&mut self.nest, nest);
        let done = act(self);
        self.nest = around;
        done
    }

    /// Waits for what was dropped in this nest, unless it is dropped itself meanwhile.
    pub(super) fn wait_for(&mut self, nest: usize) -> Result<(), Stop> {
        let left = self.nests[nest].iter().map(|left| left.pauses).max();
        self.pass_until(self.now.pauses.max(left.unwrap_or(0)))?;
        for left in std::mem::take(&mut self.nests[nest]) {
            if left.pauses == self.now.pauses {
                self.now.waited = Some(left.pauses);
            }
            self.now.wait_for(left);
        }
        Ok(())
    }

    /// Leaves what is still in this nest to the one around it.
    pub(super) fn pass_on(&mut self, nest: usize) {
        let left = std::mem::take(&mut self.nests[nest]);
        self.nests[self.nest].extend(left);
    }

    /// In a context that has nothing to do.
    pub(super) fn null(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.nests.is_empty() {
            // What nobody waits for.
            self.open_nest();
        }
        let nest = self.open_nest();
        let level = self.finishes.len();
        self.finishes.push(false);
        let mut ended = self.inside(nest, body);
        if ended != Err(Stop::Dropped) {
            let waited = self.wait_for(nest);
            if waited.is_err() || self.now.has_dropped(level) {
                self.has_no_caller(ended);
                ended = Err(Stop::Dropped);
            }
        }
        self.finishes.pop();
        self.pass_on(nest);
        ended
    }
}
