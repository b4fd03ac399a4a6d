//! The model's replies, put together from a file for each bead.

use std::collections::BTreeMap;

use anyhow::Context;
use glitchlab_domain::money::Price;
use glitchlab_models::scripted::Script;

use super::content;

/// What the model charges: so much that the whole demo comes to about a dollar.
const PRICE: Price = Price { input_per_mtok_micro: 7_000_000, output_per_mtok_micro: 35_000_000 };

/// Puts all replies together.
pub(super) fn script() -> anyhow::Result<Script> {
    let mut script = Script { price: PRICE, replies: Vec::new(), defaults: BTreeMap::new() };
    for (name, text) in content::SCRIPTS {
        let part: Script = toml::from_str(text).with_context(|| format!("the demo's {name} is no script"))?;
        script.replies.extend(part.replies);
    }
    Ok(script)
}
