//! The closed list of reasons without what each carries, and the facts that hold for every one of a kind.

use super::Reason;

/// Lists the kinds of reasons once: a variant of [`Reason`] that is not in this list does not compile.
macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        /// A reason without what it carries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each names its variant of `Reason`, where it is described")]
        pub enum ReasonKind {
            $($name),*
        }

        impl ReasonKind {
            /// Every kind, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the variant's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }
        }

        impl Reason {
            /// Returns which reason it is, without what it carries.
            #[must_use]
            pub const fn kind(&self) -> ReasonKind {
                match self {
                    $(Self::$name { .. } => ReasonKind::$name),*
                }
            }
        }
    };
}

kinds![
    CapReached,
    AfterSettlement,
    Paced,
    TokenCapReached,
    TokensAfterSettlement,
    TaskAfterSettlement,
    ModelOverran,
    Backoff,
    CoolDown,
    Snoozed,
    Paused,
    BreakerOpen,
    BlockedBy,
    ChildrenOpen,
    InReview,
    BaseCheckedOutDirty,
    TooManyOpenRequests,
    TaskLimit,
    DiskLow,
    StoreUnavailable,
    NoFreeWorker,
    ShuttingDown,
    NeedsHuman,
    NotWork,
    Label,
    LowPriority,
    SourceStatus,
    DeferredUntil,
    NotOffered,
    Cycle,
    Dropped,
];

/// Whose turn it is while a reason lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A person's.
    You,
    /// The engine's, or only time's.
    Engine,
    /// That of other tasks.
    Tasks,
    /// Nobody's: it was left out on purpose.
    Skipped,
}

impl Group {
    /// All of them, in the order in which pages and commands show them.
    pub const ALL: [Self; 4] = [Self::You, Self::Engine, Self::Tasks, Self::Skipped];

    /// Returns the heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::You => "Waits for you",
            Self::Engine => "Waits for the engine or an instant",
            Self::Tasks => "Waits for other tasks",
            Self::Skipped => "Skipped on purpose",
        }
    }

    /// Returns the word by which addresses and JSON name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Engine => "engine",
            Self::Tasks => "tasks",
            Self::Skipped => "skipped",
        }
    }
}

/// What ends a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// An instant, which is always known.
    Instant,
    /// An instant when one is known, else an event or a person.
    InstantOrEvent,
    /// Something that happens.
    Event,
    /// A person, or a change of a setting or of the issue.
    Person,
}

impl End {
    /// Says it for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Instant => "an instant",
            Self::InstantOrEvent => "an instant, if one is set",
            Self::Event => "an event",
            Self::Person => "a person",
        }
    }
}

impl ReasonKind {
    /// Returns whose turn it is.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::InReview
            | Self::BaseCheckedOutDirty
            | Self::TooManyOpenRequests
            | Self::TaskLimit
            | Self::NeedsHuman
            | Self::ModelOverran
            | Self::Cycle => Group::You,
            Self::CapReached
            | Self::TokenCapReached
            | Self::TokensAfterSettlement
            | Self::TaskAfterSettlement
            | Self::AfterSettlement
            | Self::Paced
            | Self::Backoff
            | Self::CoolDown
            | Self::Snoozed
            | Self::Paused
            | Self::BreakerOpen
            | Self::DiskLow
            | Self::StoreUnavailable
            | Self::NoFreeWorker
            | Self::ShuttingDown
            | Self::DeferredUntil => Group::Engine,
            Self::BlockedBy | Self::ChildrenOpen => Group::Tasks,
            Self::NotWork
            | Self::Label
            | Self::LowPriority
            | Self::SourceStatus
            | Self::NotOffered
            | Self::Dropped => Group::Skipped,
        }
    }

    /// Returns what ends it.
    #[must_use]
    pub const fn end(self) -> End {
        match self {
            Self::CapReached
            | Self::TokenCapReached
            | Self::Paced
            | Self::Backoff
            | Self::CoolDown
            | Self::Snoozed
            | Self::DeferredUntil => End::Instant,
            Self::Paused | Self::BreakerOpen => End::InstantOrEvent,
            Self::AfterSettlement
            | Self::TokensAfterSettlement
            | Self::TaskAfterSettlement
            | Self::BlockedBy
            | Self::ChildrenOpen
            | Self::StoreUnavailable
            | Self::NoFreeWorker
            | Self::DiskLow
            | Self::ShuttingDown => End::Event,
            Self::InReview
            | Self::BaseCheckedOutDirty
            | Self::TooManyOpenRequests
            | Self::TaskLimit
            | Self::NeedsHuman
            | Self::ModelOverran
            | Self::Cycle
            | Self::NotWork
            | Self::Label
            | Self::LowPriority
            | Self::SourceStatus
            | Self::NotOffered
            | Self::Dropped => End::Person,
        }
    }

    /// Tells whether its chip leaves nothing out that its sentence has.
    #[must_use]
    pub const fn is_said_by_its_chip(self) -> bool {
        !matches!(
            self,
            Self::Backoff
                | Self::CoolDown
                | Self::Paused
                | Self::BaseCheckedOutDirty
                | Self::DiskLow
                | Self::StoreUnavailable
                | Self::NeedsHuman
                | Self::Cycle
        )
    }

    /// Tells whether it holds up whatever is next, not one task: such a wait is no rest of the task that was told it,
    /// because it may end before the instant that was given.
    #[must_use]
    pub const fn holds_admission(self) -> bool {
        match self {
            Self::CapReached
            | Self::AfterSettlement
            | Self::TokenCapReached
            | Self::TokensAfterSettlement
            | Self::Paced
            | Self::ModelOverran
            | Self::Paused
            | Self::BreakerOpen
            | Self::TooManyOpenRequests
            | Self::TaskLimit
            | Self::DiskLow
            | Self::StoreUnavailable
            | Self::NoFreeWorker
            | Self::ShuttingDown => true,
            Self::TaskAfterSettlement
            | Self::Backoff
            | Self::CoolDown
            | Self::Snoozed
            | Self::BlockedBy
            | Self::ChildrenOpen
            | Self::InReview
            | Self::BaseCheckedOutDirty
            | Self::NeedsHuman
            | Self::NotWork
            | Self::Label
            | Self::LowPriority
            | Self::SourceStatus
            | Self::DeferredUntil
            | Self::NotOffered
            | Self::Cycle
            | Self::Dropped => false,
        }
    }
}
