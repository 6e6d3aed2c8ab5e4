//! A transaction: committed if its block ends, rolled back if the block fails. The same as `transaction.py`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::bail;
use guard_core::{Outcome, async_context, async_with, yield_resource};
use tokio::task::yield_now;

type Balances = BTreeMap<&'static str, i64>;

#[derive(Clone)]
struct Bank {
    balances: Arc<Mutex<Balances>>,
}

impl Bank {
    fn new(balances: Balances) -> Self {
        let balances = Arc::new(Mutex::new(balances));
        Self { balances }
    }

    fn balances(&self) -> Balances {
        self.balances.lock().unwrap().clone()
    }

    /// `owned`: the clean-up may outlive the caller, so the context has a clone of the bank.
    #[async_context(owned)]
    async fn transaction(&self) -> Balances {
        let mut draft = self.balances();
        println!("begin");
        match yield_resource!(draft) {
            Outcome::Failed(()) | Outcome::Panicked | Outcome::Cancelled => {
                yield_now().await;
                println!("roll back");
                // There is nothing to raise again: the error is the caller's, and leaves by itself.
            }
            Outcome::Completed => {
                yield_now().await;
                *self.balances.lock().unwrap() = draft;
                println!("commit");
            }
        }
    }

    async fn transfer(&self, amount: i64) -> anyhow::Result<i64> {
        async_with!(accounts = self.transaction(), {
            *accounts.entry("ann").or_default() -= amount;
            if accounts["ann"] < 0 {
                bail!("ann cannot pay {amount}");
            }
            *accounts.entry("bob").or_default() += amount;
            // The commit comes first, and then the caller has the value.
            return Ok(accounts["bob"]);
        })
    }

    async fn first_that_can_be_paid(&self, amounts: &[i64]) {
        for amount in amounts {
            async_with!(accounts = self.transaction(), {
                if accounts["ann"] < *amount {
                    continue;
                }
                *accounts.entry("ann").or_default() -= amount;
                println!("paid {amount}");
                break;
            });
        }
    }
}

pub async fn main() -> anyhow::Result<()> {
    let bank = Bank::new(BTreeMap::from([("ann", 100), ("bob", 0)]));
    println!("bob has {}", bank.transfer(30).await?);
    if let Err(error) = bank.transfer(500).await {
        println!("refused: {error}");
    }
    bank.first_that_can_be_paid(&[200, 20, 10]).await;
    let balances = bank.balances();
    println!("ann {}, bob {}", balances["ann"], balances["bob"]);
    Ok(())
}
