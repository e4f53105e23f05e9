//! Rules about the logs of leaders (paper, section 5.3).
//!
//! - Log Matching: there is one entry for each index and term (Figure 3).
//! - Within a log terms do not fall, and none is later than the leader's.
//! - A leader does not change its log: what it says was there before stays.

use labgob::Shape;
use labtrace::{Fact, Verdict, verdict};

use super::evidence::Held;
use super::judge::{Checked, Judge};
use super::log::SentEntry;
use super::reigns::Reign;
use super::understanding::missing as rules;
use super::understanding::{Append, Command, Entry, Missing, Place};

/// How many entries may lie between two that have been sent, without having been sent themselves.
const LARGEST_GAP: u64 = 100_000;

/// By index: the entries that were sent, one of each term.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    by_index: Vec<Vec<Known>>,
    /// Index and place there of each, in the order in which they were first sent.
    order: Vec<(u64, usize)>,
}

#[derive(Clone, Debug)]
struct Known {
    term: u64,
    /// The command's encoding.
    bytes: Box<[u8]>,
    shape: Option<&'static Shape>,
    server: usize,
    us: u64,
}

impl Known {
    fn command(&self) -> Command<'_> {
        Command { bytes: &self.bytes, shape: self.shape }
    }
}

impl Entries {
    /// Takes an entry down, or says which other one is known for its index and term.
    fn add(&mut self, index: u64, entry: Entry<'_>, server: usize, us: u64) -> Result<(), &Known> {
        let length = self.by_index.len() as u64;
        if index == 0 || index > length + LARGEST_GAP {
            return Ok(()); // an index out of this world, which others judge
        }
        let place = usize::try_from(index - 1).expect("it is within the list, or near its end");
        if place >= self.by_index.len() {
            self.by_index.resize(place + 1, Vec::new());
        }
        let Entry { term, command } = entry;
        let of_index = &mut self.by_index[place];
        match of_index.iter().position(|known| known.term == term) {
            Some(at) if of_index[at].command().may_be(&command) => {
                if of_index[at].command().is_none() {
                    of_index[at].bytes = command.bytes.into();
                }
                Ok(())
            }
            Some(at) => Err(&of_index[at]),
            None => {
                let (bytes, shape) = (command.bytes.into(), command.shape);
                self.order.push((index, of_index.len()));
                of_index.push(Known { term, bytes, shape, server, us });
                Ok(())
            }
        }
    }

    /// Shows the entries from this one on, in the order in which they were first sent. Returns how many
    /// there are.
    pub(crate) fn read_from(&self, first: usize, see: &mut dyn FnMut(SentEntry<'_>)) -> usize {
        for &(index, at) in self.order.iter().skip(first) {
            let place = usize::try_from(index - 1).expect("an index in memory");
            let Known { term, server, us, ref bytes, .. } = self.by_index[place][at];
            see(SentEntry { index, term, server, us, command: bytes });
        }
        self.order.len()
    }

    /// The entries that have been sent as those of an index, as facts of a verdict.
    pub(crate) fn sent(&self, index: u64) -> Vec<Fact> {
        let place = usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX);
        let fact = |known: &Known| Fact {
            text: sent_entry(known.server, &known.command().show(), known.term, index),
            us: Some(known.us),
            server: u32::try_from(known.server).ok(),
        };
        self.by_index.get(place).into_iter().flatten().map(fact).collect()
    }
}

impl Judge {
    /// A leader shows a part of its log. Returns the last entry of it.
    pub(super) fn brings(
        &mut self,
        leader: usize,
        append: &Append<'_>,
        us: u64,
        missing: &Missing,
    ) -> Checked<Place> {
        let Append { term, prev, .. } = *append;
        if !missing.allows(&rules::LEADERS_LOG) {
            return Ok(prev);
        }
        let reign = self.reigns.led_by(leader, term);
        let bare = append.entries.are_none();
        if bare && prev.index > 0 && prev.term == 0 {
            // It does not know the term there any more, and is refused.
            return Ok(prev);
        }
        add_place(reign, leader, term, prev, None)?;
        self.check_complete(leader, term, prev, us, missing)?;
        let last = match bare {
            true => prev,
            false => self.brings_entries(leader, append, us, missing)?,
        };
        self.check_complete(leader, term, last, us, missing)?;
        if let Some(reign) = self.reigns.of_mut(term) {
            reign.shown = reign.shown.max(last.index);
        }
        let instance = self.servers[leader].instance;
        let held = Held { place: last, leader, in_term: term, us, instance };
        self.servers[leader].holds(held);
        Ok(last)
    }

