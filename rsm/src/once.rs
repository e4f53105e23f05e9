//! Exactly once: a request that is executed a second time has no second effect.
//!
//! A client that gets no answer sends its request again: to the same server or to another one, in
//! this term or a later one. So a request can stand in the log several times, and only where
//! requests are *executed* can it be seen that one has been executed before. [`Once`] is a machine
//! around a machine that looks.
//!
//! Each client numbers its requests, 1, 2, 3 and so on, and makes one at a time: a new number proves
//! that the client has the answer to the one before. So one number and one reply for each client are
//! enough. They are part of the snapshot, or a restart would forget what has been executed.
//!
//! The table itself, [`Replies`], is of use alone, too: where a part of the data moves to another
//! group of servers, its table goes along ([`Replies::merge`]).

use std::collections::BTreeMap;

use bytes::Bytes;
use labgob::{DecodeError, Gob};
use serde::{Deserialize, Serialize};

use crate::{Machine, Readable};

/// A request with the name that it has for ever, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
#[serde(bound = "Q: Gob")]
pub struct Numbered<Q> {
    /// Who wants it. Drawn at random by each client, so that no two are the same.
    pub client: u64,
    /// Which of this client's requests it is; the first one has 1.
    pub number: u64,
    /// What is wanted.
    pub request: Q,
}

/// The last number of each client, with its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
#[serde(bound = "R: Gob")]
pub struct Replies<R> {
    last: BTreeMap<u64, Last<R>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
#[serde(bound = "R: Gob")]
struct Last<R> {
    number: u64,
    reply: R,
}

impl<R> Default for Replies<R> {
    fn default() -> Self {
        Replies { last: BTreeMap::new() }
    }
}

impl<R: Clone> Replies<R> {
    /// Executes a request, unless that has been done; returns its reply in both cases. `None` if the
    /// client has made later ones: it has the answer and waits for it no more.
    pub fn once(&mut self, client: u64, number: u64, execute: impl FnOnce() -> R) -> Option<R> {
        match self.last.get(&client) {
            Some(last) if last.number > number => None,
            Some(last) if last.number == number => Some(last.reply.clone()),
            _ => {
                let reply = execute();
                self.last.insert(client, Last { number, reply: reply.clone() });
                Some(reply)
            }
        }
    }

    /// The reply of a request that has been executed, if it is the client's last one.
    pub fn of(&self, client: u64, number: u64) -> Option<&R> {
        self.last.get(&client).filter(|last| last.number == number).map(|last| &last.reply)
    }

    /// Takes in another table: of each client, what is later.
    pub fn merge(&mut self, other: Replies<R>) {
        for (client, theirs) in other.last {
            let ours = self.last.get(&client);
            if ours.is_none_or(|ours| theirs.number > ours.number) {
                self.last.insert(client, theirs);
            }
        }
    }

    /// How many clients it knows.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// True if it knows no client.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

/// A machine whose requests have an effect once, however often they are executed.
#[derive(Clone, Debug, Default)]
pub struct Once<M: Machine> {
    machine: M,
    replies: Replies<M::Reply>,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(bound = "R: Gob")]
struct Saved<R> {
    machine: Bytes,
    replies: Replies<R>,
}

impl<M: Machine> Once<M> {
    /// A machine that no client has asked for anything yet.
    pub fn new(machine: M) -> Once<M> {
        Once { machine, replies: Replies::default() }
    }

    /// The machine inside.
    pub fn machine(&self) -> &M {
        &self.machine
    }
}

impl<M: Machine<Reply: Gob + Clone>> Machine for Once<M> {
    type Request = Numbered<M::Request>;
    /// `None`: the client has made later requests.
    type Reply = Option<M::Reply>;

    fn apply(&mut self, request: Self::Request) -> Self::Reply {
        let Numbered { client, number, request } = request;
        let machine = &mut self.machine;
        self.replies.once(client, number, || machine.apply(request))
    }

    fn snapshot(&self) -> Bytes {
        let saved = Saved { machine: self.machine.snapshot(), replies: self.replies.clone() };
        Bytes::from(labgob::encode(&saved))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        let Saved { machine, replies } = labgob::decode(snapshot)?;
        self.machine.restore(&machine)?;
        self.replies = replies;
        Ok(())
    }
}

/// A read needs no number, since reading twice has no effect: it is answered from the machine inside, whatever its
/// client has asked for since, and leaves no reply behind. One that goes [through the log](crate::Rsm::read) is
/// executed like any other request.
impl<M: Readable<Reply: Gob + Clone>> Readable for Once<M> {
    fn is_read(numbered: &Self::Request) -> bool {
        M::is_read(&numbered.request)
    }

