//! A context that logs in to a service, and logs out.

use std::time::Duration;

use guard_core::{async_context, yield_resource};
use reqwest::{Client, RequestBuilder, Response};

/// A client that is logged in.
///
/// It has its own pool of connections, which its clones share.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    /// A request for a page, with the token of the session.
    pub fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.get(url).bearer_auth(&self.token)
    }
}

/// Logs in to the service at `base`, and out again: `POST /session` returns a token, and `DELETE /session`
/// ends it, however the use ended.
///
/// It is a context because to log out needs the network, which a destructor cannot wait for. The pool of
/// connections is closed when the client is dropped.
#[async_context]
pub async fn api(base: String) -> reqwest::Result<Api> {
    // A hanging service must not keep the exit from ending.
    let client = Client::builder().timeout(Duration::from_secs(5)).build()?;
    let session = format!("{base}/session");
    let answer = ok(client.post(&session).send().await)?;
    let token = answer.text().await?;

    let mut api = Api {
        client,
        base,
        token,
    };
    yield_resource!(api);

    let goodbye = api.client.delete(&session).bearer_auth(&api.token);
    ok(goodbye.send().await)?;
    Ok(())
}

/// Makes an error of an answer with an error status.
fn ok(answer: reqwest::Result<Response>) -> reqwest::Result<Response> {
    answer.and_then(Response::error_for_status)
}
