//! Calls between servers that are under way.

use std::collections::BTreeMap;

use super::evidence::{Held, Promise};
use super::understanding::{Install, Place, Request};

/// What a call asks its server for, as far as its reply promises it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Vote {
        term: u64,
        last: Place,
    },
    Append(Append),
    Install(Install),
    /// It shows its sender's term, and its reply no more than the server's.
    Beat {
        term: u64,
        commit: u64,
    },
    Nothing,
}

impl Asked {
    pub(crate) fn term(&self) -> Option<u64> {
        match self {
            Asked::Vote { term, .. } | Asked::Beat { term, .. } => Some(*term),
            Asked::Append(append) => Some(append.term),
            Asked::Install(install) => Some(install.term),
            Asked::Nothing => None,
        }
    }

    /// What it does to a log, and tells it. A snapshot says that all up to its last entry is committed
    /// and is there; it is like an AppendEntries that finds this entry and brings none.
    pub(crate) fn append(&self) -> Option<Append> {
        match *self {
            Asked::Append(append) => Some(append),
            Asked::Install(Install { term, last, .. }) => Some(Append {
                term,
                prev: last,
                last,
                commit: last.index,
                may_be_told_to_stand: false,
            }),
            _ => None,
        }
    }

    /// What such a call is named.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Asked::Vote { .. } => "RequestVote",
            Asked::Append(_) | Asked::Beat { .. } => "AppendEntries",
            Asked::Install(_) => "InstallSnapshot",
            Asked::Nothing => "a call",
        }
    }
}

/// What an AppendEntries says, without its entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Append {
    pub(crate) term: u64,
    pub(crate) prev: Place,
    /// The last entry, or `prev` if there are none.
    pub(crate) last: Place,
    pub(crate) commit: u64,
    /// It tells something that nobody here understands, and the one before it did not.
    pub(crate) may_be_told_to_stand: bool,
}

impl Append {
    /// True if it brings entries.
    pub(crate) fn brings_some(&self) -> bool {
        self.last.index > self.prev.index
    }
}

/// A request on its way out.
#[derive(Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) call: u64,
    pub(crate) from: usize,
    pub(crate) instance: u64,
    pub(crate) to: usize,
    pub(crate) request: Request<'a>,
    pub(crate) us: u64,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) from: usize,
    /// Which instance of the caller: what comes back to one that has crashed, its successor does not hear.
    pub(crate) instance: u64,
    pub(crate) to: usize,
    /// Which instance of its server was there when it was made. The request reaches that one, dead or alive, and no other.
    pub(crate) to_instance: u64,
    pub(crate) asked: Asked,
    /// It tells its server to stand for election.
    pub(crate) tells_to_stand: bool,
    pub(crate) sent_us: u64,
    pub(crate) sent_at: u64,
    /// The server's state when the request reached it.
    pub(crate) delivered: Option<Delivered>,
    pub(crate) answered: bool,
    /// Up to where the reply accepts, as its leader may count it; and what the follower keeps for certain.
    pub(crate) accepted: Option<Place>,
    pub(crate) kept: Option<Place>,
    /// The reply refuses entries.
    pub(crate) refused: bool,
    /// The reply shows a vote.
    pub(crate) granted: bool,
    /// The reply says that the snapshot has come.
    pub(crate) installed: bool,
    /// The reply shows a later term than the request.
    pub(crate) newer: Option<u64>,
}

impl Call {
    /// A call that has just been made, to this instance of its server, as event number `at`.
    pub(crate) fn new(sent: &Sent<'_>, to_instance: u64, asked: Asked, at: u64) -> Call {
        Call {
            number: sent.call,
            from: sent.from,
            instance: sent.instance,
            to: sent.to,
            to_instance,
            asked,
            tells_to_stand: matches!(sent.request, Request::Stand),
            sent_us: sent.us,
            sent_at: at,
            delivered: None,
            answered: false,
            accepted: None,
            kept: None,
            refused: false,
            granted: false,
            installed: false,
            newer: None,
        }
    }
}

