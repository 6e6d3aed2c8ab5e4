use std::time::Duration;

use guard_core::{async_context, yield_resource};
use reqwest::{Client, RequestBuilder, Response};

/// A client that is logged in.
///
/// It has a pool of connections of its own, which its clones share.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    /// A request for a page, in the name of the session.
    pub fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.get(url).bearer_auth(&self.token)
    }
}

/// Logs in to the service at `base`, and out again: `POST /session` gives a token, and
/// `DELETE /session` takes it back, however the use ended.
///
/// What makes it a context is that logging out needs the network, as most things do that a client has to
/// say goodbye to. The pool of connections is closed with the client.
#[async_context]
pub async fn api(base: String) -> reqwest::Result<Api> {
    // A hanging service must not keep us from getting out.
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

/// An answer with an error status is an error.
fn ok(answer: reqwest::Result<Response>) -> reqwest::Result<Response> {
    answer.and_then(Response::error_for_status)
}
