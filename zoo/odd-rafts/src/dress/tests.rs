//! That every dress says what it is to say.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Network, Server};
use labrt::channel;
use labrt::sync::Mutex;
use raft_api::Bytes;

use super::{DRESSES, Handler, Row};
use crate::driver::Event;
use crate::message::{
    AppendReply, AppendRequest, Entry, Hint, InstallReply, InstallRequest, Outcome, Place, Reply,
    Request, TimeoutNowReply, TimeoutNowRequest, VoteReply, VoteRequest,
};

/// Answers with what it was given, and keeps what it has heard.
struct Parrot {
    answer: Reply,
    requests: Mutex<Vec<Request>>,
    replies: Mutex<Vec<(usize, Reply)>>,
}

struct Shared(Arc<Parrot>);

impl Handler for Shared {
    fn request(&self, request: Request) -> Option<Reply> {
        self.0.requests.lock().push(request);
        Some(self.0.answer)
    }

    fn reply(&self, from: usize, reply: Reply) {
        self.0.replies.lock().push((from, reply));
    }
}

/// Sends a request from server 0 to server 1, which answers so. Returns what reaches both: by a call
/// that waits, and by one that does not.
fn exchange(row: &'static Row, request: Request, answer: Reply) -> ([Request; 2], Vec<Reply>) {
    let world = labrt::simulate(1, move || {
        let network = Network::new();
        let parrots = [0, 1].map(|me| {
            let ends: Arc<[ClientEnd]> = [0, 1].map(|to| end(&network, me, to)).into();
            let (requests, replies) = (Mutex::default(), Mutex::default());
            let parrot = Arc::new(Parrot { answer, requests, replies });
            let service = row.dress.service(Arc::new(Shared(parrot.clone())), me, ends);
            network.add_server(me, Server::new().service(service));
            parrot
        });
        let to_1 = network.make_end("caller");
        network.connect("caller", 1);
        network.enable("caller", true);
        let waited = row.dress.call(&to_1, &request);
        let (events, inbox) = channel::unbounded();
        row.dress.call_to(&to_1, 1, &request, &events);
        let Ok(Event::Answer(1, called)) = inbox.recv() else { panic!("the call ends") };
        // Simulated time: so that what is under way arrives.
        labrt::thread::sleep(Duration::from_secs(1));
        let by_message = parrots[0].replies.lock().clone();
        let by_message = by_message.into_iter().map(|(from, reply)| {
            assert_eq!(from, 1, "server 1 was asked");
            reply
        });
        let heard: Vec<_> = [waited, called].into_iter().flatten().chain(by_message).collect();
        let requests = parrots[1].requests.lock().clone();
        (requests.try_into().expect("two"), heard)
    });
    world.unwrap_or_else(|failure| panic!("{}: {failure}", row.name)).value
}

fn end(network: &Network, from: usize, to: usize) -> ClientEnd {
    let name = format!("{from}-{to}");
    let end = network.make_end(name.as_str());
    network.connect(name.as_str(), to);
    network.enable(name.as_str(), true);
    end
}

fn append(row: &Row) -> AppendRequest {
    let entry = |term, command| Entry { term, command: Bytes::from_static(command) };
    AppendRequest {
        term: 7,
        leader: 0,
        prev: Place { index: 3, term: 5 },
        entries: match row.habit {
            Some("one_entry") => vec![entry(6, b"a")],
            _ => vec![entry(6, b"a"), entry(7, b"")],
        },
        commit: 2,
    }
}

/// What the other side makes out of this answer.
fn answered(row: &'static Row, outcome: Outcome) -> AppendReply {
    let reply = AppendReply { term: 7, about: append(row).subject(), outcome, log_end: 9 };
    let (requests, replies) = exchange(row, Request::Append(append(row)), Reply::Append(reply));
    assert_eq!(requests, [(); 2].map(|()| Request::Append(append(row))), "{}", row.name);
    assert_eq!(replies[0], replies[1], "{}", row.name);
    match replies[0] {
        Reply::Append(reply) => reply,
        other => panic!("{}: {other:?}", row.name),
    }
}

#[test]
fn every_dress_says_what_is_appended_and_whether_it_was_accepted() {
    for row in DRESSES {
        let about = append(row).subject();
        let whole = Outcome::Accepted { upto: about.last };
        assert_eq!(answered(row, whole), AppendReply::read(7, about, whole), "{}", row.name);
        assert!(!answered(row, Outcome::Refused { hint: None }).is_yes(), "{}", row.name);
    }
}

#[test]
fn some_dresses_say_how_far_and_where_to_try_next() {
    let hint = Hint { term: Some(4), index: 2 };
    for row in DRESSES {
        let partly = answered(row, Outcome::Accepted { upto: 4 });
        let upto = if row.says_how_far { 4 } else { append(row).subject().last };
        assert_eq!(partly.outcome, Outcome::Accepted { upto }, "{}", row.name);
        let refused = answered(row, Outcome::Refused { hint: Some(hint) });
        assert!(!refused.is_yes(), "{}", row.name);
        // Some say the term too, some only the index, and some nothing.
        let index = refused.hint().map_or(hint.index, |hint| hint.index);
        assert_eq!(index, hint.index, "{}", row.name);
    }
}

#[test]
fn every_dress_asks_for_votes_and_gives_them() {
    for (row, pre, granted) in
        DRESSES.iter().flat_map(|row| [(row, true, true), (row, true, false), (row, false, true)])
    {
        let last = Place { index: 3, term: 2 };
        let vote = VoteRequest { term: 8, candidate: 0, last, pre };
        let answer = VoteReply { term: 6, asked: 8, pre, granted };
        let (requests, replies) = exchange(row, Request::Vote(vote), Reply::Vote(answer));
        assert_eq!(requests, [(); 2].map(|()| Request::Vote(vote)), "{}", row.name);
        assert_eq!(replies, [Reply::Vote(answer); 2], "{}", row.name);
    }
}

#[test]
fn every_dress_sends_snapshots() {
    for (row, taken) in DRESSES.iter().flat_map(|row| [(row, true), (row, false)]) {
        let install = InstallRequest {
            term: 8,
            leader: 0,
            last: Place { index: 3, term: 2 },
            commands: 2,
            offset: 0,
            data: Bytes::from_static(b"snapshot"),
            done: true,
        };
        let answer = InstallReply { term: 8, about: install.subject(), taken };
        let request = Request::Install(install.clone());
        let (requests, replies) = exchange(row, request.clone(), Reply::Install(answer));
        assert_eq!(requests, [request.clone(), request], "{}", row.name);
        assert_eq!(replies, [Reply::Install(answer); 2], "{}", row.name);
    }
}

#[test]
fn every_dress_asks_to_stand_for_election() {
    for row in DRESSES {
        let request = Request::TimeoutNow(TimeoutNowRequest { term: 8, leader: 0 });
        let answer = Reply::TimeoutNow(TimeoutNowReply { term: 9 });
        let (requests, replies) = exchange(row, request.clone(), answer);
        assert_eq!(requests, [request.clone(), request], "{}", row.name);
        // Of messages that go one way the answer is the candidacy.
        let answers: &[Reply] = if row.name == "one_way" { &[] } else { &[answer; 2] };
        assert_eq!(replies, answers, "{}", row.name);
    }
}