const COPY: u64 = 1 << 63;

/// The number that stands for the copy of a call's request. No call has one so high.
pub(crate) fn copy_of(call: u64) -> u64 {
    call | COPY
}

/// The number of the call itself.
pub(crate) fn original_of(call: u64) -> u64 {
    call & !COPY
}

/// What was known of a server when a request reached it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    pub(crate) instance: u64,
    pub(crate) promised: Promise,
    pub(crate) held: Option<Held>,
    /// How many AppendEntries had reached the server, this one included.
    pub(crate) appends: u64,
    /// How often it had saved something.
    pub(crate) saves: u64,
}

/// The calls that are not over.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    by_number: BTreeMap<u64, Call>,
    /// Copies of requests that have not reached their server.
    copies: BTreeMap<u64, Call>,
    /// By server: the calls that have reached it and that it has not answered. A program may leave
    /// thousands of calls open, so nobody looks through all of them at a message.
    reached: Vec<Vec<u64>>,
}

impl Calls {
    pub(crate) fn new(servers: usize) -> Calls {
        let reached = vec![Vec::new(); servers];
        Calls { by_number: BTreeMap::new(), copies: BTreeMap::new(), reached }
    }

    pub(crate) fn insert(&mut self, call: Call) {
        self.by_number.insert(call.number, call);
    }

    pub(crate) fn get(&self, number: u64) -> Option<Call> {
        self.by_number.get(&number).copied()
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Call> {
        self.by_number.get_mut(&number)
    }

    /// The request of a call will reach its server twice.
    pub(crate) fn duplicate(&mut self, number: u64) {
        if let Some(call) = self.get(number) {
            self.copies.insert(copy_of(number), Call { number: copy_of(number), ..call });
        }
    }

    /// A copy is about to reach its server: it is a call like others from here on, but for its answer, which
    /// nobody hears.
    pub(crate) fn copy_arrives(&mut self, number: u64) -> Option<u64> {
        let copy = self.copies.remove(&copy_of(number))?;
        let number = copy.number;
        self.insert(copy);
        Some(number)
    }

    /// The call is over.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Call> {
        self.answer(number);
        self.by_number.remove(&number)
    }

    /// All of them, in the order in which they were made.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Call> + Clone {
        self.by_number.values()
    }

    /// A call has reached its server.
    pub(crate) fn reach(&mut self, number: u64, delivered: Delivered) {
        if let Some(call) = self.by_number.get_mut(&number) {
            call.delivered = Some(delivered);
            self.reached[call.to].push(number);
        }
    }

    /// A call that has reached its server is answered, or never will be. True for the first time.
    pub(crate) fn answer(&mut self, number: u64) -> bool {
        let Some(call) = self.by_number.get_mut(&number) else { return false };
        let first = !std::mem::replace(&mut call.answered, true);
        let reached = &mut self.reached[call.to];
        if first && let Some(place) = reached.iter().rposition(|open| *open == number) {
            reached.swap_remove(place);
        }
        first
    }

    /// The calls that have reached a server and that it has not answered.
    pub(crate) fn open_at(&self, server: usize) -> impl Iterator<Item = &Call> {
        self.reached[server].iter().filter_map(|number| self.by_number.get(number))
    }
}

#[cfg(test)]
mod tests {
    use super::super::understanding::Leader;
    use super::*;

    const TERM: u64 = 4;

    /// A call from server 0 to server 1, with an AppendEntries.
    fn call(number: u64) -> Call {
        let place = Place { index: 3, term: TERM };
        let append =
            Append { term: TERM, prev: place, last: place, commit: 2, may_be_told_to_stand: false };
        let (from, to) = (0, 1);
        let sent = Sent {
            call: number,
            from,
            instance: 1,
            to,
            request: Request::Nothing,
            us: 10 * number,
        };
        Call::new(&sent, 1, Asked::Append(append), number)
    }

