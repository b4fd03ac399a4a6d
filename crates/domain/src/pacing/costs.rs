//! What attempts really cost, so that holds are unbiased: the mean by repository and size.

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;
use crate::outcome::Size;

/// Attempts that must have ended before their mean counts.
const ENOUGH: u32 = 5;
/// After so many both the count and the sum are halved, so that what is long ago weighs less.
const MANY: u32 = 100;
/// How many repositories are remembered, those with the latest outcome.
const REPOSITORIES: usize = 8;

/// The running means of the repositories that spend from one ledger, the one with the latest outcome first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Costs(Vec<Repository>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Repository {
    repo_id: String,
    /// Every attempt, whatever its size.
    all: Mean,
    /// By size, from S to XL.
    sizes: [Mean; 4],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mean {
    n: u32,
    sum: MicroUsd,
}

impl Costs {
    /// Counts an attempt that has ended.
    pub fn learn(&mut self, repo_id: &str, size: Option<Size>, cost: MicroUsd) {
        let place = self.0.iter().position(|repository| repository.repo_id == repo_id);
        let mut repository = match place {
            Some(place) => self.0.remove(place),
            None => Repository { repo_id: repo_id.to_owned(), ..Repository::default() },
        };
        repository.all.count(cost);
        if let Some(size) = size {
            repository.sizes[size as usize].count(cost);
        }
        self.0.insert(0, repository);
        self.0.truncate(REPOSITORIES);
    }

    /// Returns the mean cost of an attempt at a task whose last attempt had this size, rounded up; of all attempts when
    /// no size is known, or too few attempts had it. None until five attempts of the repository have ended.
    #[must_use]
    pub fn expected(&self, repo_id: &str, size: Option<Size>) -> Option<MicroUsd> {
        let repository = self.0.iter().find(|repository| repository.repo_id == repo_id)?;
        let of_size = size.and_then(|size| repository.sizes[size as usize].value());
        of_size.or_else(|| repository.all.value())
    }
}

impl Mean {
    fn count(&mut self, cost: MicroUsd) {
        self.n += 1;
        self.sum += cost;
        if self.n >= MANY {
            self.n /= 2;
            self.sum = MicroUsd::new(self.sum.micro() / 2);
        }
    }

    fn value(self) -> Option<MicroUsd> {
        let n = i64::from(self.n);
        (self.n >= ENOUGH).then(|| MicroUsd::new(self.sum.micro().saturating_add(n - 1).max(0) / n))
    }
}
