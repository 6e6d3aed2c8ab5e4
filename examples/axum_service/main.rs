//! A web service with a lifespan, and with a database session for each request.
//!
//! Without arguments it serves on a free port, sends requests to itself, and stops. With an address and a
//! file it serves until Ctrl-C:
//!
//! ```sh
//! cargo run -p guard-examples --example axum_service
//! cargo run -p guard-examples --example axum_service -- 127.0.0.1:3000 bank.db
//! curl -d 100 127.0.0.1:3000/accounts/anna
//! ```

mod accounts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use guard_axum::serve;
use guard_core::async_with;
use guard_examples::files::temporary_directory;
use guard_examples::service::{Settings, application, lifespan};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => demonstrate().await,
        [address, database] => {
            let listener = TcpListener::bind(address).await?;
            println!("serving on http://{}", listener.local_addr()?);
            let interrupted = async {
                // Without Ctrl-C the service could only be killed.
                tokio::signal::ctrl_c()
                    .await
                    .expect("the handler for Ctrl-C should be installed");
            };
            let lifespan = lifespan(settings(Path::new(database)));
            let router = application(accounts::routes());
            Ok(serve(listener, lifespan, router, interrupted)
                .grace(Duration::from_secs(10))
                .await?)
        }
        _ => anyhow::bail!("give an address and a file, or nothing"),
    }
}

fn settings(database: &Path) -> Settings {
    Settings {
        database: PathBuf::from(database),
        schema: accounts::SCHEMA,
        connections: 4,
        keep: Duration::from_secs(60),
    }
}

async fn demonstrate() -> anyhow::Result<()> {
    async_with!(directory = temporary_directory()?, {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let lifespan = lifespan(settings(&directory.path().join("bank.db")));
        let router = application(accounts::routes());
        let service = serve(listener, lifespan, router, async {
            // The signal is that the sender was dropped, which is an error here.
            let _ = stopped.await;
        });
        let service = tokio::spawn(service.into_future());

        let talked = talk(&url).await;
        drop(stop);
        service.await??;
        println!("the service has stopped");
        talked?;
    });
    Ok(())
}

async fn talk(url: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let post = async |path: &str, body: &'static str| -> anyhow::Result<String> {
        let answer = client
            .post(format!("{url}{path}"))
            .body(body)
            .send()
            .await?;
        let said = format!("{} {}", answer.status().as_u16(), answer.text().await?);
        println!("POST {path} {body:?} -> {said}");
        Ok(said)
    };
    let get = async |path: &str| -> anyhow::Result<String> {
        let answer = client.get(format!("{url}{path}")).send().await?;
        let said = format!("{} {}", answer.status().as_u16(), answer.text().await?);
        println!("GET  {path} -> {said}");
        Ok(said)
    };

    post("/accounts/anna", "100").await?;
    post("/accounts/bert", "0").await?;
    ensure!(post("/accounts/anna/transfers/bert", "30").await? == "200 transferred");
    ensure!(get("/accounts/anna").await? == "200 70");
    ensure!(get("/accounts/bert").await? == "200 30");

    // The first half of each of these was done before the failure.
    ensure!(
        post("/accounts/anna/transfers/bert", "500")
            .await?
            .starts_with("409")
    );
    ensure!(
        post("/accounts/anna/transfers/nobody", "20")
            .await?
            .starts_with("404")
    );
    ensure!(get("/accounts/anna").await? == "200 70");
    ensure!(get("/accounts/bert").await? == "200 30");
    ensure!(get("/sessions").await? == "200 9 begun, 7 committed, 2 rolled back");
    Ok(())
}
