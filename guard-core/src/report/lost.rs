//! Errors that no caller receives: they are reported, and dropped. A panic of their destructors is reported too, because
//! only the library owns them by then, and what goes on is not to be lost by it.

use super::ReportSource;
use crate::platform::panics::catch_panic_rarely;

/// Drops a context before its caller is told an error. If that panics, the caller is told the panic, and nobody would hear
/// of the error: so `lose` reports it.
#[cold]
pub(crate) fn drop_before<E, T>(
    error: T,
    source: ReportSource<E>,
    lose: fn(ReportSource<E>, T),
    drop_it: &mut dyn FnMut(),
) -> T {
    if let Err(panic) = catch_panic_rarely(drop_it) {
        lose(source, error);
        panic.resume();
    }
    error
}
