//! How the way to the receivers of telemetry is: the running engine alone knows.

use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot::{Delivery, Telemetry};
use serde::Deserialize;

use crate::dashboard::ask;
use crate::output::one_line;
use crate::times;

#[derive(Deserialize)]
struct Details {
    telemetry: Telemetry,
}

/// Asks the engine; nothing when none runs, or its pages do not answer.
pub(super) async fn of(process: Option<&ProcessRow>) -> Option<Telemetry> {
    let address = process?.listen.parse().ok()?;
    ask::get::<Details>(address, "/api/v1/health").await.map(|details| details.telemetry)
}

/// Says it in a line, where there is something to say.
pub(super) fn line(telemetry: &Telemetry, now_ms: i64) -> Option<String> {
    match telemetry.state {
        Delivery::Off => None,
        Delivery::Ok if telemetry.lost == 0 => Some("  telemetry arrives".to_owned()),
        Delivery::Ok => Some(format!("  telemetry arrives; {} records were lost before", telemetry.lost)),
        Delivery::Degraded => {
            let since = telemetry.since_ms.map(|since| format!(", since {}", times::since(since, now_ms)));
            let lost = Some(telemetry.lost).filter(|lost| *lost > 0);
            let lost = lost.map(|lost| format!(", at least {lost} records are lost"));
            let (since, lost) = (since.unwrap_or_default(), lost.unwrap_or_default());
            Some(format!("  {}{since}{lost}", one_line(&telemetry.what)))
        }
    }
}
