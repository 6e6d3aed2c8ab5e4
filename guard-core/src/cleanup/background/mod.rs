//! Clean-up in the background, and waiting for it: see [`cleanup`](super).

mod detached;
mod drain;
mod dropping;
mod elsewhere;
mod failures;
mod guard_nest;
mod guards;
mod hand_off;
mod kind;
mod limit;
pub(crate) mod nest;
pub(crate) mod nest_entry;
mod registry;
mod settle;
mod settled;
mod spawner;
mod task;

pub(crate) use self::elsewhere::Elsewhere;
pub use self::{
    detached::{Detached, detached},
    drain::{Drain, drain, drain_all},
    limit::{set_cleanup_timeout, set_wait_limit},
    registry::{PendingCleanup, pending_cleanups},
    settled::{FutureItself, Settled, TrySettled, Unsettled, settled, try_settled},
    spawner::{LocalCleanup, set_local_spawner, set_spawner},
};
pub(crate) use self::{
    dropping::{
        begin_parts, drop_block, drop_bounded, drop_context, drop_guard, drop_owned, drop_part,
        dropped, expire,
    },
    guard_nest::GuardNest,
    hand_off::hand_off,
    kind::Kind,
    limit::{CleanupLimit, LimitedPart, SharedLimit},
    nest::{Leftover, Listener, Nest},
    settle::{poll_settle, poll_settle_before_exit, poll_settle_part},
};
