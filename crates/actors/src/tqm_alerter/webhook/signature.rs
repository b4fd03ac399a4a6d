//! The headers of Standard Webhooks: the id, the time and the signature, which is made anew for each try.

use std::sync::Arc;

use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// Signs messages with the secret that one receiver shares with us.
#[derive(Clone)]
pub struct Signer(Arc<Webhook>);

/// A secret that no message can be signed with. It is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret is not base64, as Standard Webhooks wants it; write one such as whsec_ and 32 random bytes in base64"
)]
pub struct BadSecret;

impl Signer {
    /// Reads a secret: base64, with or without `whsec_` before it.
    ///
    /// # Errors
    ///
    /// Returns [`BadSecret`] for anything else.
    pub fn new(secret: &str) -> Result<Self, BadSecret> {
        Webhook::new(secret.trim()).map(|webhook| Self(Arc::new(webhook))).map_err(|_| BadSecret)
    }
}

/// Makes the headers of one try; without a signer they have no signature.
pub(super) fn headers(
    signer: Option<&Signer>,
    webhook_id: &str,
    body: &str,
    now_ms: i64,
) -> Result<Vec<(&'static str, String)>, String> {
    let at_s = now_ms.div_euclid(1_000);
    let mut headers =
        vec![(HEADER_WEBHOOK_ID, webhook_id.to_owned()), (HEADER_WEBHOOK_TIMESTAMP, at_s.to_string())];
    if let Some(Signer(webhook)) = signer {
        let signature = webhook.sign(webhook_id, at_s, body.as_bytes());
        headers.push((HEADER_WEBHOOK_SIGNATURE, signature.map_err(|error| format!("not signed: {error}"))?));
    }
    Ok(headers)
}
