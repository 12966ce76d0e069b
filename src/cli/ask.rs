//! Asking a node: one HTTP request to its admin listener.

use super::{Output, http::Connection};
use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use serde_json::Value;
use std::{path::PathBuf, time::Duration};

/// Where to ask, and as whom.
#[derive(Debug, Clone, Args)]
pub struct Ask {
    /// Admin listener of any node
    #[arg(long, env = "MERIDIAN_ENDPOINT", default_value = "http://127.0.0.1:4566")]
    pub endpoint: String,
    /// Admin token; by default the file `admin-token` of the data directory
    #[arg(long, env = "MERIDIAN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Data directory of the node on this machine, where the token is found
    #[arg(long, env = "MERIDIAN_DATA", default_value = "./meridian-data")]
    pub data: PathBuf,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The capability is not there yet.
    #[error("`meridian {0}` is not built yet: the command keeps its name for when it is")]
    NotBuilt(&'static str),
    /// The node did not answer.
    #[error("no node answers at {endpoint}: start one with `meridian start`, or say with --endpoint where one is")]
    Unreachable {
        /// Where it was asked.
        endpoint: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The endpoint is no address that this tool can ask.
    #[error("--endpoint {0}: write http://HOST:PORT of a node's admin listener")]
    Endpoint(String),
    /// There is no token.
    #[error("no admin token: give --token or MERIDIAN_TOKEN, or --data DIR of the node on this machine ({} cannot be read)", .0.display())]
    NoToken(PathBuf),
    /// The node refused.
    #[error("the node answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The node's answer makes no sense.
    #[error("the node's answer cannot be read: {0}")]
    Answer(String),
    /// The settings make no node.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The node file cannot be used.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The node failed.
    #[error(transparent)]
    Node(#[from] crate::node::NodeError),
    /// Standard output is full or closed.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
    /// The demo failed.
    #[error("the demo stopped: {0}")]
    Demo(String),
}

impl Ask {
    fn token(&self) -> Result<String, CliError> {
        if let Some(token) = &self.token {
            return Ok(token.trim().to_owned());
        }
        let path = self.data.join("admin-token");
        std::fs::read_to_string(&path).map(|token| token.trim().to_owned()).map_err(|_| CliError::NoToken(path))
    }

    /// Sends one request and gives the JSON of a 2xx answer.
    ///
    /// # Errors
    /// When there is no token, no answer, or a refusal.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, CliError> {
        let token = self.token()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let unreachable = |cause| CliError::Unreachable { endpoint: self.endpoint.clone(), cause };
        let runtime = runtime.map_err(unreachable)?;
        let address = address_of(&self.endpoint).ok_or_else(|| CliError::Endpoint(self.endpoint.clone()))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = ::http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", address)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|cause| CliError::Answer(cause.to_string()))?;
        // The timer belongs to the runtime, so it is made inside it.
        let answered =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), exchange(address, request)).await });
        let (status, bytes) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(cause)) => return Err(unreachable(cause)),
            Err(_) => return Err(unreachable(std::io::ErrorKind::TimedOut.into())),
        };
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let message =
            value["message"].as_str().map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), str::to_owned);
        Err(CliError::Refused { status, message })
    }
}

/// `HOST:PORT` of an `http://` endpoint.
fn address_of(endpoint: &str) -> Option<&str> {
    let address = endpoint.strip_prefix("http://")?.trim_end_matches('/');
    (address.contains(':') && !address.contains('/')).then_some(address)
}

/// One request over a fresh connection.
async fn exchange(address: &str, request: ::http::Request<Full<Bytes>>) -> std::io::Result<(u16, Bytes)> {
    let answer = Connection::plain(address).await?.send(request).await?;
    Ok((answer.status, answer.body))
}
