//! A lock on a Redis server, for processes on one or several machines.

use std::fmt;
use std::time::Duration;

use guard_core::{async_context, cancellable, yield_resource};
use redis::aio::MultiplexedConnection;
use redis::{Client, ExistenceCheck, RedisError, Script, SetExpiry, SetOptions};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// The first wait for a lock that is taken. Each wait is twice as long as the one before.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// Both scripts act only on a lock that has this holder's token. Tokens are unique.
const RELEASE: &str = "
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('del', KEYS[1])
";
const RENEW: &str = "
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('pexpire', KEYS[1], ARGV[2])
";

/// Holds the lock `key` while the body runs.
///
/// The set-up waits until the lock is free. A wait that is cancelled stops at once. The exit releases the
/// lock, however the body ended. The lock is renewed beside the body, well before `ttl` has passed, so `ttl` does not
/// limit the body. It is the time for which the lock stays taken if this process dies or loses the server, for
/// example while it waits for the answer that it has the lock.
///
/// If the lock is lost, the body ends where it waits. A body that computes for long can ask [`Held::is_lost`].
///
/// A guard renews nothing by itself: hold the lock in a block, or in `guard.drive`.
///
/// # Errors
///
/// The server cannot be reached, or the lock was lost before the body ended.
#[async_context]
pub async fn lock(client: Client, key: String, ttl: Duration) -> Result<Held, LockError> {
    let ours = Holder {
        token: Uuid::new_v4().to_string(),
        client,
        key,
        ttl,
    };
    let mut connection = ours.client.get_multiplexed_async_connection().await?;
    let mut wait = SHORTEST_WAIT;
    let valid_until = loop {
        // Only this wait can be cancelled. A request that was sent may take the lock, so its answer must be
        // read.
        if let Some(valid_until) = ours.take(&mut connection).await? {
            break valid_until;
        }
        cancellable!(sleep(wait));
        wait = LONGEST_WAIT.min(wait * 2);
    };

    let (keep, validity) = watch::channel(valid_until);
    let mut held = Held { validity };
    let mut is_lost = false;
    let renewal = async {
        ours.renew(connection.clone(), keep).await;
        is_lost = true;
        Err(LockError::Lost)
    };
    yield_resource!(held, renewal);
    if ours.release(connection).await? || is_lost {
        Ok(())
    } else {
        Err(LockError::Lost)
    }
}

/// A lock that is held.
#[derive(Clone, Debug)]
pub struct Held {
    validity: watch::Receiver<Instant>,
}

impl Held {
    /// Whether another process may have the lock.
    pub fn is_lost(&self) -> bool {
        // A renewal that has ended drops the sender.
        self.validity.has_changed().is_err() || *self.validity.borrow() <= Instant::now()
    }
}

/// Why a lock could not be taken or released.
#[derive(Debug)]
pub enum LockError {
    /// An error of the server.
    Redis(RedisError),
    /// The lock was lost before the body ended. Another process may have held it meanwhile.
    Lost,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(error) => error.fmt(f),
            Self::Lost => f.write_str("the lock was lost while it was in use"),
        }
    }
}

impl std::error::Error for LockError {}

impl From<RedisError> for LockError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// The lock of one holder.
struct Holder {
    client: Client,
    key: String,
    token: String,
    ttl: Duration,
}

impl Holder {
    fn ttl_in_milliseconds(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// Tries once. Returns until when the lock is held.
    async fn take(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<Instant>, RedisError> {
        let valid_until = Instant::now() + self.ttl;
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(self.ttl_in_milliseconds()));
        let taken: Option<String> = redis::cmd("SET")
            .arg(&self.key)
            .arg(&self.token)
            .arg(options)
            .query_async(connection)
            .await?;
        Ok(taken.map(|_| valid_until))
    }

    /// Renews the lock again and again, and sends until when it is held. Ends when the lock is lost.
    async fn renew(&self, mut connection: MultiplexedConnection, keep: watch::Sender<Instant>) {
        let mut valid_until = *keep.borrow();
        let mut pause = self.ttl / 3;
        while Instant::now() < valid_until {
            sleep(pause).await;
            let renewed_until = Instant::now() + self.ttl;
            match timeout_at(valid_until, self.renew_once(&mut connection)).await {
                Ok(Ok(true)) => {
                    valid_until = renewed_until;
                    keep.send_replace(valid_until);
                    pause = self.ttl / 3;
                }
                // Another holder has it, or it has expired.
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(_)) => {
                    pause = self.ttl / 20;
                    // The connection may be broken.
                    let connecting = self.client.get_multiplexed_async_connection();
                    if let Ok(Ok(new)) = timeout_at(valid_until, connecting).await {
                        connection = new;
                    }
                }
            }
        }
    }

    async fn renew_once(&self, connection: &mut MultiplexedConnection) -> Result<bool, RedisError> {
        Script::new(RENEW)
            .key(&self.key)
            .arg(&self.token)
            .arg(self.ttl_in_milliseconds())
            .invoke_async(connection)
            .await
    }

    /// Deletes the lock if this holder has it. Returns whether it had.
    async fn release(&self, mut connection: MultiplexedConnection) -> Result<bool, RedisError> {
        let script = Script::new(RELEASE);
        let mut release = script.key(&self.key);
        let release = release.arg(&self.token);
        match release.invoke_async(&mut connection).await {
            // The connection may have broken a while ago without notice.
            Err(error) if error.is_io_error() => {
                let mut connection = self.client.get_multiplexed_async_connection().await?;
                release.invoke_async(&mut connection).await
            }
            released => released,
        }
    }
}
