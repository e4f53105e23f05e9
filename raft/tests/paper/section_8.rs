//! Reads without an entry in the log (paper, section 8).

use raft::ConfirmLeaderReply;
use raft::rules::{Core, MAX_LEAP, ReadTicket, Request};
use raft_api::NoReadIndex;

use crate::common::core;
use crate::harness::{Cluster, Message, Payload, accepted, appends, between, from_to, leader};

/// A leader that has committed an entry of its own, at index 1.
fn cluster(servers: usize) -> Cluster {
    let mut cluster = Cluster::new(servers);
    cluster.elect(0);
    cluster.propose(0);
    cluster.deliver_all();
    cluster
}

fn is_question(message: &Message) -> bool {
    matches!(message.payload, Payload::Confirm(..))
}

/// "A leader must have the latest information on which entries are committed. [...] it needs to commit an
/// entry from its term." (8)
#[test]
fn a_new_leader_does_not_know_what_is_committed() {
    let mut cluster = Cluster::with_logs(&[(2, &[1, 2]), (2, &[1, 2]), (2, &[1])]);
    cluster.elect(0);
    cluster.heartbeat(0);
    cluster.deliver_all();
    cluster.read(0, 7);
    assert_eq!(cluster.take_reads(), [(7, Err(NoReadIndex::NothingCommitted))]);
    cluster.propose(0);
    cluster.deliver_all();
    cluster.read(0, 8);
    cluster.deliver_all();
    assert_eq!(cluster.take_reads(), [(8, Ok(3))]);
}

/// "A leader must check whether it has been deposed before processing a read-only request": it waits for
/// a majority. (8)
#[test]
fn a_read_waits_for_a_majority() {
    let mut cluster = cluster(5);
    cluster.read(0, 7);
    assert_eq!(cluster.take_reads(), []);
    cluster.deliver_where(between(0, 3));
    assert_eq!(cluster.take_reads(), [], "two are no majority of five");
    cluster.deliver_where(between(0, 1));
    assert_eq!(cluster.take_reads(), [(7, Ok(1))]);
    cluster.deliver_all();
    assert_eq!(cluster.take_reads(), [], "each is answered once");
}

/// A server alone is a majority. (8)
#[test]
fn a_server_alone_asks_nobody() {
    let mut cluster = cluster(1);
    cluster.read(0, 7);
    assert_eq!(cluster.take_reads(), [(7, Ok(1))]);
}

/// (8)
#[test]
fn who_does_not_lead_says_so() {
    let mut cluster = cluster(3);
    cluster.read(1, 7);
    assert_eq!(cluster.take_reads(), [(7, Err(NoReadIndex::NotLeader))]);
}

/// It was deposed without a word. Those who have elected another leader do not confirm, and who follows
/// it still is no majority. (8)
#[test]
fn a_leader_that_was_deposed_unawares_answers_nothing() {
    let mut cluster = cluster(5);
    cluster.timeout(2);
    let apart = |message: &Message| (message.from < 2) == (message.to < 2);
    cluster.deliver_where(apart);
    cluster.propose(2);
    cluster.deliver_where(apart);
    assert!(cluster.core(0).is_leader() && cluster.core(2).commit_index() == 2);
    cluster.take(|message| !apart(message));

    cluster.read(0, 7);
    cluster.deliver_where(between(0, 1));
    assert_eq!(cluster.take_reads(), [], "two are no majority of five");
    cluster.deliver_where(between(0, 3));
    assert_eq!(cluster.take_reads(), [(7, Err(NoReadIndex::NotLeader))]);
    assert_eq!(cluster.core(0).term(), cluster.core(2).term());
}

