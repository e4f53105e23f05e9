//! The events of a run as long as it lasts, in bounded memory.
//!
//! Of a run that is too long the beginning and the end are kept. What is left out in between is
//! counted, and the last of it that still holds when the end begins is kept too: what each server
//! said it is and has, who runs and is connected, how the network is, what had begun and not ended.

use std::collections::{BTreeMap, VecDeque};

use run_record::trace::{Event, LogChange, State, What};

use crate::message::Message;
use crate::session::Keep;

/// How much of the beginning is kept, in bytes of the trace that is written in the end, or of its page, whichever
/// is more.
const BEGINNING: usize = 8 << 20;
/// How much of the end.
const END: usize = 24 << 20;
/// As many entries of a log are known where the end begins.
const MOST_ENTRIES: usize = 200;

/// An event with its message.
struct Stored {
    event: Event,
    message: Option<Message>,
    /// In bytes of the trace or of its page, roughly.
    size: usize,
}

/// What a session keeps.
pub(crate) struct Kept {
    /// In bytes.
    room: [usize; 2],
    /// How many events the end may have.
    most: usize,
    beginning: Vec<Stored>,
    middle: Middle,
    end: VecDeque<Stored>,
    /// Bytes of the beginning and of the end.
    sizes: [usize; 2],
    pub(crate) total: u64,
}

impl Kept {
    pub(crate) fn new(keep: Keep) -> Kept {
        let (beginning, most) = match keep {
            Keep::Nothing => (0, 0),
            Keep::All => (BEGINNING, usize::MAX),
            Keep::Last(most) => (0, most),
        };
        Kept {
            room: [beginning, END],
            most,
            beginning: Vec::new(),
            middle: Middle::default(),
            end: VecDeque::new(),
            sizes: [0; 2],
            total: 0,
        }
    }

    pub(crate) fn push(&mut self, event: Event, message: Option<Message>) {
        self.total = event.n;
        let size = size(&event, message.as_ref());
        let stored = Stored { event, message, size };
        if self.end.is_empty() && self.sizes[0] + size <= self.room[0] {
            self.sizes[0] += size;
            self.beginning.push(stored);
            return;
        }
        self.sizes[1] += size;
        self.end.push_back(stored);
        while self.end.len() > self.most || (self.sizes[1] > self.room[1] && self.end.len() > 1) {
            let Some(oldest) = self.end.pop_front() else { break };
            self.sizes[1] -= oldest.size;
            // What has no beginning begins with a later number, and that says enough.
            if self.room[0] > 0 {
                self.middle.leave_out(oldest.event);
            }
        }
    }

    /// The event with this number, if it is still there.
    pub(crate) fn get_mut(&mut self, n: u64) -> Option<&mut Event> {
        let place = |first: u64| usize::try_from(n.checked_sub(first)?).ok();
        let begun = place(1).filter(|place| *place < self.beginning.len());
        let stored = match begun {
            Some(place) => self.beginning.get_mut(place),
            None => place(self.end.front()?.event.n).and_then(|place| self.end.get_mut(place)),
        };
        stored.map(|stored| &mut stored.event)
    }

    /// All that is left, in order.
    pub(crate) fn into_events(self) -> Vec<Event> {
        let show = |Stored { mut event, message, .. }: Stored| {
            if let Some(message) = message {
                message.put_into(&mut event.what);
            }
            event
        };
        let beginning = self.beginning.into_iter().map(show);
        let end = self.end.into_iter().map(show);
        beginning.chain(self.middle.into_events()).chain(end).collect()
    }
}

/// What was left out.
#[derive(Default)]
struct Middle {
    events: u64,
    /// The number and the time of the first one.
    first: (u64, u64),
    last_us: u64,
    /// What still holds.
    latest: BTreeMap<Holds, Event>,
    /// How the logs end that servers have told of, by lane.
    logs: BTreeMap<u32, LogChange>,
}

/// What an event says that holds until another one says it anew.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    Life(Option<u32>),
    Link(Option<u32>),
    Way(Option<u32>, u32),
    Pace(Option<u32>, u32),
    Pause(Option<u32>),
    Clock(Option<u32>),
    State(Option<u32>),
    Shards(Option<u32>),
    Configured,
    Network,
    Span(u64),
    Operation(u64),
}