    fn delivered() -> Delivered {
        let promised = Promise::default();
        Delivered { instance: 1, promised, held: None, appends: 1, saves: 0 }
    }

    fn open(calls: &Calls) -> Vec<u64> {
        let mut open: Vec<u64> = calls.open_at(1).map(|call| call.number).collect();
        open.sort_unstable();
        open
    }

    #[test]
    fn a_call_is_open_from_when_it_reaches_its_server_until_it_is_answered() {
        let mut calls = Calls::new(3);
        for number in 5..9 {
            calls.insert(call(number));
        }
        assert_eq!(open(&calls), [0; 0]);
        for number in 5..8 {
            calls.reach(number, delivered());
        }
        assert_eq!(open(&calls), [5, 6, 7]);
        // Only the first answer counts, and none of what is not known.
        assert!(calls.answer(6));
        assert!(!calls.answer(6));
        assert!(!calls.answer(99));
        assert_eq!(open(&calls), [5, 7]);
        assert_eq!(calls.all().map(|call| call.number).collect::<Vec<_>>(), [5, 6, 7, 8]);
        assert_eq!(calls.remove(5).map(|call| call.number), Some(5));
        assert_eq!(open(&calls), [7]);
        assert!(calls.get(5).is_none() && calls.remove(5).is_none());
        // Nobody looks through what is over.
        calls.remove(7);
        assert!(calls.reached[1].is_empty());
    }

    #[test]
    fn the_copy_of_a_request_is_a_call_of_its_own() {
        let mut calls = Calls::new(3);
        for number in [5, 6] {
            calls.insert(call(number));
            calls.duplicate(number);
        }
        // Until it reaches its server, nothing is open.
        assert_eq!(calls.all().count(), 2);
        let copies = [6, 5].map(|number| calls.copy_arrives(number).expect("it was duplicated"));
        assert_eq!(copies, [6, 5].map(copy_of));
        assert_eq!(copies.map(original_of), [6, 5]);
        assert_eq!([5, 6].map(original_of), [5, 6]);
        assert_eq!(calls.all().count(), 4);
        for (copy, number) in copies.into_iter().zip([6, 5]) {
            let found = calls.get(copy).expect("it is there");
            assert_eq!((found.number, found.sent_us), (copy, 10 * number));
        }
        // It comes once, and only if there is one.
        assert_eq!((calls.copy_arrives(5), calls.copy_arrives(7)), (None, None));
        calls.remove(copy_of(5));
        assert_eq!(calls.get(5).map(|call| call.number), Some(5));
        calls.duplicate(99);
        assert_eq!(calls.copy_arrives(99), None);
    }

    #[test]
    fn what_calls_ask_for() {
        let (last, place) = (Place { index: 7, term: 2 }, Place { index: 3, term: TERM });
        let append = call(1).asked;
        let vote = Asked::Vote { term: TERM, last };
        let beat = Asked::Beat { term: TERM, commit: 2 };
        let install = Asked::Install(Install {
            term: TERM,
            leader: Leader::Sender,
            last,
            offset: 0,
            done: true,
            bytes: 10,
            part: None,
        });
        for asked in [append, vote, beat, install] {
            assert_eq!(asked.term(), Some(TERM));
        }
        assert_eq!(Asked::Nothing.term(), None);
        let names = [append, beat, vote, install, Asked::Nothing].map(|asked| asked.name());
        let expected =
            ["AppendEntries", "AppendEntries", "RequestVote", "InstallSnapshot", "a call"];
        assert_eq!(names, expected);
        // A snapshot is like an AppendEntries that finds its last entry.
        let like = install.append().expect("it does something to a log");
        assert_eq!((like.term, like.prev, like.last, like.commit), (TERM, last, last, 7));
        let same = append.append().expect("it is one");
        assert_eq!((same.prev, same.last, same.commit), (place, place, 2));
        assert!([vote, beat, Asked::Nothing].iter().all(|asked| asked.append().is_none()));
    }
}
