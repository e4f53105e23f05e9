//! Requests that are handled once, however often they come.
//!
//! A caller may send a request again if no answer comes, and mark it with a number of its own. Who knows the number may
//! repeat what it has answered the first time, byte for byte. Such an answer is as old as the first one: it promises
//! nothing by now.
//!
//! Most Rafts have no such number: their heartbeats are equal, and each is answered anew. So requests that are equal are
//! one only as long as nobody has sent one again whose answer had come back.

use std::collections::{BTreeMap, VecDeque};

use super::calls::{Call, original_of};
use super::digest;

/// How many answers of each server are kept in mind: a request is sent again soon or not at all.
const MOST: usize = 2_000;

/// What was asked and answered, as numbers that stand for the bytes.
#[derive(Debug)]
pub(crate) struct Retries {
    /// An equal request is another one.
    are_anew: bool,
    /// By call: its request.
    open: BTreeMap<u64, u64>,
    /// The same of calls of which a copy is under way.
    copied: BTreeMap<u64, u64>,
    servers: Vec<Answers>,
}

/// What the present instance of a server has answered, by request.
#[derive(Debug, Default)]
struct Answers {
    by_request: BTreeMap<u64, Answer>,
    order: VecDeque<u64>,
}

#[derive(Debug)]
struct Answer {
    reply: u64,
    /// What it has promised.
    call: Call,
    /// It has come back.
    heard: bool,
}

impl Retries {
    pub(crate) fn new(servers: usize) -> Retries {
        let servers = (0..servers).map(|_| Answers::default()).collect();
        let (open, copied) = (BTreeMap::new(), BTreeMap::new());
        Retries { are_anew: false, open, copied, servers }
    }

    pub(crate) fn started(&mut self, server: usize) {
        self.servers[server] = Answers::default();
    }

    /// A request has been sent.
    pub(crate) fn sent(
        &mut self,
        call: u64,
        (from, to): (usize, usize),
        method: &str,
        bytes: &[u8],
    ) {
        if self.are_anew || to >= self.servers.len() {
            return;
        }
        let ends = [from.to_le_bytes(), to.to_le_bytes()];
        let request = digest::of([&ends[0], &ends[1], method.as_bytes(), bytes]);
        let answer = self.servers[to].by_request.get(&request);
        match answer.is_some_and(|answer| answer.heard) {
            true => *self = Retries { are_anew: true, ..Retries::new(self.servers.len()) },
            false => _ = self.open.insert(call, request),
        }
    }

    /// The request of a call will come twice.
    pub(crate) fn duplicated(&mut self, call: u64) {
        if let Some(request) = self.open.get(&call) {
            self.copied.insert(call, *request);
        }
    }

    fn request(&self, call: u64) -> Option<u64> {
        let call = original_of(call);
        self.open.get(&call).or_else(|| self.copied.get(&call)).copied()
    }

    /// The call that a server has answered before, if this is its answer once more.
    pub(crate) fn first(&self, call: u64, server: usize, reply: &[u8]) -> Option<Call> {
        let answer = self.servers.get(server)?.by_request.get(&self.request(call)?)?;
        (answer.reply == digest::of([reply])).then_some(answer.call)
    }

    /// A server has answered, and this is what was made of it.
    pub(crate) fn answered(&mut self, server: usize, reply: &[u8], call: Call) {
        let Some(request) = self.request(call.number) else { return };
        let Answers { by_request, order } = &mut self.servers[server];
        let answer = Answer { reply: digest::of([reply]), call, heard: false };
        if by_request.insert(request, answer).is_none() {
            order.push_back(request);
        }
        if order.len() > MOST
            && let Some(oldest) = order.pop_front()
        {
            by_request.remove(&oldest);
        }
    }

    /// A call is over.
    pub(crate) fn over(&mut self, call: u64, to: usize, failed: bool) {
        let Some(request) = self.open.remove(&call) else { return };
        if let Some(answer) = self.servers[to].by_request.get_mut(&request) {
            answer.heard |= !failed;
        }
    }

    /// The copy of a request has been answered.
    pub(crate) fn copy_is_over(&mut self, call: u64) {
        self.copied.remove(&call);
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::{Asked, Sent, copy_of};
    use super::super::understanding::Request;
    use super::*;

    fn call(number: u64) -> Call {
        let sent =
            Sent { call: number, from: 0, instance: 1, to: 1, request: Request::Nothing, us: 0 };
        Call::new(&sent, 1, Asked::Nothing, number)
    }

    fn sends(retries: &mut Retries, number: u64, request: &[u8]) {
        retries.sent(number, (0, 1), "Raft.AppendEntries", request);
    }

    /// The first call with the same request and this answer.
    fn answers(retries: &mut Retries, number: u64, reply: &[u8]) -> Option<u64> {
        let first = retries.first(number, 1, reply).map(|call| call.number);
        if first.is_none() {
            retries.answered(1, reply, call(number));
        }
        first
    }

    #[test]
    fn an_answer_that_was_lost_is_given_again() {
        let mut retries = Retries::new(3);
        for number in 1..=3 {
            sends(&mut retries, number, b"one");
        }
        assert_eq!(answers(&mut retries, 1, b"yes"), None);
        retries.over(1, 1, true);
        assert_eq!(answers(&mut retries, 2, b"yes"), Some(1));
        // Another answer is a new one, and so is the one to another request, and that of another instance.
        assert_eq!(answers(&mut retries, 3, b"no"), None);
        sends(&mut retries, 4, b"two");
        assert_eq!(answers(&mut retries, 4, b"yes"), None);
        sends(&mut retries, 5, b"two");
        retries.started(1);
        assert_eq!(answers(&mut retries, 5, b"yes"), None);
    }

    #[test]
    fn a_copy_is_the_same_request() {
        let mut retries = Retries::new(3);
        sends(&mut retries, 1, b"one");
        retries.duplicated(1);
        assert_eq!(answers(&mut retries, 1, b"yes"), None);
        retries.over(1, 1, false);
        assert_eq!(answers(&mut retries, copy_of(1), b"yes"), Some(1));
        retries.copy_is_over(1);
        assert_eq!(retries.first(copy_of(1), 1, b"yes").map(|call| call.number), None);
    }

    /// It is asked anew, and answered anew: what is repeated is repeated now.
    #[test]
    fn who_asks_again_although_it_was_answered_asks_something_new() {
        let mut retries = Retries::new(3);
        sends(&mut retries, 1, b"one");
        assert_eq!(answers(&mut retries, 1, b"yes"), None);
        retries.over(1, 1, false);
        sends(&mut retries, 2, b"one");
        assert_eq!(answers(&mut retries, 2, b"yes"), None);
        sends(&mut retries, 3, b"two");
        assert!(retries.are_anew && retries.open.is_empty());
    }

    #[test]
    fn not_all_answers_are_kept_in_mind() {
        let mut retries = Retries::new(3);
        for number in 0..2 * MOST as u64 {
            sends(&mut retries, number, &number.to_le_bytes());
            assert_eq!(answers(&mut retries, number, b"yes"), None);
        }
        assert_eq!(retries.servers[1].by_request.len(), MOST);
        let last = 2 * MOST as u64 - 1;
        assert_eq!(answers(&mut retries, last, b"yes"), Some(last));
    }
}