    fn brings_entries(
        &mut self,
        leader: usize,
        append: &Append<'_>,
        us: u64,
        missing: &Missing,
    ) -> Checked<Place> {
        let Append { term, prev, .. } = *append;
        let Some(first) = prev.index.checked_add(1) else { return Ok(prev) };
        let reign = self.reigns.led_by(leader, term);
        let encoded = append.entries.encoded();
        if let Some(known) = encoded.and_then(|bytes| reign.encoded.last_of(first, bytes)) {
            return Ok(known);
        }
        let compare = missing.allows(&rules::LOG_MATCHING);
        let (mut last, mut parts) = (prev, Vec::new());
        for (index, (entry, length)) in (first..=u64::MAX).zip(append.entries.read()) {
            let place = Place { index, term: entry.term };
            add_place(reign, leader, term, place, Some(last))?;
            if compare && let Err(known) = self.entries.add(index, entry, leader, us) {
                return Err(Box::new(two_entries(index, known, leader, entry.command, us)));
            }
            parts.push((length, entry.term));
            last = place;
        }
        if let Some(bytes) = encoded {
            reign.encoded.learn(first, bytes, &parts);
        }
        Ok(last)
    }
}

/// The leader of a term has this entry; `before` is the one in front of it.
fn add_place(
    reign: &mut Reign,
    leader: usize,
    term: u64,
    place: Place,
    before: Option<Place>,
) -> Checked {
    let Place { index, term: of } = place;
    if of > term {
        return Err(wrong_term(
            leader,
            index,
            format!("entry {index} of server {leader}, leader of term {term}, is of term {of}"),
            &[
                format!("server {leader} leads term {term}"),
                format!("its entry {index} is of term {of}"),
            ],
        ));
    }
    if let Some(before) = before.filter(|before| before.term > of) {
        return Err(wrong_term(
            leader,
            index,
            format!(
                "the terms in the log of server {leader} fall: entry {} is of term {}, entry {index} of \
                 term {of}",
                before.index, before.term
            ),
            &[
                format!("its entry {} is of term {}", before.index, before.term),
                format!("its entry {index} is of term {of}"),
            ],
        ));
    }
    reign.terms.add(place).map_err(|known| {
        wrong_term(
            leader,
            index,
            format!(
                "server {leader}, leader of term {term}, says that its entry {index} is of term {of}, but \
                 its entry {} was of term {}",
                known.index, known.term
            ),
            &[
                format!("server {leader} sent entry {} of term {} in this term", known.index, known.term),
                format!("now its entry {index} is of term {of}"),
            ],
        )
    })
}

fn wrong_term(leader: usize, index: u64, words: String, facts: &[String]) -> Box<Verdict> {
    let mut broken = verdict("a leader's log", words).index(index);
    for fact in facts {
        broken = broken.fact(leader, fact.clone());
    }
    Box::new(
        broken
            .hint(
                "prevLogTerm must be the term of the leader's own entry at prevLogIndex, an entry's \
                 term the one in which it was created; a leader never changes what it has in its log",
            )
            .build(),
    )
}

fn sent_entry(server: usize, command: &str, term: u64, index: u64) -> String {
    format!("server {server} sent {command} as the entry of term {term} at index {index}")
}

fn two_entries(index: u64, known: &Known, server: usize, command: Command<'_>, us: u64) -> Verdict {
    let Known { term, server: first, us: then, .. } = *known;
    let (one, other) = (known.command().show(), command.show());
    let sent = |server, command: &str| sent_entry(server, command, term, index);
    //= append.new, leaders.own-log
    verdict(
        "Log Matching",
        format!("two different entries of term {term} at index {index}: {one} and {other}"),
    )
    .index(index)
    .fact_at(then, first, sent(first, &one))
    .fact_at(us, server, sent(server, &other))
    .hint(
        "a leader changed its own log, two leaders appended in one term, an entry's term or place \
         is not where prevLogIndex says, or a log was not saved before it was told of",
    )
    .build()
}

#[cfg(test)]
mod tests {
    use super::super::understanding::{Entries as Sent, Leader, Part};
    use super::*;

    fn add(entries: &mut Entries, index: u64, term: u64, bytes: &[u8]) -> bool {
        let entry = Entry { term, command: Command { bytes, shape: None } };
        entries.add(index, entry, 2, index.saturating_add(70)).is_ok()
    }

