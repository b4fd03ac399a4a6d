//! The steps that look at the code and its dependencies without running a test.

use anyhow::Result;

use crate::process::{cargo, command, run};
use crate::test::Outcome;
use crate::{licences, tools};

/// Checks that the code is laid out as `rustfmt.toml` says.
pub(crate) fn format() -> Result<Outcome> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::default())
}

/// Checks the lints of the workspace; a warning is an error.
pub(crate) fn lints() -> Result<Outcome> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(Outcome::default())
}

/// Builds the documentation; a broken link is an error.
pub(crate) fn documentation() -> Result<Outcome> {
    run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::default())
}

/// Checks licences, bans and sources as `deny.toml` says. Advisories need a database from outside and stay out.
pub(crate) fn dependencies() -> Result<Outcome> {
    let Some(deny) = tools::cargo_deny() else {
        return Ok(Outcome::skipped("dependencies", "cargo-deny is not installed"));
    };
    let mut check = command(deny);
    check.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    run(&mut check)?;
    Ok(Outcome::default())
}

/// Checks that no dependency's licence text says more than the licence that it names.
pub(crate) fn licence_texts() -> Result<Outcome> {
    licences::check()?;
    Ok(Outcome::default())
}