/// What was confirmed before a read came says nothing about it: a leader may have been elected since. (8)
#[test]
fn a_confirmation_is_worth_nothing_for_reads_that_came_later() {
    let mut cluster = cluster(3);
    cluster.read(0, 7);
    let [to_1, to_2] = <[Message; 2]>::try_from(cluster.take(is_question)).expect("two questions");
    cluster.deliver(to_1);
    cluster.deliver(to_2);
    let late = cluster.take(from_to(2, 0)).remove(0);
    cluster.deliver_where(from_to(1, 0));
    assert_eq!(cluster.take_reads(), [(7, Ok(1))]);

    cluster.read(0, 8);
    cluster.deliver(late);
    assert_eq!(cluster.take_reads(), []);
    cluster.deliver_all();
    assert_eq!(cluster.take_reads(), [(8, Ok(1))]);
}

/// However many reads there are, one question is under way, and those that come meanwhile share the next
/// one. (8)
#[test]
fn reads_share_questions() {
    let mut cluster = cluster(3);
    (0..10).for_each(|id| cluster.read(0, id));
    assert_eq!(cluster.take(is_question).len(), 2, "one for each follower: that of read 0");
    cluster.heartbeat(0);
    cluster.deliver_where(between(0, 1));
    let answered: Vec<u64> = cluster.take_reads().into_iter().map(|(id, _)| id).collect();
    assert_eq!(answered, (0..10).collect::<Vec<_>>());
}

/// (8)
#[test]
fn a_question_that_is_lost_is_put_again_with_the_next_heartbeat() {
    let mut cluster = cluster(3);
    cluster.read(0, 7);
    cluster.lose(is_question);
    cluster.deliver_all();
    assert_eq!(cluster.take_reads(), []);
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!(cluster.take_reads(), [(7, Ok(1))]);
    cluster.heartbeat(0);
    assert!(cluster.take(is_question).is_empty(), "nobody reads any more");
}

/// "It saves its commitIndex": as it was when the read came. (8)
#[test]
fn the_index_is_the_commit_index_of_when_the_read_came() {
    let mut cluster = cluster(3);
    cluster.read(0, 7);
    let questions = cluster.take(is_question);
    cluster.propose(0);
    cluster.deliver_all();
    assert_eq!(cluster.core(0).commit_index(), 2);
    cluster.put_back(questions);
    cluster.deliver_all();
    assert_eq!(cluster.take_reads(), [(7, Ok(1))]);
}

/// Whoever is asked learns nothing, and is kept from nothing: it is no heartbeat. Who is in an earlier
/// term has voted for no later leader, too. (8)
#[test]
fn the_question_changes_nothing_at_who_is_asked() {
    for term in [3, 5, 6] {
        let asked = core(1, 3, term, &[1]);
        let before = format!("{asked:?}");
        let reply = asked.confirm_leader(&raft::ConfirmLeaderArgs { term: 5 });
        assert_eq!(reply, ConfirmLeaderReply { term });
        assert_eq!(format!("{asked:?}"), before);
    }
}

/// A leader of term 3 that has put a question.
fn asking() -> (Core, ReadTicket) {
    let (mut core, first) = leader(3, 2, &[1, 2]);
    core.propose("x".into());
    core.append_failed(1, first[0].2);
    let (_, _, ticket) = appends(&mut core).remove(0);
    core.append_reply(1, ticket, &accepted(3));
    core.read(7);
    core.replicate();
    let ticket = core.take_output().requests.into_iter().find_map(|(_, request)| match request {
        Request::Confirm(_, ticket) => Some(ticket),
        _ => None,
    });
    (core, ticket.expect("a question"))
}

/// Answers of who is no peer, or that claim a term that cannot have come about, change nothing. (8)
#[test]
fn impossible_answers_are_not_believed() {
    let (core, ticket) = asking();
    let answer = |from, term| {
        let mut core = core.clone();
        core.confirm_reply(from, ticket, &ConfirmLeaderReply { term });
        core.take_output().reads
    };
    for from in [0, 3, usize::MAX] {
        assert_eq!(answer(from, 3), [], "{from}");
    }
    assert_eq!(answer(1, 3 + MAX_LEAP + 1), []);
    assert_eq!(answer(1, 3), [(7, Ok(3))]);
    assert_eq!(answer(1, 0), [(7, Ok(3))]);
    assert_eq!(answer(1, 4), [(7, Err(NoReadIndex::NotLeader))]);
}
