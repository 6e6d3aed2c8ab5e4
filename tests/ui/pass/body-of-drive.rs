//! The body of `Guard::drive` is inferred from what is around it: the type of its argument, and of its value from what
//! becomes of that.

use guard_core::{AsyncContext, Guard, async_context, yield_resource};
use std::future::Future;
use std::io;
use std::pin::Pin;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

#[async_context]
async fn text() -> str {
    let mut text = String::from("1");
    yield_resource!(*text.as_mut_str());
}

fn sent<F: Future + Send>(future: F) -> F {
    future
}

async fn values(text: &str) -> io::Result<()> {
    let mut guard = numbers().enter().await?;
    // The type of the value is known after the await only.
    let parsed: u32 = guard.drive(async |_| text.parse().unwrap_or_default()).await?;
    let mut found = guard.drive(async |_| None).await?;
    found.get_or_insert(parsed);
    guard.drive(async |numbers| numbers.push(parsed)).await?;
    // Several bodies after each other, with moved and borrowed variables.
    let moved = vec![parsed];
    guard.drive(async move |numbers| numbers.extend(moved)).await?;
    let mut kept = 0;
    let failed = guard.drive(async |numbers| {
        kept = numbers.first().copied().ok_or(io::ErrorKind::NotFound)?;
        Err::<(), io::Error>(io::ErrorKind::Other.into())
    });
    let _: Result<(), io::Error> = sent(failed).await?;
    guard.drive(async |_: &mut Vec<u32>| println!("{kept}")).await?;
    guard.drive(async |numbers| guard_of(numbers).await).await??;
    guard.exit().await
}

async fn guard_of(numbers: &mut Vec<u32>) -> Result<usize, io::Error> {
    Ok(numbers.len())
}

async fn endless() -> io::Result<()> {
    let mut guard = numbers().enter().await?;
    guard.drive(async |numbers| loop {
        numbers.push(1);
        std::future::pending::<()>().await;
    }).await?
}

async fn unsized_resource() -> usize {
    let mut guard = text().enter().await.unwrap_or_else(|never| match never {});
    guard.drive(async |text| text.len()).await.unwrap_or_else(|never| match never {})
}

async fn generic<C: AsyncContext, T>(
    guard: &mut Guard<C>,
    body: impl AsyncFnOnce(&mut C::Resource) -> T,
) -> Result<T, C::Error> {
    guard.drive(body).await
}

async fn closure_of_a_closure<C: AsyncContext>(
    guard: &mut Guard<C>,
    mut each: impl AsyncFnMut(&mut C::Resource),
) -> Result<(), C::Error> {
    guard.drive(async |resource| each(resource).await).await?;
    guard.drive(each).await
}

struct Owner {
    guard: Guard<guard_core::BoxContext<'static, Vec<u32>, io::Error>>,
}

impl Owner {
    fn push(&mut self) -> impl Future<Output = io::Result<()>> + Send {
        self.guard.drive(async |numbers| numbers.push(1))
    }

    fn boxed<'a>(&'a mut self, by: u32) -> Pin<Box<dyn Future<Output = io::Result<u32>> + Send + 'a>> {
        Box::pin(self.guard.drive(async move |numbers| numbers.iter().map(|number| number * by).sum()))
    }

    async fn both(&mut self) -> io::Result<u32> {
        self.push().await?;
        self.boxed(2).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    tokio::spawn(values("5")).await.unwrap()?;
    drop(sent(endless()));
    assert_eq!(unsized_resource().await, 1);
    let mut guard = numbers().enter().await?;
    assert_eq!(generic(&mut guard, async |numbers| numbers.len()).await?, 1);
    closure_of_a_closure(&mut guard, async |numbers| numbers.push(2)).await?;
    guard.exit().await?;
    let mut owner = Owner { guard: numbers().boxed().enter().await? };
    assert_eq!(tokio::spawn(async move {
        let sum = owner.both().await?;
        owner.guard.exit().await?;
        io::Result::Ok(sum)
    }).await.unwrap()?, 4);
    Ok(())
}