    /// Index, term and command of the entries from this one on, and how many there are.
    fn read(entries: &Entries, first: usize) -> (Vec<(u64, u64, Vec<u8>)>, usize) {
        let mut seen = Vec::new();
        let count = entries.read_from(first, &mut |entry| {
            assert_eq!((entry.server, entry.us), (2, 70 + entry.index));
            seen.push((entry.index, entry.term, entry.command.to_vec()));
        });
        (seen, count)
    }

    #[test]
    fn entries_are_read_in_the_order_in_which_they_were_first_sent() {
        let mut entries = Entries::default();
        assert_eq!(read(&entries, 0), (vec![], 0));
        assert!(add(&mut entries, 3, 4, b"c"));
        assert!(add(&mut entries, 1, 2, b"a"));
        assert!(add(&mut entries, 3, 4, b"c"));
        assert!(add(&mut entries, 3, 5, b"d"));
        assert!(!add(&mut entries, 3, 4, b"x"));
        let all = [(3, 4, b"c".to_vec()), (1, 2, b"a".to_vec()), (3, 5, b"d".to_vec())];
        assert_eq!(read(&entries, 0), (all.to_vec(), 3));
        assert_eq!(read(&entries, 2), (all[2..].to_vec(), 3));
        assert_eq!(read(&entries, 3), (vec![], 3));
    }

    /// One that brings none may mean the command that its receiver has.
    #[test]
    fn no_command_in_the_place_of_one_is_no_other_one() {
        use labgob::Gob;
        let mut entries = Entries::default();
        let mut add = |command: Option<u8>| {
            let bytes = command.map_or(vec![0], |command| vec![1, command]);
            let command = Command { bytes: &bytes, shape: Some(Option::<u8>::SHAPE) };
            entries.add(3, Entry { term: 4, command }, 2, 73).is_ok()
        };
        assert!(add(None) && add(Some(7)) && add(None));
        assert!(add(Some(7)) && !add(Some(8)));
        assert_eq!(read(&entries, 0), (vec![(3, 4, vec![1, 7])], 1));
    }

    #[test]
    fn all_entries_that_were_sent_at_an_index_are_told() {
        let mut entries = Entries::default();
        assert!(add(&mut entries, 2, 4, b"a"));
        assert!(add(&mut entries, 2, 5, b"b"));
        let sent = entries.sent(2);
        assert_eq!(sent.iter().map(|fact| fact.us).collect::<Vec<_>>(), [Some(72); 2]);
        assert!(sent.iter().all(|fact| fact.server == Some(2)));
        assert!(sent[0].text.ends_with("as the entry of term 4 at index 2"), "{}", sent[0].text);
        assert!(sent[1].text.ends_with("as the entry of term 5 at index 2"), "{}", sent[1].text);
        assert_eq!((entries.sent(1).len(), entries.sent(3).len()), (0, 0));
    }

    #[test]
    fn an_index_far_behind_all_others_is_not_taken_down() {
        let mut entries = Entries::default();
        assert!(add(&mut entries, 0, 4, b"a"));
        assert!(add(&mut entries, LARGEST_GAP + 1, 4, b"a"));
        assert!(add(&mut entries, u64::MAX, 4, b"a"));
        assert_eq!(read(&entries, 0).1, 0);
        assert!(add(&mut entries, LARGEST_GAP, 4, b"a"));
        assert!(add(&mut entries, 2 * LARGEST_GAP, 4, b"b"));
        assert_eq!(read(&entries, 0).1, 2);
        assert!(!add(&mut entries, LARGEST_GAP, 4, b"b"));
    }

    /// An entry of a later term than its leader's.
    #[test]
    fn a_leaders_log_is_judged_if_entries_are_understood() {
        let shows = |missing: &Missing| {
            let prev = Place { index: 3, term: 5 };
            let entries = Sent::Read(Vec::new());
            let (leader, marks) = (Leader::Sender, Vec::new());
            let append =
                Append { term: 4, leader, prev, commit: None, entries, other: None, marks };
            Judge::new(3).brings(0, &append, 0, missing)
        };
        let broken = shows(&Missing::default()).expect_err("it is later");
        assert_eq!((&broken.check[..], broken.index), ("a leader's log", Some(3)));
        let mut missing = Missing::default();
        missing.note(Part::Entries, "of a test".to_string());
        assert_eq!(shows(&missing).ok(), Some(Place { index: 3, term: 5 }));
    }
}
