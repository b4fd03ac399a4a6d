//! What the pages of an engine show in another process: what the engine itself says while it answers, else what the store
//! says. So its pages are there when its own are not, and after its end.

pub(crate) mod ask;
mod past;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::why::Why;
use glitchlab_runtime::TreeSnapshot;
use glitchlab_store::{Reader, clock};
use glitchlab_web::{Health, Sources};
use tokio::sync::watch;

use self::past::Past;
use crate::agents;
use crate::config::Config;
use crate::records::StoreRecords;
use crate::standing::running;

/// How often the engine is asked.
const ASK: Duration = Duration::from_secs(1);
/// How often the store is read when no engine answers: all of its tasks and the backlog.
const READ: Duration = Duration::from_secs(5);

/// What there is to show now.
#[derive(Clone, Debug, Default)]
struct Shown {
    tree: Option<TreeSnapshot>,
    health: Health,
}

/// Follows an engine, and the store where there is none.
pub(crate) struct Tail {
    past: Past,
    repo_id: String,
    reader: Reader,
    snapshot: watch::Sender<Arc<Snapshot>>,
    why: watch::Sender<Arc<Why>>,
    shown: Arc<Mutex<Shown>>,
}

impl Tail {
    /// Makes it, and the sources of the pages that it fills.
    pub(crate) fn new(config: Config, repo_id: String, reader: Reader) -> (Self, Sources) {
        let snapshot = watch::Sender::new(Arc::default());
        let why = watch::Sender::new(Arc::default());
        let shown = Arc::new(Mutex::new(Shown::default()));
        let (tree, health) = (Arc::clone(&shown), Arc::clone(&shown));
        let sources = Sources {
            snapshot: snapshot.subscribe(),
            why: why.subscribe(),
            tree: Arc::new(move || look(&tree).tree),
            health: Arc::new(move || look(&health).health),
            // What is counted is the engine's own.
            metrics: None,
            records: Arc::new(StoreRecords {
                reader: reader.clone(),
                repo_id: repo_id.clone(),
                artifacts: agents::artifacts(&config),
            }),
            clock: clock::wall(),
        };
        let past = Past { config, repo_id: repo_id.clone(), reader: reader.clone() };
        (Self { past, repo_id, reader, snapshot, why, shown }, sources)
    }

    /// Follows for ever.
    pub(crate) async fn run(self) {
        loop {
            tokio::time::sleep(self.turn().await).await;
        }
    }

    /// Shows what is to be seen now, and returns how long that is good for.
    async fn turn(&self) -> Duration {
        match running(&self.reader, &self.repo_id).await {
            Ok(Some(process)) if self.ask(&process).await => ASK,
            Ok(Some(process)) => {
                let why = format!(
                    "Process {} runs and its pages at {} do not answer: these are the numbers of the store",
                    process.pid, process.listen
                );
                self.read(Some(&process), Health::Degraded(why)).await
            }
            Ok(None) => self.read(None, Health::Ok).await,
            Err(error) => self.fail(&format!("{error:#}")),
        }
    }

    /// Takes over what the engine itself says. Returns whether it answers.
    async fn ask(&self, process: &ProcessRow) -> bool {
        let Ok(address) = process.listen.parse::<SocketAddr>() else { return false };
        let (snapshot, why, tree) = tokio::join!(
            ask::get::<Snapshot>(address, "/api/v1/state"),
            ask::get::<Why>(address, "/api/v1/why"),
            ask::get::<TreeSnapshot>(address, "/api/v1/actors"),
        );
        let (Some(snapshot), Some(why)) = (snapshot, why) else { return false };
        // One that has gone down since was another process's, or nobody's.
        if snapshot.engine.boot_id != process.boot_id {
            return false;
        }
        let trouble = snapshot.troubles.iter().find(|trouble| trouble.critical);
        let unreached = Some(&snapshot.telemetry.what).filter(|what| !what.is_empty());
        let impaired = trouble.map(|trouble| &trouble.what).or(unreached);
        let health = impaired.map_or(Health::Ok, |what| Health::Degraded(what.clone()));
        self.show(Shown { tree, health }, snapshot, why);
        true
    }

    async fn read(&self, process: Option<&ProcessRow>, health: Health) -> Duration {
        match self.past.read(process, (clock::wall())()).await {
            Ok((snapshot, why)) => {
                self.show(Shown { tree: None, health }, snapshot, why);
                READ
            }
            Err(error) => self.fail(&format!("{error:#}")),
        }
    }

    fn show(&self, shown: Shown, snapshot: Snapshot, why: Why) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        self.snapshot.send_replace(Arc::new(snapshot));
        self.why.send_replace(Arc::new(why));
    }

    /// Leaves the last numbers, which grow old in sight, and says why.
    fn fail(&self, why: &str) -> Duration {
        let health = Health::Failing(format!("The store cannot be read: {why}"));
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Shown { tree: None, health };
        ASK
    }
}

fn look(shown: &Mutex<Shown>) -> Shown {
    shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
