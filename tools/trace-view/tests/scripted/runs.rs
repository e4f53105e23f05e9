//! The runs that the tests look at.

use run_record::trace::{LogBase, LogChange, Role, State, Trace, Verdict, What};
use serde_json::json;

use super::Script;

/// Three servers, an election, two commands, a cut, a second leader, and all is well.
pub(crate) fn small() -> Trace {
    let mut script = Script::new(3).begin();
    script.wait(351);
    script.campaign(1);
    script.lead(1, 220);
    let one = script.span("one(101), 3 servers");
    script.offer(0, "101");
    script.offer(1, "101");
    script.lead(1, 110);
    script.end(one, "index 1");
    script.cut(1);
    script.offer(1, "102");
    script.lead(1, 220);
    script.campaign(2);
    script.offer(2, "103");
    script.note(2, "timer", "heartbeats every 110 ms");
    script.lead(2, 220);
    script.connect(1);
    script.lead(2, 330);
    script.passed()
}

/// Five servers on a bad network; one forgets its votes, and two commands end up at one index.
pub(crate) fn long() -> Trace {
    let mut script = Script::new(5);
    script.unreliable = true;
    script.reordering = true;
    script = script.begin();
    script.wait(402);
    let mut leader = 2;
    script.campaign(leader);
    script.wait(60);
    for round in 0..12 {
        let span = script.span(&format!("round {round}: one({}), 3 servers", 100 + round));
        script.offer((leader + 1) % 5, &(100 + round).to_string());
        script.offer(leader, &(100 + round).to_string());
        script.lead(leader, 900);
        script.end(span, &format!("index {}", round + 1));
        if round % 3 == 2 {
            script.crash(leader);
            leader = (leader + 1) % 5;
            script.wait(380);
            script.campaign(leader);
            script.wait(40);
            script.lead(leader, 500);
            let back = (leader + 4) % 5;
            script.start(back);
            script.connect(back);
        }
    }
    two_commands(script, leader)
}

/// Three servers, whether or not they say what they are. Server 2 is away while three commands are
/// committed; the leader's service takes a snapshot of two of them, and server 2 gets it.
pub(crate) fn snapshots(reports: bool) -> Trace {
    let mut script = Script::new(3);
    script.reports = reports;
    script = script.begin();
    script.wait(351);
    script.campaign(0);
    script.cut(2);
    ["101", "102", "103"].into_iter().for_each(|command| script.offer(0, command));
    script.lead(0, 220);
    script.wait(1);
    script.event(Some(0), What::Snapshot { index: 2, bytes: 1210 });
    behind(&mut script, 0, Role::Leader, 4);
    script.event(Some(0), What::Saved { bytes: 60, snapshot: Some(1210) });
    script.wait(100);
    script.connect(2);
    script.wait(9);
    let args = json!({
        "term": 1, "leader": 0, "last_included_index": 2, "last_included_term": 1,
        "data": "0x".to_string() + &"07".repeat(1210),
    });
    let method = "Raft.InstallSnapshot".into();
    script.event(Some(0), What::Sent { call: 99, to: 2, method, args, bytes: 1250 });
    script.event(Some(2), What::Delivered { call: 99 });
    behind(&mut script, 2, Role::Follower, 3);
    script.event(Some(2), What::Saved { bytes: 40, snapshot: Some(1210) });
    script.event(Some(2), What::Replied { call: 99, reply: json!({ "term": 1 }), bytes: 12 });
    script.event(Some(0), What::Returned { call: 99 });
    script.event(Some(2), What::Installed { index: 2, term: Some(1), bytes: 1210 });
    script.wait(5);
    script.passed()
}

/// The log of a server begins behind index 2, and is as it was from an index on.
fn behind(script: &mut Script, server: usize, role: Role, from: u64) {
    if !script.reports {
        return;
    }
    let base = Some(LogBase { index: 2, term: 1 });
    let log = Some(LogChange { from, entries: Vec::new(), base });
    let commit = Some(if server == 0 { 3 } else { 2 });
    let state = State { role, term: 1, vote: Some(0), commit, log };
    script.event(Some(server), What::State(state));
}

/// The script goes on to two leaders in one term.
fn two_commands(mut script: Script, leader: usize) -> Trace {
    (script.unreliable, script.reordering) = (false, false);
    script.event(None, What::Network { reliable: true, long_reordering: false, long_delays: true });
    script.lead(leader, 2400);
    let span = script.span("one(200), 5 servers");
    script.cut(leader);
    let (one, two, forgetful) = ((leader + 1) % 5, (leader + 2) % 5, (leader + 3) % 5);
    script.cut(two);
    script.wait(310);
    script.campaign(one);
    let index = script.servers[one].log.len() as u64 + 1;
    script.offer(one, "200");
    script.lead(one, 110);
    let first = script.fact(one as u32, &format!("server {one} applied 200 at index {index}"));
    script.cut(one);
    script.connect(two);
    script.connect(leader);
    script.forgetful = Some(forgetful);
    script.wait(295);
    // What it has in store, as if it had never been saved.
    script.servers[forgetful].log.truncate(index as usize - 1);
    script.campaign(two);
    script.wait(1);
    script.offer(two, "201");
    script.lead(two, 110);
    let second = script.fact(two as u32, &format!("server {two} applied 201 at index {index}"));
    script.end(span, "failed");
    let hint = "an entry was committed without being on a majority of the servers when the next \
                leader was elected: look at what a server saves before it answers, and at the \
                election restriction (Section 5.4.1)";
    script.failed(Verdict {
        check: "State Machine Safety".into(),
        words: format!("servers {one} and {two} applied different commands at index {index}"),
        servers: vec![one as u32, two as u32],
        facts: vec![first, second],
        hint: Some(hint.into()),
        index: Some(index),
        task: Some(format!("task `apply reader {two}`")),
        location: Some("raft-tests/src/cluster.rs:238:21".into()),
        ..Verdict::default()
    })
}
