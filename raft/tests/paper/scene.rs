//! A scenario that is told in a transcript.

use raft::rules::Role;
use raft::{AppendEntriesReply, InstallSnapshotArgs, Place};

use crate::harness::{Cluster, Message, Payload, from_to};
use crate::transcript::Transcript;

/// A scenario under way: a cluster, and what is said about it.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    /// What the servers are called.
    pub(crate) names: &'static [&'static str],
    pub(crate) transcript: Transcript,
}

impl Scene {
    pub(crate) fn legend(&mut self) {
        self.transcript
            .line("At the right: the terms of a log. A bar ends what is known to be committed.");
        self.transcript.line(
            "`after 10/6 [7 8]`: AppendEntries with prevLogIndex 10, prevLogTerm 6, two entries.",
        );
    }

    pub(crate) fn legend_of_snapshots(&mut self) {
        self.transcript.line(
            "`(5/3)`: a snapshot takes the place of all up to index 5, whose entry was of term 3.",
        );
    }

    pub(crate) fn title(&mut self, title: &str) {
        self.transcript.line("");
        self.transcript.line(title);
    }

    pub(crate) fn say(&mut self, server: usize, what: &str) {
        let log = row(&self.cluster, server);
        self.transcript.line(format!("  {:<50}{}:{log}", what, self.names[server]));
    }

    /// The logs of all servers.
    pub(crate) fn logs(&mut self) {
        for (server, name) in self.names.iter().enumerate() {
            let line = match self.cluster.is_up(server) {
                true => format!("  {name}:{}", row(&self.cluster, server)),
                false => format!("  {name}: down"),
            };
            self.transcript.line(line);
        }
    }

    pub(crate) fn crash(&mut self, server: usize) {
        self.say(server, &format!("{} crashes", self.names[server]));
        self.cluster.crash(server);
    }

    pub(crate) fn restart(&mut self, server: usize) {
        self.cluster.restart(server);
        self.say(server, &format!("{} is back", self.names[server]));
    }

    /// A server asks for votes; the heartbeats of a winner are dropped.
    pub(crate) fn election(&mut self, server: usize) {
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

    pub(crate) fn propose(&mut self, server: usize) {
        self.cluster.propose(server);
        self.say(server, &format!("{} gets a command", self.names[server]));
    }

    /// A server's service takes a snapshot.
    pub(crate) fn snapshot(&mut self, server: usize, index: u64) {
        self.cluster.snapshot(server, index);
        self.say(server, &format!("{} has a snapshot up to {index}", self.names[server]));
    }

    /// A leader's snapshot, as it is now, comes to a follower out of the blue.
    pub(crate) fn late_snapshot(&mut self, leader: usize, follower: usize) {
        let core = self.cluster.core(leader);
        let Place { index, term } = core.log().base();
        let args = InstallSnapshotArgs {
            term: core.term(),
            leader_id: u32::try_from(leader).expect("there are few servers"),
            last_included_index: index,
            last_included_term: term,
            data: core.snapshot().clone(),
        };
        self.cluster.step(follower, |core| core.install_snapshot(&args));
        let (from, to) = (self.names[leader], self.names[follower]);
        self.say(follower, &format!("{from}>{to} snapshot up to {index}/{term}: yes"));
    }

    /// The leader and one follower talk until the leader has nothing more to say.
    pub(crate) fn replicate(&mut self, leader: usize, follower: usize) {
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

/// A log's terms, behind its base; a bar stands behind what the server knows to be committed.
fn row(cluster: &Cluster, server: usize) -> String {
    let core = cluster.core(server);
    let Place { index, term } = core.log().base();
    let mut row = if index > 0 { format!(" ({index}/{term})") } else { String::new() };
    for (place, term) in (index..).zip(cluster.terms(server)) {
        row += if place == core.commit_index() && place > 0 { " | " } else { " " };
        row += &term.to_string();
    }
    match core.commit_index() {
        0 => row,
        commit if commit == core.log().last_index() => row + " |",
        _ => row,
    }
}

fn request_in_words(message: &Message) -> String {
    match &message.payload {
        Payload::Append(args, _) => {
            let entries: Vec<_> = args.entries.iter().map(|entry| entry.term.to_string()).collect();
            format!("after {}/{} [{}]", args.prev_log_index, args.prev_log_term, entries.join(" "))
        }
        Payload::Install(args, _) => {
            let (index, term) = (args.last_included_index, args.last_included_term);
            format!("snapshot up to {index}/{term}")
        }
        _ => panic!("{message:?}"),
    }
}

fn reply_in_words(message: &Message) -> String {
    match &message.payload {
        Payload::Installed(..) => "yes".to_string(),
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
