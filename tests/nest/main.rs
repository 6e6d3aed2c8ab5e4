//! A use that is cancelled while the code around it goes on: who waits for its clean-up, who does not, and
//! what happens when there is no runtime left to run it. Each file tests one property.
//!
//! A use is one run of a context. Its nest is the list of the clean-ups that were handed off inside it.
//!
//! Scenarios that are easy to get wrong, and their tests:
//!
//! | scenario | tests |
//! |---|---|
//! | a set-up that is cancelled waits for what the outer use holds (a pool of one; a row of this transaction) | `not_waited_for::an_exit_does_not_wait_for_a_set_up_that_needs_what_it_holds`, `not_waited_for::an_exit_does_not_wait_for_a_set_up_that_was_started_before_its_block` |
//! | nobody drives the runtime in which an exit waits | `blocking_destructors::limit_block_on_of_a_handle_drives_no_current_thread_runtime`, `blocking_destructors::limit_another_block_on_drives_no_runtime` |
//! | a destructor blocks the only thread of its runtime | `blocking_destructors::limit_another_block_on_in_a_task_stops_a_current_thread_runtime` |
//! | an inner exit drops the session in whose nest it is | `rings::an_inner_exit_may_drop_the_session_around_it` |
//! | an outer use is dropped with its runtime while an inner one goes on in another | `runtimes::an_inner_clean_up_ends_in_its_own_runtime_when_the_outer_runtime_shuts_down` |
//! | a runtime shuts down while another thread polls the inner exit | `shutdown::two_uses_exit_in_order`, `shutdown::two_joined_uses_exit_after_the_one_inside` |
//! | guards are dropped together, and a use is cancelled while a guard is held | `guards::guards_of_one_body_exit_from_the_inside_out`, `guards::guards_without_a_use_around_them_start_in_order_and_do_not_wait`, `guards::the_use_around_a_guard_waits_for_what_is_cancelled_while_the_guard_is_held` |
//! | a waker panics | `panics::a_waker_that_panics_does_not_keep_the_others_from_being_woken` |
//! | thousands of slow clean-ups are in one nest | `many::the_polls_of_a_use_that_waits_for_many_are_linear`, `tests/memory.rs` |
//! | nests are in each other, 100,000 deep, also dropped from the outside in | `many::many_guards_exit_in_order`, `many::many_guards_get_a_last_poll_when_the_runtime_shuts_down`, `many::many_nested_uses_that_are_dropped_exit_on_a_worker_thread` |
//! | `settled` is dropped with a destructor that panics | `settled::settled_passes_its_nest_on_when_a_destructor_in_it_panics` |
//! | 20,000 wakers poll one `settled` | `settled::settled_keeps_at_most_one_waker` |
//! | an inner clean-up hangs | `wait_limit::the_wait_limit_is_thirty_seconds_for_an_exit_and_for_a_clean_up` |
//! | a clean-up is polled in its own runtime while an outer one is dropped elsewhere | `runtimes::a_clean_up_of_another_runtime_runs_once_and_drain_waits_for_it` |
//! | the worker that has spawned a clean-up computes, or blocks on what waits for it | `workers::the_exit_of_a_use_runs_on_an_idle_worker` |
//! | an exit's own code drops a use, in place and in the background | `waits::a_use_waits_for_a_use_that_its_exit_drops`, `waits::a_clean_up_waits_for_a_use_that_was_cancelled_in_its_block` |
//! | `settled` is polled in another runtime than its uses | `settled::settled_does_not_wait_for_another_runtime` |
//! | a future is kept across a `select!` loop, and makes an unrelated commit wait | `detached::a_cancelled_use_belongs_to_the_block_that_polls_it_unless_it_is_detached` |
//! | a `JoinSet` is in the block | `not_waited_for::an_exit_does_not_wait_for_a_use_in_a_task_of_its_block` |
//! | 200,000 uses are cut in one block | `tests/memory.rs` |

mod beside;
mod blocking_destructors;
mod detached;
mod drain;
mod drive;
mod exit_limits;
mod guards;
mod hangs;
mod local;
mod many;
mod not_waited_for;
mod nowhere_to_go_on;
#[path = "../cancellation/own_process.rs"]
mod own_process;
mod panics;
mod pending;
mod reports;
mod rings;
mod runtimes;
mod settled;
mod shutdown;
mod spawner;
mod stacks;
mod support;
mod thread_locals;
mod wait_limit;
mod waits;
mod workers;
