//! The variables a process gets.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// What builds and tests commonly need: where things are, in which language, and how to reach a network.
const ALLOWED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "TMPDIR",
    "CI",
    "NO_COLOR",
    "LD_LIBRARY_PATH",
    "PKG_CONFIG_PATH",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "MAKEFLAGS",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOROOT",
    "GOFLAGS",
    "GOPROXY",
    "JAVA_HOME",
    "GRADLE_USER_HOME",
    "NVM_DIR",
    "NODE_PATH",
    "NODE_OPTIONS",
    "VIRTUAL_ENV",
    "PYENV_ROOT",
    "PYTHONPATH",
    "GEM_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// The same for families of names.
const ALLOWED_FAMILIES: &[&str] = &["LC_", "XDG_"];

/// Variables of git that say how to reach a server or where the settings are, never which repository is meant.
const GIT_SETTINGS: &[&str] =
    &["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_SSH", "GIT_SSH_COMMAND"];

/// What the names of variables with secrets have in them.
const SECRET_WORDS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL", "AUTH"];

/// The variables a process gets: all of them, nothing is inherited beside them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Takes the variables as they are, usually those of the engine.
    pub fn new(variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// Adds or replaces one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Returns one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Keeps what builds and tests commonly need, and the `extra` names: never a key that happens to be set.
    #[must_use]
    pub fn for_tests(&self, extra: &[String]) -> Self {
        self.keeping(|name| is_allowed(name, extra))
    }

    /// Keeps the same and what git tells its hooks.
    #[must_use]
    pub fn for_hooks(&self, extra: &[String]) -> Self {
        self.keeping(|name| name.starts_with("GIT_") || is_allowed(name, extra))
    }

    /// Leaves out what ties git to a repository: a hook that starts the engine must not lead it to its own.
    #[must_use]
    pub fn for_git(&self) -> Self {
        self.keeping(|name| !name.starts_with("GIT_") || GIT_SETTINGS.contains(&name))
    }

    /// Returns the values that nobody is to read: those of variables named like secrets, and of the `passed` ones, whatever
    /// their names.
    #[must_use]
    pub fn secrets(&self, passed: &[String]) -> Vec<String> {
        let is_secret = |name: &str| {
            let name = name.to_uppercase();
            SECRET_WORDS.iter().any(|word| name.contains(word))
        };
        let found = self.keeping(|name| is_secret(name) || passed.iter().any(|allowed| allowed == name));
        found.variables.values().filter_map(|value| value.to_str().map(str::to_owned)).collect()
    }

    fn keeping(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept = self.variables.iter().filter(|(name, _)| name.to_str().is_some_and(&keep));
        Self { variables: kept.map(|(name, value)| (name.clone(), value.clone())).collect() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

fn is_allowed(name: &str, extra: &[String]) -> bool {
    ALLOWED.contains(&name)
        || ALLOWED_FAMILIES.iter().any(|family| name.starts_with(family))
        || extra.iter().any(|allowed| allowed == name)
}

/// Shows the names only: values can be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(environment: &Environment) -> Vec<&str> {
        environment.iter().filter_map(|(name, _)| name.to_str()).collect()
    }

    #[test]
    fn tests_see_no_key_that_was_not_allowed() {
        let all = Environment::new([
            ("PATH", "/bin"),
            ("SOME_API_KEY", "x"),
            ("LC_ALL", "C"),
            ("DATABASE_URL", "y"),
        ]);
        assert_eq!(names(&all.for_tests(&[])), ["LC_ALL", "PATH"]);
        assert_eq!(names(&all.for_tests(&["DATABASE_URL".into()])), ["DATABASE_URL", "LC_ALL", "PATH"]);
    }

    #[test]
    fn git_does_not_see_the_repository_of_a_surrounding_hook() {
        let all = Environment::new([
            ("GIT_DIR", "/x"),
            ("GIT_INDEX_FILE", "/y"),
            ("GIT_SSH", "ssh"),
            ("HOME", "/h"),
        ]);
        assert_eq!(names(&all.for_git()), ["GIT_SSH", "HOME"]);
    }

    #[test]
    fn secrets_are_known_by_their_names_or_because_they_were_passed() {
        let all = Environment::new([
            ("MY_TOKEN", "one"),
            ("db_password", "two"),
            ("PLAIN", "three"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(all.secrets(&[]), ["one", "two"]);
        assert_eq!(all.secrets(&["PLAIN".into()]), ["one", "three", "two"]);
    }

    #[test]
    fn values_are_never_printed() {
        let secret = Environment::new([("TOKEN", "hunter2")]);
        assert_eq!(format!("{secret:?}"), r#"{"TOKEN"}"#);
    }
}
