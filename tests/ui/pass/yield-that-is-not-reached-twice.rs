//! Yields that look as if a path reached two of them, or none, and does not.
#![allow(unreachable_code)]
use guard_core::{async_context, yield_resource};

fn fail() -> ! {
    std::process::exit(1)
}

struct Process;

impl Process {
    fn fail(&self) -> ! {
        fail()
    }
}

#[async_context]
async fn configured() -> u32 {
    let mut number = 1;
    #[cfg(windows)]
    yield_resource!(number);
    #[cfg(not(windows))]
    yield_resource!(number);
}

#[async_context]
async fn early_elsewhere(is_early: bool) -> Result<u32, std::io::Error> {
    let mut number = 1;
    #[cfg(windows)]
    if is_early {
        return Ok(());
    }
    let _ = is_early;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn not_written_yet(is_early: bool) -> Result<u32, std::io::Error> {
    // The rest is never reached, so rustc accepts it, and the macro does not know what another macro does.
    unimplemented!();
    if is_early {
        return Ok(());
    }
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn ended(is_early: bool) -> Result<u32, std::io::Error> {
    Process.fail();
    if is_early {
        return Ok(());
    }
    let mut number = 1;
    yield_resource!(number);
    fail();
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn ended_in_a_loop(names: Vec<String>) -> String {
    for mut name in names {
        yield_resource!(name);
        Process.fail();
    }
    unreachable!()
}

#[async_context]
async fn left_by_a_match(mut names: Vec<String>) -> String {
    loop {
        match names.pop() {
            Some(mut name) if name != "none" => {
                yield_resource!(name);
                break;
            }
            Some(_) => continue,
            None => fail(),
        }
    }
}

#[async_context]
async fn returned_by_a_closure(names: Vec<String>) -> u32 {
    let find = |wanted: &str| {
        for name in &names {
            if name == wanted {
                return;
            }
        }
    };
    find("a");
    let mut number = 1;
    yield_resource!(number);
}

fn main() {
    drop(configured());
}
