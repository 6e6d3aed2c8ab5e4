//! What these functions return has a type that is told only if the bounds hold. It is known all the same.

use guard_core::context::{Lazy, Optional, Swap};
use guard_core::{AsyncContext, BoxContext, async_context, async_with, lazy, optional, swap, yield_resource};
use std::io;

type Boxed = BoxContext<'static, String, io::Error>;

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

struct Kept<M> {
    lazy: Lazy<Boxed, M>,
    optional: Optional<Boxed>,
    none: Optional<Boxed>,
    swap: Swap<Boxed>,
}

fn kept() -> Kept<impl FnMut() -> Boxed> {
    Kept {
        lazy: lazy(|| file().boxed()),
        optional: optional(Some(file().boxed())),
        none: optional(None),
        swap: swap(file().boxed()),
    }
}

fn swapped<C: AsyncContext>(context: C) -> impl AsyncContext<Error = C::Error> {
    swap(context)
}

fn lazily<C: AsyncContext + Clone>(context: C) -> impl AsyncContext<Error = C::Error> {
    lazy(move || context.clone())
}

async fn later(is_wanted: bool) -> io::Result<()> {
    let mut later = None;
    let context = optional(later.take());
    if is_wanted {
        later = Some(file());
    }
    drop(later);
    async_with!(file = context?, {
        file.get();
    });
    Ok(())
}

fn main() {
    let Kept { lazy, optional, none, swap } = kept();
    let _ = (lazy, optional, none, swap);
    let _ = (swapped(file()), lazily(guard_core::nullcontext(1)), later(true));
}
