//! Figures 7 and 8 of the paper as transcripts, to be read beside it.

use raft::AppendEntriesReply;
use raft::rules::Role;

use crate::harness::{Cluster, Message, Payload, from_to};
use crate::transcript::Transcript;

/// A scenario under way: a cluster, and what is said about it.
struct Scene {
    cluster: Cluster,
    /// What the servers are called.
    names: &'static [&'static str],
    transcript: Transcript,
}

impl Scene {
    fn legend(&mut self) {
        self.transcript
            .line("At the right: the terms of a log. A bar ends what is known to be committed.");
        self.transcript.line(
            "`after 10/6 [7 8]`: AppendEntries with prevLogIndex 10, prevLogTerm 6, two entries.",
        );
    }

    fn title(&mut self, title: &str) {
        self.transcript.line("");
        self.transcript.line(title);
    }

    fn say(&mut self, server: usize, what: &str) {
        let log = row(&self.cluster, server);
        self.transcript.line(format!("  {:<50}{}:{log}", what, self.names[server]));
    }

    /// The logs of all servers.
    fn logs(&mut self) {
        for (server, name) in self.names.iter().enumerate() {
            let line = match self.cluster.is_up(server) {
                true => format!("  {name}:{}", row(&self.cluster, server)),
                false => format!("  {name}: down"),
            };
            self.transcript.line(line);
        }
    }

    fn crash(&mut self, server: usize) {
        self.say(server, &format!("{} crashes", self.names[server]));
        self.cluster.crash(server);
    }

    fn restart(&mut self, server: usize) {
        self.cluster.restart(server);
        self.say(server, &format!("{} is back", self.names[server]));
    }

    /// A server asks for votes; the heartbeats of a winner are dropped.
    fn election(&mut self, server: usize) {
        self.cluster.timeout(server);
        let candidate = self.cluster.core(server).term();
        self.cluster.deliver_where(|m| matches!(m.payload, Payload::Vote(_)));
        let replies = self.cluster.take(|m| m.to == server);
        let granted =
            |m: &&Message| matches!(&m.payload, Payload::Voted { reply, .. } if reply.vote_granted);
        let voters: Vec<_> = replies.iter().filter(granted).map(|m| self.names[m.from]).collect();
        replies.into_iter().for_each(|reply| self.cluster.deliver(reply));
        let name = self.names[server];
        let votes = match voters.is_empty() {
            true => "nobody else".to_string(),
            false => voters.join(" "),
        };
        let won = match self.cluster.core(server).role() {
            Role::Leader { .. } => "leads",
            _ => "is not elected",
        };
        self.say(server, &format!("{name}, term {candidate}: votes of {votes}; {won}"));
    }

    fn propose(&mut self, server: usize) {
        self.cluster.propose(server);
        self.say(server, &format!("{} gets a command", self.names[server]));
    }

    /// The leader and one follower talk until the leader has nothing more to say.
    fn replicate(&mut self, leader: usize, follower: usize) {
        self.cluster.lose(from_to(leader, follower));
        let term = self.cluster.core(leader).term();
        self.cluster.heartbeat(leader);
        // A heartbeat goes to all, but this is about one.
        self.cluster.lose(|m| m.from == leader && m.to != follower);
        let mut rounds = 0;
        while let Some(request) = self.cluster.take(from_to(leader, follower)).pop() {
            let what = request_in_words(&request);
            self.cluster.deliver(request);
            let reply = self.cluster.take(from_to(follower, leader)).pop().expect("an answer");
            let answer = reply_in_words(&reply);
            self.cluster.deliver(reply);
            let names = (self.names[leader], self.names[follower]);
            self.say(follower, &format!("{}>{} {what}: {answer}", names.0, names.1));
            assert_eq!(self.cluster.core(leader).term(), term, "the leader steps down");
            rounds += 1;
            assert!(rounds < 20, "the leader finds no end");
        }
    }
}

/// A log's terms; a bar stands behind what the server knows to be committed.
fn row(cluster: &Cluster, server: usize) -> String {
    let commit = usize::try_from(cluster.core(server).commit()).expect("a short log");
    let mut row = String::new();
    for (place, term) in cluster.terms(server).iter().enumerate() {
        row += if place == commit && commit > 0 { " | " } else { " " };
        row += &term.to_string();
    }
    if commit > 0 && commit == cluster.terms(server).len() { row + " |" } else { row }
}

fn request_in_words(message: &Message) -> String {
    let Payload::Append(args, _) = &message.payload else { panic!("{message:?}") };
    let entries: Vec<_> = args.entries.iter().map(|entry| entry.term.to_string()).collect();
    format!("after {}/{} [{}]", args.prev_log_index, args.prev_log_term, entries.join(" "))
}

fn reply_in_words(message: &Message) -> String {
    match &message.payload {
        Payload::Appended(_, AppendEntriesReply { success: true, .. }) => "yes".to_string(),
        Payload::Appended(_, AppendEntriesReply { conflict: Some(conflict), .. }) => {
            match conflict.term {
                Some(term) => format!("no, term {term} from {}", conflict.index),
                None => format!("no, ends before {}", conflict.index),
            }
        }
        _ => panic!("{message:?}"),
    }
}