impl Middle {
    fn leave_out(&mut self, event: Event) {
        if self.events == 0 {
            self.first = (event.n, event.us);
        }
        self.events += 1;
        self.last_us = event.us;
        let holds = match &event.what {
            What::Started | What::Crashed => Holds::Life(event.lane),
            What::Connected | What::Disconnected => Holds::Link(event.lane),
            What::OneWay { to, .. } => Holds::Way(event.lane, *to),
            What::Slow { to, .. } => Holds::Pace(event.lane, *to),
            What::Paused | What::Resumed => Holds::Pause(event.lane),
            What::Clock { .. } => Holds::Clock(event.lane),
            What::State(_) | What::Inferred { .. } => Holds::State(event.lane),
            What::Shards { .. } => Holds::Shards(event.lane),
            What::Configured { .. } => Holds::Configured,
            What::Network { .. } => Holds::Network,
            What::Begin { span, .. } => Holds::Span(*span),
            What::End { span, .. } => {
                self.latest.remove(&Holds::Span(*span));
                return;
            }
            What::Called { op, .. } => Holds::Operation(*op),
            What::Answered { op, .. } => {
                self.latest.remove(&Holds::Operation(*op));
                return;
            }
            _ => return,
        };
        if let (Some(lane), What::State(State { log: Some(change), .. })) =
            (event.lane, &event.what)
        {
            add_to_log(self.logs.entry(lane).or_insert_with(|| change.clone()), change);
        }
        self.latest.insert(holds, event);
    }

    /// An event that says what is missing, and what still holds.
    fn into_events(mut self) -> Vec<Event> {
        let mut events: Vec<Event> = self.latest.into_values().collect();
        for event in &mut events {
            if let (Some(lane), What::State(state)) = (event.lane, &mut event.what) {
                state.log = self.logs.remove(&lane);
            }
        }
        events.sort_by_key(|event| event.n);
        let missing = self.events - events.len() as u64;
        if missing > 0 {
            let (first, us) = self.first;
            let place = (first..).zip(&events).take_while(|(n, event)| event.n == *n).count();
            let us = events[..place].last().map_or(us, |event| event.us);
            let what = What::LeftOut { events: missing, until_us: self.last_us };
            let n = first + place as u64;
            let event = Event { n, us, lane: None, task: String::new(), cause: None, what };
            events.insert(place, event);
        }
        events
    }
}

/// Brings the end of a log up to date.
fn add_to_log(log: &mut LogChange, change: &LogChange) {
    let base = change.base.or(log.base);
    let common = change.from.checked_sub(log.from).and_then(|kept| usize::try_from(kept).ok());
    match common.filter(|common| *common <= log.entries.len()) {
        Some(common) => {
            log.entries.truncate(common);
            log.entries.extend_from_slice(&change.entries);
        }
        None => *log = change.clone(),
    }
    log.base = base;
    let forgotten = base.map_or(0, |base| base.index.saturating_add(1).saturating_sub(log.from));
    let forgotten = usize::try_from(forgotten).unwrap_or(usize::MAX).min(log.entries.len());
    let surplus = log.entries.len().saturating_sub(MOST_ENTRIES).max(forgotten);
    log.entries.drain(..surplus);
    log.from = log.from.saturating_add(surplus as u64);
}

/// How many bytes of a trace or of its page it will take, roughly.
fn size(event: &Event, message: Option<&Message>) -> usize {
    let own = match &event.what {
        What::Sent { method, .. } => in_page(method),
        What::Offered { command, .. } | What::Applied { command, .. } => in_page(command),
        What::State(State { log: Some(change), .. }) => {
            change.entries.iter().map(|entry| 32 + in_page(&entry.command)).sum()
        }
        What::Shards { serves, keeps, .. } => 3 * (serves.len() + keeps.len()),
        What::Configured { owners, .. } => 6 * owners.len(),
        What::Begin { name, .. } => in_page(name),
        What::End { text, .. } => in_page(text),
        What::Note { topic, text } => in_page(topic) + in_page(text),
        What::Called { text, .. } | What::Answered { text, .. } => in_page(text),
        _ => 0,
    };
    const USUAL: usize = 120;
    USUAL + in_page(&event.task) + own + message.map_or(0, Message::size)
}

/// How many bytes a text takes in a page.
fn in_page(text: &str) -> usize {
    let escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t');
    let control = |byte: &u8| *byte < b' ' && !escaped(byte);
    let more = text.bytes().filter(escaped).count() + 5 * text.bytes().filter(control).count();
    more + json_in_page(text)
}

/// How many bytes JSON takes in a page, where some letters of its texts are written as six: else they could end
/// an element.
pub(crate) fn json_in_page(json: &str) -> usize {
    let long = |byte: &u8| matches!(byte, b'<' | b'>' | b'&' | 0x7f);
    // With this begin two rare letters of three bytes, which are lines' ends to JavaScript.
    let rare = |byte: &u8| *byte == 0xe2;
    json.len() + 5 * json.bytes().filter(long).count() + 3 * json.bytes().filter(rare).count()
}
