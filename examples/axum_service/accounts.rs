//! The handlers: accounts, and transfers between them.
//!
//! The handlers do not commit or roll back. Each handler succeeds or fails, and its session commits or rolls
//! back.

use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use guard_axum::Depends;
use guard_examples::service::{App, Changes, Error, Result, Session};
use sqlx::SqliteConnection;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS account (
        name TEXT PRIMARY KEY,
        balance INTEGER NOT NULL CHECK (balance >= 0)
    )";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/accounts/{name}", get(balance).post(open))
        .route("/accounts/{from}/transfers/{to}", post(transfer))
        .route("/sessions", get(sessions))
}

async fn open(
    session: Depends<Session>,
    Path(name): Path<String>,
    Amount(balance): Amount,
) -> Result<StatusCode> {
    sqlx::query("INSERT INTO account VALUES (?, ?)")
        .bind(name)
        .bind(balance)
        .execute(&mut *session.lock().await?)
        .await
        .map_err(conflict)?;
    Ok(StatusCode::CREATED)
}

async fn transfer(
    session: Depends<Session>,
    changes: Depends<Changes>,
    Path((from, to)): Path<(String, String)>,
    Amount(amount): Amount,
) -> Result<&'static str> {
    let mut session = session.lock().await?;
    add(&mut session, &to, amount).await?;
    add(&mut session, &from, -amount).await?;
    changes.lock().await?.extend([from, to]);
    Ok("transferred")
}

async fn balance(
    State(app): State<App>,
    Path(name): Path<String>,
    session: Depends<Session>,
) -> Result<String> {
    if let Some(balance) = app.cache.get(&name) {
        return Ok(balance.to_string());
    }
    let balance: Option<i64> = sqlx::query_scalar("SELECT balance FROM account WHERE name = ?")
        .bind(&name)
        .fetch_optional(&mut *session.lock().await?)
        .await?;
    let balance = balance.ok_or_else(|| unknown(&name))?;
    app.cache.put(&name, balance);
    Ok(balance.to_string())
}

async fn sessions(State(app): State<App>) -> String {
    let counts = &app.sessions;
    let [begun, committed, rolled_back] =
        [&counts.begun, &counts.committed, &counts.rolled_back].map(|count| count.load(Relaxed));
    format!("{begun} begun, {committed} committed, {rolled_back} rolled back")
}

async fn add(session: &mut SqliteConnection, name: &str, amount: i64) -> Result<()> {
    let done = sqlx::query("UPDATE account SET balance = balance + ? WHERE name = ?")
        .bind(amount)
        .bind(name)
        .execute(session)
        .await
        .map_err(conflict)?;
    match done.rows_affected() {
        0 => Err(unknown(name)),
        _ => Ok(()),
    }
}

fn unknown(name: &str) -> Error {
    Error::Refused(
        StatusCode::NOT_FOUND,
        format!("there is no account {name:?}"),
    )
}

/// A violation of the schema is an error of the caller.
fn conflict(error: sqlx::Error) -> Error {
    let forbidden = error
        .as_database_error()
        .is_some_and(|error| error.is_check_violation() || error.is_unique_violation());
    if forbidden {
        Error::Refused(StatusCode::CONFLICT, "that cannot be done".to_owned())
    } else {
        error.into()
    }
}

/// A positive number in the body.
struct Amount(i64);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Amount {
    type Rejection = Error;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self> {
        let refuse = || Error::Refused(StatusCode::BAD_REQUEST, "send an amount".to_owned());
        let text = String::from_request(request, state)
            .await
            .map_err(|_| refuse())?;
        let amount: u32 = text.trim().parse().map_err(|_| refuse())?;
        Ok(Self(amount.into()))
    }
}
