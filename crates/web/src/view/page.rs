//! Whole pages: the layout around the fragments.

use askama::Template;

use super::alerts::{self, Deliveries, Firing, Resolved, Rules};
use super::badge::Badge;
use super::banners::Banners;
use super::engine::Engine;
use super::feed::Feed;
use super::lead::Lead;
use super::money::Money;
use super::now::Now;
use super::queue::Queue;
use super::story::costs::Costs;
use super::story::lead::TaskLead;
use super::story::parts::Parts;
use super::story::transcript::Transcript;
use super::story::tree::PartsTree;
use super::story::waterfall::Waterfall;
use super::tasks::ask::Ask;
use super::tasks::{self, Rows};
use super::text::{self, Clock};
use super::tree::{self, Tree};
use super::why::{self, Gates, Waits};
use super::{Moment, glyph::Glyph, link, render};
use crate::assets::{ICON, SCRIPT, STYLE};
use crate::records::Unavailable;
use crate::sse::Regions;
use glitchlab_domain::alert::overview::Overview;
use glitchlab_domain::history::TaskPage;
use glitchlab_domain::snapshot::Activity;
use glitchlab_domain::story::Story;

/// What every page has around its content.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) title: String,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
    pub(crate) views: Vec<ViewLink>,
    /// The page's own path, for its reload link.
    pub(crate) path: String,
    /// The state of the stream when the page opens.
    pub(crate) stream: &'static str,
    /// The page asks again for its own regions.
    pub(crate) polls: bool,
    /// Where the live updates come from; unset on a page that has none.
    pub(crate) events: Option<String>,
    pub(crate) as_of: Clock,
    pub(crate) engine: Engine,
    pub(crate) banners: Banners,
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub(crate) struct ViewLink {
    pub(crate) path: &'static str,
    pub(crate) word: &'static str,
    pub(crate) current: bool,
    pub(crate) badge: Option<Badge>,
}

fn badge(path: &str, moment: &Moment) -> Option<Badge> {
    match path {
        "/why" => Some(Badge::you(moment)),
        "/alerts" => Some(Badge::firing(moment)),
        _ => None,
    }
}

/// The views in the order of the navigation.
const VIEWS: [(&str, &str); 5] =
    [("/", "Live"), ("/why", "Why"), ("/alerts", "Alerts"), ("/tasks", "Tasks"), ("/actors", "Actors")];

impl Layout {
    /// Frames a page; `events` is the URL of its stream.
    pub(crate) fn new(moment: &Moment, path: &'static str, title: String, events: Option<String>) -> Self {
        let stopped = moment.snapshot.activity == Activity::Stopped;
        Self {
            title,
            style: STYLE.href(),
            script: SCRIPT.href(),
            icon: ICON.href(),
            views: VIEWS
                .map(|(to, word)| ViewLink { path: to, word, current: to == path, badge: badge(to, moment) })
                .into(),
            path: path.to_owned(),
            polls: false,
            stream: match &events {
                _ if stopped => "off",
                Some(_) => "wait",
                None => "none",
            },
            events: events.filter(|_| !stopped),
            as_of: text::clock(moment.now_ms),
            engine: Engine::new(moment),
            banners: Banners::new(moment),
        }
    }

    /// Frames a page below a view that has no stream and is polled, at an address of its own.
    fn polled(moment: &Moment, view: &'static str, here: String, title: String) -> Self {
        let layout = Self::new(moment, view, title, None);
        let stopped = moment.snapshot.activity == Activity::Stopped;
        let stream = if stopped { layout.stream } else { "poll" };
        Self { path: here, stream, polls: !stopped, ..layout }
    }
}

/// The page that says what the engine is doing now.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/live.html")]
pub(crate) struct LivePage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) now: Now,
    pub(crate) money: Money,
    pub(crate) queue: Queue,
    pub(crate) feed: Feed,
}

impl LivePage {
    pub(crate) fn new(moment: &Moment, events: String) -> Self {
        let lead = Lead::live(&moment.snapshot, moment.now_ms);
        Self {
            layout: Layout::new(moment, "/", lead.title(), Some(events)),
            lead,
            now: Now::new(moment),
            money: Money::new(moment),
            queue: Queue::new(moment),
            feed: Feed::new(&moment.snapshot),
        }
    }
}

/// The page that says whether the tree is whole.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/actors.html")]
pub(crate) struct ActorsPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) tree: Tree,
}

impl ActorsPage {
    pub(crate) fn new(moment: &Moment, events: String) -> Self {
        let lead = tree::lead(moment);
        Self {
            layout: Layout::new(moment, "/actors", lead.title(), Some(events)),
            lead,
            tree: Tree::new(moment),
        }
    }
}

/// The page that says why nothing starts.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/why.html")]
pub(crate) struct WhyPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) gates: Option<Gates>,
    pub(crate) waits: Waits,
}

impl WhyPage {
    pub(crate) fn new(moment: &Moment, events: String) -> Self {
        let lead = why::lead(moment);
        Self {
            layout: Layout::new(moment, "/why", lead.title(), Some(events)),
            lead,
            gates: Some(Gates::new(moment)),
            waits: Waits::new(moment),
        }
    }

    pub(crate) fn needs_you(moment: &Moment, events: String) -> Self {
        let lead = why::needs_you(moment);
        let layout = Layout::new(moment, "/why", lead.title(), Some(events));
        let layout = Layout { path: "/why?group=you".to_owned(), ..layout };
        Self { layout, lead, gates: None, waits: Waits::needs_you(moment) }
    }
}

