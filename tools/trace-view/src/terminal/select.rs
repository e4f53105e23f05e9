//! Which events are shown.

use std::collections::BTreeSet;

use run_record::trace::{Event, Trace, What};

use super::line::Line;
use super::options::{Error, Options};
use super::story::{Stories, call_of};
use super::topic::{Topic, Topics};
use crate::replay::Replay;

/// A trace with more events than this is a long one.
const LONG: usize = 600;
/// How much of a long trace is shown before its end, and before and after a fact of the verdict.
const BEFORE_END_US: u64 = 2_000_000;
const AROUND_FACT_US: u64 = 50_000;

/// The filters of [`Options`], understood.
#[derive(Debug, Default)]
pub(super) struct Filter {
    only: Topics,
    hide: Topics,
    servers: Vec<u32>,
    /// The times to show, from and to; all of them if there are none.
    windows: Vec<(u64, u64)>,
    /// The events to show, by their place.
    chosen: Option<BTreeSet<usize>>,
    grep: Option<String>,
    fold: bool,
    fold_heartbeats: bool,
    /// True if the view leaves something out that nobody asked it to.
    pub(super) by_itself: bool,
}

impl Filter {
    pub(super) fn new(
        trace: &Trace,
        stories: &Stories<'_>,
        options: &Options,
    ) -> Result<Filter, Error> {
        let (only, hide) =
            (Topics::parse(&options.only, trace)?, Topics::parse(&options.hide, trace)?);
        let lanes = (trace.header.lanes.len() as u64).max(trace.header.servers.into());
        let servers = u32::try_from(lanes).unwrap_or(u32::MAX);
        if let Some(&number) = options.server.iter().find(|server| **server >= servers) {
            return Err(Error::Server { number, servers });
        }
        if let (Some(from), Some(to)) = (options.from, options.to)
            && from > to
        {
            return Err(Error::Times { from, to });
        }
        let call = options.call.map(|call| whole_call(trace, stories, call)).transpose()?;
        let chain = options.causes_of.map(|n| chain(trace, stories, n)).transpose()?;
        let chosen = match (call, chain) {
            (Some(call), Some(chain)) => Some(call.intersection(&chain).copied().collect()),
            (call, chain) => call.or(chain),
        };
        let asked = !only.is_empty() || !options.server.is_empty() || options.grep.is_some();
        let fold = !options.all && !options.one_story();
        let long = trace.events.len() > LONG;
        let by_itself = fold && long && !asked && !options.has_place();
        let windows = match by_itself {
            true => near_the_end(trace),
            false => vec![(options.from.unwrap_or(0), options.to.unwrap_or(u64::MAX))],
        };
        Ok(Filter {
            fold_heartbeats: fold && !only.has(Topic::Heartbeat),
            fold: fold && options.grep.is_none() && !only.has(Topic::Net) && !only.has(Topic::Test),
            only,
            hide,
            servers: options.server.clone(),
            windows,
            chosen,
            grep: options.grep.as_ref().map(|text| text.to_lowercase()),
            by_itself,
        })
    }

    /// True if the event that the replay has just walked over is shown, in this line.
    pub(super) fn passes(&self, replay: &Replay<'_>, event: &Event, line: &Line) -> bool {
        let at = replay.position().saturating_sub(1);
        let window = |(from, to): &(u64, u64)| (*from..=*to).contains(&event.us);
        self.windows.iter().any(window)
            && self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&at))
            && (self.servers.is_empty() || line.lanes.iter().any(|l| self.servers.contains(l)))
            && self.has_topic(event, line)
            && !self.folds(line)
            && self.grep.as_ref().is_none_or(|grep| contains(replay, event, line, grep))
    }

    fn has_topic(&self, event: &Event, line: &Line) -> bool {
        let own = |topics: &Topics| line.own.as_ref().is_some_and(|own| topics.has_own(own));
        let wanted = self.only.is_empty()
            || own(&self.only)
            || line.topics.iter().any(|topic| self.only.has(*topic));
        // A state may have changed in several ways: what is left of them is still of interest.
        let several = matches!(event.what, What::State(_) | What::Inferred { .. });
        let mut topics = line.topics.iter();
        let hidden = match several {
            true => topics.all(|topic| self.hide.has(*topic)),
            false => topics.any(|topic| self.hide.has(*topic)),
        };
        wanted && !hidden && !own(&self.hide)
    }

    fn folds(&self, line: &Line) -> bool {
        match line.topics.contains(&Topic::Heartbeat) {
            true => self.fold_heartbeats && line.quiet,
            false => self.fold && line.quiet,
        }
    }
}

/// True if the line or its message contains a text in small letters.
fn contains(replay: &Replay<'_>, event: &Event, line: &Line, text: &str) -> bool {
    let call = line.call.and_then(|call| replay.call(call));
    let message = match line.topics.contains(&Topic::Reply) {
        true => call.and_then(|call| call.reply),
        false => call.map(|call| call.args),
    };
    let has = |place: &str| place.to_lowercase().contains(text);
    has(&line.parts.whole()) || has(&event.task) || message.is_some_and(|m| has(&m.to_string()))
}

/// The end of a trace, and the moments of the facts that do not fit together.
fn near_the_end(trace: &Trace) -> Vec<(u64, u64)> {
    let last = trace.events.last().map_or(0, |event| event.us);
    let footer = trace.footer.as_ref().map(|footer| footer.end_us);
    let end = trace.verdict().map(|verdict| verdict.us).or(footer).unwrap_or(last).min(last);
    let facts = trace.verdict().into_iter().flat_map(|verdict| &verdict.facts);
    let around = |us: u64| (us.saturating_sub(AROUND_FACT_US), us.saturating_add(AROUND_FACT_US));
    let facts = facts.filter_map(|fact| fact.us).map(around);
    facts.chain([(end.saturating_sub(BEFORE_END_US), u64::MAX)]).collect()
}

/// All events of a call, and those that came of it directly.
fn whole_call(trace: &Trace, stories: &Stories<'_>, call: u64) -> Result<BTreeSet<usize>, Error> {
    let events = || trace.events.iter().enumerate();
    let of_it = events().filter(|(_, event)| call_of(&event.what) == Some(call));
    let mut chosen: BTreeSet<usize> = of_it.map(|(at, _)| at).collect();
    if chosen.is_empty() {
        return Err(Error::Call { number: call, range: stories.range() });
    }
    let numbers: BTreeSet<u64> = chosen.iter().map(|at| trace.events[*at].n).collect();
    let led_to = |event: &Event| event.cause.is_some_and(|cause| numbers.contains(&cause));
    chosen.extend(events().filter(|(_, event)| led_to(event)).map(|(at, _)| at));
    Ok(chosen)
}

/// An event and all that led to it.
fn chain(trace: &Trace, stories: &Stories<'_>, n: u64) -> Result<BTreeSet<usize>, Error> {
    let range = || Some((trace.events.first()?.n, trace.events.last()?.n));
    let last = stories.find(n).ok_or_else(|| Error::Event { number: n, range: range() })?;
    Ok(std::iter::successors(Some(last), |at| stories.cause(*at)).collect())
}
