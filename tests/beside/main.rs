//! What goes on beside a block: `yield_resource!(resource, future)`.

mod at_the_yield;
mod attacks;
mod composed;
mod cut_short;
mod deadlines;
mod forms;
mod handles;
mod late;
mod moved;
mod panics;
mod several;
mod stacks;
mod support;
mod task_failures;
mod task_group;
mod task_group_given_up;
