use guard_core::AsyncContext;

async fn retry<C, T, E>(
    make: impl Fn() -> C,
    body: impl AsyncFn(&mut C::Resource) -> Result<T, E>,
) -> Result<T, E>
where
    C: AsyncContext,
    E: From<C::Error>,
{
    make().with(body).await
}

fn main() {}
