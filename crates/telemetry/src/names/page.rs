//! Tables of the documentation, which are the lists here. A page that differs is written anew, and the test fails once.

use std::path::{Path, PathBuf};

pub(super) struct Page {
    path: PathBuf,
    documented: String,
    written: String,
}

impl Page {
    /// Opens a page of the documentation.
    pub(super) fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let documented = std::fs::read_to_string(&path).expect("the page is there");
        Self { path, written: documented.clone(), documented }
    }

    /// Puts a table where the page has the marks of its name.
    pub(super) fn with(
        mut self,
        name: &str,
        head: &str,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let (before, rest) =
            self.written.split_once(&open).unwrap_or_else(|| panic!("the page lacks {open}"));
        let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("the page lacks {close}"));
        let rule = "|---".repeat(head.matches('|').count() - 1);
        let rows: String = rows.into_iter().map(|cells| format!("| {} |\n", cells.join(" | "))).collect();
        self.written = format!("{before}{open}{head}\n{rule}|\n{rows}{close}{after}");
        self
    }

    /// Expects that the page had these tables.
    pub(super) fn is_so(&self) {
        if self.written != self.documented {
            std::fs::write(&self.path, &self.written).expect("the page is written");
            panic!("{} was not the list; it is written anew: look at it and commit it", self.path.display());
        }
    }
}

/// Marks a name.
pub(super) fn code(name: &str) -> String {
    format!("`{name}`")
}