/// The leader of Figure 7 and each of its followers (a) to (f). (Figure 7, 5.3)
#[test]
fn figure_7_each_follower_is_brought_in_line() {
    let pasts: [(u64, &[u64]); 7] = [
        (7, &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6]),
        (7, &[1, 1, 1, 4, 4, 5, 5, 6, 6]),
        (7, &[1, 1, 1, 4]),
        (7, &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]),
        (7, &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]),
        (7, &[1, 1, 1, 4, 4, 4, 4]),
        (7, &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]),
    ];
    let mut scene = Scene {
        cluster: Cluster::with_logs(&pasts),
        names: &["L", "a", "b", "c", "d", "e", "f"],
        transcript: Transcript::new(
            "Figure 7: the new leader L brings every follower's log in line with its own.",
        ),
    };
    scene.legend();
    scene.title("The logs when L asks for votes; c and d have more than L and refuse.");
    scene.logs();
    scene.election(0);
    let titles = [
        "(a) lacks an entry.",
        "(b) lacks six.",
        "(c) has one too many; a heartbeat does not remove it.",
        "(d) has two too many, of a later term than any of L's.",
        "(e) lacks entries and has others in their place.",
        "(f) the same, and of two terms that L never saw: one refusal for each.",
    ];
    for (follower, title) in (1..).zip(titles) {
        scene.title(title);
        scene.replicate(0, follower);
    }
    scene.title("A command: only now what c and d have too much conflicts with something.");
    scene.propose(0);
    for follower in 1..7 {
        scene.replicate(0, follower);
    }
    scene.title("The next heartbeat tells all that it is committed.");
    scene.cluster.heartbeat(0);
    scene.cluster.deliver_all();
    scene.logs();
    for server in 0..7 {
        assert_eq!(scene.cluster.terms(server), [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8]);
        assert_eq!(scene.cluster.core(server).commit(), 11);
    }
    scene.transcript.check("figure_7");
}

/// Figure 8 up to and including (c).
fn figure_8_a_to_c(claim: &str) -> Scene {
    let mut scene = Scene {
        cluster: Cluster::with_logs(&[(1, &[1][..]); 5]),
        names: &["S1", "S2", "S3", "S4", "S5"],
        transcript: Transcript::new(claim),
    };
    scene.legend();
    scene.title("(a) S1 leads term 2 and gets its entry to S2 only.");
    scene.election(0);
    scene.propose(0);
    scene.replicate(0, 1);
    scene
        .title("(b) S5 is elected in term 3 by those who lack the entry, and gets one of its own.");
    scene.crash(0);
    scene.election(4);
    scene.propose(4);
    scene.title("(c) S1 is elected in term 4 and goes on: its old entry is on a majority now.");
    scene.crash(4);
    scene.restart(0);
    scene.election(0);
    scene.election(0);
    scene.replicate(0, 2);
    scene.replicate(0, 1);
    assert_eq!([0, 1, 2].map(|server| scene.cluster.terms(server)), [[1, 2], [1, 2], [1, 2]]);
    assert_eq!(scene.cluster.core(0).commit(), 0, "it must not count as committed");
    scene.propose(0);
    scene.logs();
    scene
}

/// An entry of an earlier term on a majority is overwritten. (Figure 8 (a) to (d), 5.4.2)
#[test]
fn figure_8_d_an_old_entry_on_a_majority_can_still_be_overwritten() {
    let mut scene = figure_8_a_to_c(
        "Figure 8 (d): an entry of an earlier term is on a majority, and is overwritten.",
    );
    scene.title("(d) S1 crashes before its new entry gets anywhere. S5 overwrites the old one.");
    scene.crash(0);
    scene.restart(4);
    scene.election(4);
    scene.election(4);
    scene.propose(4);
    scene.restart(0);
    for follower in [1, 2, 3, 0] {
        scene.replicate(4, follower);
    }
    scene.logs();
    for server in 0..5 {
        assert_eq!(scene.cluster.terms(server), [1, 3, 5]);
    }
    assert_eq!(scene.cluster.core(4).commit(), 3);
    scene.transcript.check("figure_8_d");
}

/// Once an entry of the leader's own term is on a majority, all before it is safe. (Figure 8 (a) to
/// (c) and (e), 5.4.2)
#[test]
fn figure_8_e_an_entry_of_the_present_term_on_a_majority_cannot_be_overwritten() {
    let mut scene = figure_8_a_to_c(
        "Figure 8 (e): once an entry of the leader's own term is on a majority, none can be lost.",
    );
    scene.title("(e) S1 gets its new entry to S2 and S3 before it crashes. S5 cannot be elected.");
    scene.replicate(0, 1);
    scene.replicate(0, 2);
    assert_eq!(scene.cluster.core(0).commit(), 3);
    scene.say(0, "S1 has committed its log");
    scene.crash(0);
    scene.restart(4);
    for _ in 0..3 {
        scene.election(4);
        assert!(!scene.cluster.core(4).is_leader());
    }
    scene.election(2);
    scene.propose(2);
    for follower in [1, 3, 4] {
        scene.replicate(2, follower);
    }
    scene.logs();
    let last = scene.cluster.core(2).term();
    for server in 1..5 {
        assert_eq!(scene.cluster.terms(server), [1, 2, 4, last]);
    }
    scene.transcript.check("figure_8_e");
}