/// The page that says what fires.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/alerts.html")]
pub(crate) struct AlertsPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) firing: Firing,
    pub(crate) rules: Rules,
    pub(crate) resolved: Resolved,
    pub(crate) deliveries: Deliveries,
}

impl AlertsPage {
    pub(crate) fn new(moment: &Moment, overview: &Overview) -> Self {
        let lead = alerts::lead::lead(overview, moment.now_ms);
        Self {
            layout: Layout::polled(moment, "/alerts", "/alerts".to_owned(), lead.title()),
            lead,
            firing: Firing::new(overview, moment.now_ms),
            rules: Rules::new(overview),
            resolved: Resolved::new(overview, moment.now_ms),
            deliveries: Deliveries::new(overview, moment.now_ms),
        }
    }

    /// Renders what a poll may change.
    pub(crate) fn regions(&self) -> Regions {
        let units = vec![
            ("lead", render(&self.lead)),
            ("firing", render(&self.firing)),
            ("rules", render(&self.rules)),
            ("resolved", render(&self.resolved)),
            ("deliveries", render(&self.deliveries)),
        ];
        regions(&self.layout, units)
    }
}

/// The list of tasks.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/tasks.html")]
pub(crate) struct TasksView {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) rows: Rows,
}

impl TasksView {
    pub(crate) fn new(moment: &Moment, ask: &Ask, page: &TaskPage) -> Self {
        let lead = tasks::lead::lead(ask, page);
        Self {
            layout: Layout::polled(moment, "/tasks", ask.href("/tasks"), lead.title()),
            lead,
            rows: Rows::new(ask, page, moment.now_ms),
        }
    }

    /// Renders what a poll may change.
    pub(crate) fn regions(&self) -> Regions {
        regions(&self.layout, vec![("lead", render(&self.lead)), ("rows", render(&self.rows))])
    }
}

/// One task.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/task.html")]
pub(crate) struct TaskView {
    pub(crate) layout: Layout,
    pub(crate) lead: TaskLead,
    pub(crate) stages: Waterfall,
    pub(crate) parts: Parts,
    pub(crate) costs: Costs,
    pub(crate) tree: Option<PartsTree>,
    pub(crate) transcript: Transcript,
}

impl TaskView {
    pub(crate) fn new(moment: &Moment, story: &Story) -> Self {
        let lead = TaskLead::new(story, moment.now_ms);
        let here = link::task(story.bead_id.as_str());
        Self {
            layout: Layout::polled(moment, "/tasks", here, lead.document()),
            lead,
            stages: Waterfall::new(story, moment.now_ms),
            parts: Parts::new(story, moment.now_ms),
            costs: Costs::new(story),
            tree: PartsTree::new(story),
            transcript: Transcript::new(story),
        }
    }

    /// Renders what a poll may change.
    pub(crate) fn regions(&self) -> Regions {
        let units = vec![
            ("lead", render(&self.lead)),
            ("stages", render(&self.stages)),
            ("parts", render(&self.parts)),
            ("cost", render(&self.costs)),
            ("below", render(&Below { tree: &self.tree })),
            ("transcript", render(&self.transcript)),
        ];
        regions(&self.layout, units)
    }
}

/// The place of the tree, which is there without one.
#[derive(Template)]
#[template(path = "fragments/below.html")]
struct Below<'a> {
    tree: &'a Option<PartsTree>,
}

/// The head of every page goes with its regions, so that the engine and the numbers never disagree.
fn regions(layout: &Layout, mut units: Vec<(&'static str, String)>) -> Regions {
    let badges = layout.views.iter().filter_map(|view| view.badge.as_ref());
    let shared = [("engine", render(&layout.engine)), ("banners", render(&layout.banners))];
    let head = badges.map(|badge| (badge.id, render(badge))).chain(shared);
    units.splice(0..0, head);
    Regions { title: layout.title.clone(), say: String::new(), units, feed: None }
}

/// A page that stands for one that cannot be shown, with a way back.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/refused.html")]
pub(crate) struct RefusedPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) back: (String, &'static str),
}

impl RefusedPage {
    pub(crate) fn no_task(moment: &Moment, here: String, id: &str) -> Self {
        let lead = Lead::says(Glyph::Skip, "There is no such task", format!("Nothing is known of {id}."));
        let text = "It was never in this backlog, or belongs to another repository.";
        let back = ("/tasks".to_owned(), "All tasks");
        Self { layout: Self::layout(moment, here, &lead), lead, title: "Unknown", text, back }
    }

    pub(crate) fn no_store(moment: &Moment, here: String, error: &Unavailable) -> Self {
        let lead = Lead::says(Glyph::Fail, "The history cannot be read", format!("{error}."));
        let text = "The store does not answer. What it knows is shown again when it does.";
        let back = (here.clone(), "Try again");
        Self { layout: Self::layout(moment, here, &lead), lead, title: "Unavailable", text, back }
    }

    fn layout(moment: &Moment, here: String, lead: &Lead) -> Layout {
        let view = if here == "/alerts" { "/alerts" } else { "/tasks" };
        Layout { path: here, ..Layout::new(moment, view, lead.title(), None) }
    }
}

/// The page for a path that leads nowhere.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/missing.html")]
pub(crate) struct MissingPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
}

impl MissingPage {
    pub(crate) fn new(moment: &Moment) -> Self {
        let lead = Lead::says(
            Glyph::Skip,
            "There is no such page",
            "The address leads nowhere. Live shows what the engine is doing now.",
        );
        Self { layout: Layout::new(moment, "", lead.title(), None), lead }
    }
}
