//! The repository and the store that a command finds beside an engine, or without one.

use std::path::{Path, PathBuf};

use glitchlab_pipeline::git::{GitRepo, RepoOptions};
use glitchlab_store::{Reader, Sqlite};

use crate::args::Place;
use crate::exit::{Code, OrStop, Stop};
use crate::{compose, config};

/// What a command looks at.
pub(crate) struct Here {
    pub(crate) repo: GitRepo,
    pub(crate) repo_id: String,
    pub(crate) store: PathBuf,
    /// None when no engine has ever run with this store.
    pub(crate) reader: Option<Reader>,
}

impl Here {
    /// Finds the repository and its store.
    ///
    /// # Errors
    ///
    /// Returns why one of them cannot be read.
    pub(crate) async fn open(place: &Place) -> Result<Self, Stop> {
        let folder = place.repo.as_deref();
        let store = config::store_of(folder, place.store.clone()).or_stop(Code::Configuration)?;
        let options = RepoOptions::new(config::environment());
        let repo = compose::git_repo(folder.unwrap_or(Path::new(".")), &options).await?;
        let reader = reader(&store).await?;
        Ok(Self { repo_id: compose::repo_id(&repo), repo, store, reader })
    }
}

/// Opens a store that is there for reading.
///
/// # Errors
///
/// Returns why it cannot be read.
pub(crate) async fn reader(store: &Path) -> Result<Option<Reader>, Stop> {
    if !store.exists() {
        return Ok(None);
    }
    let (found, known) = Sqlite::schema(store).await.or_stop(Code::Configuration)?;
    if found < known {
        let old = anyhow::anyhow!(
            "{} has schema {found}, and this program reads {known}; the next `glitchlab continuous` brings it up to date",
            store.display()
        );
        return Err(Stop::new(Code::Configuration, old));
    }
    Ok(Some(Reader::Sqlite(Sqlite::readers(store).await.or_stop(Code::Configuration)?)))
}
