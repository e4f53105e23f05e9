//! Bars beside the columns: which clients have an operation under way.

use run_record::trace::{Event, Trace, What};

use crate::replay::Replay;

/// There is no room for more of them.
const MOST: usize = 16;

/// The clients that have a bar, by lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Bars {
    lanes: Vec<u32>,
    /// Those that the verdict is about.
    bad: Vec<u32>,
}

impl Bars {
    /// Of the clients of a trace, those that the verdict is about come first.
    pub(super) fn new(trace: &Trace) -> Bars {
        let calls = |event: &Event| matches!(event.what, What::Called { .. });
        let mut lanes: Vec<u32> = trace
            .events
            .iter()
            .filter(|event| calls(event))
            .filter_map(|event| event.lane)
            .collect();
        lanes.sort_unstable();
        lanes.dedup();
        let facts = trace.verdict().into_iter().flat_map(|verdict| &verdict.facts);
        let bad: Vec<u32> =
            facts.filter_map(|fact| fact.server).filter(|l| lanes.contains(l)).collect();
        lanes.sort_by_key(|lane| !bad.contains(lane));
        lanes.truncate(MOST);
        lanes.sort_unstable();
        Bars { lanes, bad }
    }

    /// How many columns they take, with the space behind them.
    pub(super) fn width(&self) -> usize {
        if self.lanes.is_empty() { 0 } else { self.lanes.len() + 1 }
    }

    /// What stands above them: the last digit of each client's name. A name may end in anything, and what steers
    /// a terminal is ASCII too.
    pub(super) fn head(&self, trace: &Trace) -> String {
        let name = |lane: &u32| trace.header.lanes.get(*lane as usize)?.chars().next_back();
        self.lanes
            .iter()
            .map(|lane| name(lane).filter(char::is_ascii_graphic).unwrap_or('?'))
            .collect()
    }

    /// The bars beside the line of an event that the replay has just walked over.
    pub(super) fn at(&self, replay: &Replay<'_>, event: &Event) -> String {
        let bar = |lane: &u32| {
            let own = event.lane == Some(*lane);
            let light = match event.what {
                What::Called { .. } if own => '┌',
                What::Answered { .. } if own => '└',
                _ if replay.asks(*lane) => '│',
                _ => ' ',
            };
            if self.bad.contains(lane) { heavy(light) } else { light }
        };
        self.lanes.iter().map(bar).collect()
    }
}

fn heavy(light: char) -> char {
    match light {
        '┌' => '┏',
        '└' => '┗',
        '│' => '┃',
        other => other,
    }
}
