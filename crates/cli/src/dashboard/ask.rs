//! Asks the pages of an engine on this machine for JSON.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most bytes of an answer.
const MOST_BYTES: usize = 32 * 1024 * 1024;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Returns what a path of the pages says; nothing when they do not answer in time, or otherwise than they should.
pub(crate) async fn get<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Option<T> {
    let answer = timeout(PATIENCE, fetch(address, path)).await;
    let bytes = match answer {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            tracing::debug!(event = "dashboard.unanswered", "{address}{path}: {error}");
            return None;
        }
        Err(_) => return None,
    };
    serde_json::from_slice(&bytes).ok()
}

async fn fetch(address: SocketAddr, path: &str) -> Result<Bytes, Fault> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(Fault::from)?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await?.to_bytes();
        if status == StatusCode::OK { Ok(body) } else { Err(Fault::from(status.to_string())) }
    };
    let mut answer = std::pin::pin!(answer);
    // The answer may be complete in the same turn in which the connection ends.
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        ended = connection => ended?,
    }
    answer.await
}
