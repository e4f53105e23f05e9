//! Figures 7, 8 and 12 of the paper as transcripts, to be read beside it.

use crate::harness::Cluster;
use crate::scene::Scene;
use crate::transcript::Transcript;

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
        assert_eq!(scene.cluster.core(server).commit_index(), 11);
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
    assert_eq!(scene.cluster.core(0).commit_index(), 0, "it must not count as committed");
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
    assert_eq!(scene.cluster.core(4).commit_index(), 3);
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
    assert_eq!(scene.cluster.core(0).commit_index(), 3);
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

/// A leader forgets all up to the fifth entry; followers that lack it are sent the snapshot, others
/// entries. (Figure 12, section 7)
#[test]
fn figure_12_a_snapshot_takes_the_place_of_entries() {
    let log: &[u64] = &[1, 1, 1, 2, 3, 3, 3];
    let pasts: [(u64, &[u64]); 7] = [
        (3, log),
        (3, log),
        (3, log),
        (3, log),
        (3, &log[..6]),
        (3, &log[..2]),
        (3, &[1, 1, 1, 2, 2, 2, 2, 2]),
    ];
    let mut scene = Scene {
        cluster: Cluster::with_logs(&pasts),
        names: &["L", "a", "b", "c", "d", "e", "f"],
        transcript: Transcript::new(
            "Figure 12: a server puts the entries 1 to 5 into a snapshot, and others get it.",
        ),
    };
    scene.legend();
    scene.legend_of_snapshots();
    scene.title("L is elected and commits its log with an entry of its own.");
    scene.logs();
    scene.election(0);
    scene.propose(0);
    for follower in 1..4 {
        scene.replicate(0, follower);
    }
    scene.title("Its service takes a snapshot.");
    scene.snapshot(0, 5);
    scene.title("(d) lacks two entries. L still has them.");
    scene.replicate(0, 4);
    scene.title("(e) lacks six, of which L has forgotten three.");
    scene.replicate(0, 5);
    scene.title("(f) has others at 5 and behind it; all that it has is replaced.");
    scene.replicate(0, 6);
    scene.title("The snapshot comes once more, late. It is old by now.");
    scene.late_snapshot(0, 5);
    scene.title("(c)'s service takes a snapshot of all. Then c crashes.");
    scene.cluster.heartbeat(0);
    scene.cluster.deliver_all();
    scene.snapshot(3, 8);
    scene.crash(3);
    scene.restart(3);
    scene.title("c leads: what it has is the snapshot. The others have what follows it.");
    scene.election(3);
    scene.propose(3);
    for follower in [0, 1, 2, 4, 5, 6] {
        scene.replicate(3, follower);
    }
    scene.logs();
    for server in 0..7 {
        assert_eq!(scene.cluster.core(server).log().last_index(), 9);
    }
    assert_eq!(scene.cluster.installed(), 2, "e and f");
    scene.transcript.check("figure_12");
}