    /// Never `None`.
    fn read(&self, numbered: &Self::Request) -> Self::Reply {
        Some(self.machine.read(&numbered.request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds up, and counts how often it was asked.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
    struct Sum {
        sum: u64,
        asked: u64,
    }

    impl Machine for Sum {
        type Request = u64;
        type Reply = u64;

        fn apply(&mut self, add: u64) -> u64 {
            self.asked += 1;
            self.sum += add;
            self.sum
        }

        fn snapshot(&self) -> Bytes {
            Bytes::from(labgob::encode(self))
        }

        fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
            *self = labgob::decode(snapshot)?;
            Ok(())
        }
    }

    fn add(client: u64, number: u64, request: u64) -> Numbered<u64> {
        Numbered { client, number, request }
    }

    #[test]
    fn a_request_that_stands_in_the_log_twice_has_one_effect_and_one_reply() {
        let mut once = Once::new(Sum::default());
        assert_eq!(once.apply(add(7, 1, 10)), Some(10));
        assert_eq!(once.apply(add(8, 1, 5)), Some(15));
        assert_eq!(once.apply(add(7, 1, 10)), Some(10), "the first reply, not a new one");
        assert_eq!(once.machine(), &Sum { sum: 15, asked: 2 });
    }

    #[test]
    fn what_a_client_has_left_behind_is_not_executed() {
        let mut once = Once::new(Sum::default());
        once.apply(add(7, 1, 10));
        once.apply(add(7, 2, 1));
        assert_eq!(once.apply(add(7, 1, 10)), None);
        assert_eq!(once.machine(), &Sum { sum: 11, asked: 2 });
    }

    #[test]
    fn a_retry_after_a_restart_from_the_snapshot_is_seen() {
        let mut before = Once::new(Sum::default());
        before.apply(add(7, 1, 10));
        let mut after = Once::new(Sum { sum: 99, asked: 99 });
        after.apply(add(9, 1, 1));
        after.restore(&before.snapshot()).expect("it is a snapshot");
        assert_eq!(after.apply(add(7, 1, 10)), Some(10));
        assert_eq!(after.machine(), &Sum { sum: 10, asked: 1 });
        assert!(after.replies.of(9, 1).is_none(), "nothing of before remains");
    }

    #[test]
    fn the_table_holds_one_reply_for_each_client() {
        let mut once = Once::new(Sum::default());
        for number in 1..=1000 {
            for client in 1..=3 {
                once.apply(add(client, number, 1));
            }
        }
        assert_eq!(once.replies.len(), 3);
        assert!(once.snapshot().len() < 100, "{} bytes", once.snapshot().len());
    }

    #[test]
    fn of_two_tables_the_later_replies_remain_whichever_comes_first() {
        let table = |entries: &[(u64, u64)]| {
            let mut table = Replies::default();
            for &(client, number) in entries {
                table.once(client, number, || number * 100);
            }
            table
        };
        let (ours, theirs) = (table(&[(1, 5), (2, 1)]), table(&[(1, 4), (2, 3), (3, 0)]));
        let both = table(&[(1, 5), (2, 3), (3, 0)]);
        let merged = |mut one: Replies<u64>, other: &Replies<u64>| {
            one.merge(other.clone());
            one
        };
        assert_eq!(merged(ours.clone(), &theirs), both);
        assert_eq!(merged(theirs, &ours), both);
        assert_eq!(merged(both.clone(), &both), both);
    }

    #[test]
    fn a_table_knows_whom_it_has_answered() {
        let mut table = Replies::default();
        assert_eq!((table.is_empty(), table.len()), (true, 0));
        table.once(7, 2, || "two");
        assert_eq!((table.is_empty(), table.len()), (false, 1));
        // Only the last one, and only of that client.
        assert_eq!((table.of(7, 2), table.of(7, 1), table.of(7, 3)), (Some(&"two"), None, None));
        assert_eq!(table.of(8, 2), None);
    }

    /// It came from the same execution; so it is not taken over again.
    #[test]
    fn of_the_same_number_in_two_tables_the_own_reply_remains() {
        let mut ours = Replies::default();
        ours.once(7, 2, || "ours");
        let mut theirs = Replies::default();
        theirs.once(7, 2, || "theirs");
        ours.merge(theirs);
        assert_eq!(ours.of(7, 2), Some(&"ours"));
    }
}
