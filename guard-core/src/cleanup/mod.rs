//! The hand-off: what happens between «a use is dropped half-way» and «its clean-up is done or reported».
//!
//! ```text
//!  a use is dropped before its end          the words
//!        │                                    use      one run of a context: set-up, block, exit
//!        ▼                                    nest     the clean-ups that were handed off inside a use
//!   its block is dropped                      settle   to wait for the entries of one's nest
//!   (what that hands off is left in the nest)
//!        │
//!        ▼                     scoped: no clean-up of its own; the entries of
//!   its context is dropped ──────────────► its nest are left in the enclosing nest
//!        │ default
//!        ▼
//!   hand_off ── polled once in place ──► done
//!        │ pending
//!        ├── left in the current nest: that of the use whose block, set-up or exit dropped it
//!        ▼
//!   a task of its own, in the runtime where its context was entered (or the spawner's)
//!        │                                            │ the task is dropped, or there is nowhere
//!        ▼                                            ▼ to go on
//!   settle → exit → settle ──► ended            its last poll, when those inside had theirs ──► ended
//! ```
//!
//! Each exit that runs in place goes the same way, without the hand-off: settle, exit, settle.
//!
//! The clean-up of a `local` context goes the same way on one thread: its task is spawned by the thread's own spawner, or
//! else in the `LocalSet` in which the use is dropped. [`Kind`] is all that differs.
//!
//! # Invariants
//!
//! - *at-once*: a clean-up is handed off in the destructor of its use. Nothing is collected or deferred.
//! - *inside-first*: an exit begins when the entries of its nest that run in the same runtime have ended. Only this
//!   keeps order. Clean-ups of different runtimes have no order.
//! - *begun-goes-on*: an exit that has begun does not stop for what its own code drops, in place or in the background. It
//!   may hold what that needs. It waits for that when its code has ended. Of an exit stack only the current entry has begun:
//!   those below it begin when the entries of the nest have ended.
//! - *set-ups-apart*: no exit waits for a use that was dropped during its set-up; `settled` and `drain` do.
//! - *no-ring*: a clean-up that would wait for itself, directly or through others, is left in the next enclosing
//!   nest instead.
//! - *last-poll*: a clean-up whose task is dropped is polled once more where that happens, after those inside it that
//!   were to go on in the same place, and is then dropped.
//! - *one-thread*: a `local` clean-up is polled and dropped on the thread where its context was entered, and only
//!   `local` exits of that thread wait for it: nobody may be driving its `LocalSet`.
//! - *nothing-forgotten*: what is left in the nest of a clean-up when it ends belongs to whoever waits for the clean-up.
//! - *ended-once*: a clean-up ends once. [`NestEntry::end`](background::nest_entry::NestEntry::end) is the only place that
//!   says so.
//! - *no-lock*: no lock is held while user code, a waker or a destructor runs.
//! - *contained*: a panic of something that only the library owns stops where it happens, and is reported. That of a waker
//!   is only discarded.
//!
//! Each file uses only those before it in this list: `unfinished`, `runtime`, `wait_limit`, and then in the folder `background`
//! `spawner`, `limit`, `failures`, `nest_entry`, `registry`, `guards`, `nest`, `elsewhere`, `guard_nest`, `dropping`, `settle`,
//! `task` with `kind`, `hand_off`, and then what users call: `drain`, `settled`, `detached`.
//!
//! Without `std` there is no thread-local, so there is no nest: each clean-up goes to the spawner by itself, in the
//! order of dropping, and nobody waits. Then the module `background` is compiled from the folder `without_std`.

#[cfg_attr(not(feature = "std"), path = "without_std/mod.rs")]
pub(crate) mod background;
mod runtime;
mod unfinished;
mod wait_limit;

pub(crate) use self::{
    background::*,
    runtime::{Runtime, RuntimeId},
    unfinished::Unfinished,
    wait_limit::WaitLimit,
};

/// What a [spawner](set_spawner) is given: a future to be run to its end.
#[cfg(feature = "alloc")]
pub type Cleanup = core::pin::Pin<alloc::boxed::Box<dyn Future<Output = ()> + Send>>;
