use guard_core::{AsyncContext, async_context, async_with, yield_resource};

#[async_context]
async fn logged<C>(inner: C) -> Result<C::Resource, C::Error>
where
    C: AsyncContext<Resource: Send> + Send + 'static,
{
    async_with!(resource = inner?, {
        yield_resource!(*resource);
    });
    Ok(())
}

fn main() {}
