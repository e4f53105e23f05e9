//! Messages of other shapes and under other names than Figure 2's: they are read as they are meant, or not at all.

use super::*;

messages! {
    Entry { term: u64, command: u64 }
    Vote { term: u64, last_log_index: u64, last_log_term: u64 }
    Voted { term: u64, vote_granted: bool }
    Args { term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64 }
    Answer { term: u64, success: bool }
    OptionalTerm { term: Option<u64>, last_log_index: u64, last_log_term: u64 }
    OptionalVote { term: u64, last_log_index: Option<u64>, last_log_term: Option<u64> }
    OptionalArgs {
        term: u64, prev_log_index: Option<u64>, prev_log_term: Option<u64>, entries: Vec<Entry>,
        leader_commit: Option<u64>,
    }
    Conflict { term: u64, index: u64 }
    WithConflict { follower_term: u64, success: bool, conflict: Conflict }
    FlatConflict { current_term: u64, success: bool, term: u64, index: u64 }
    WithMatch { term: u64, success: bool, match_index: u64 }
    Flushed { term: u64, success: bool, last_flushed_log_index: u64 }
    WithEpoch {
        epoch: u64, term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>,
        leader_commit: u64,
    }
    Part {
        term: u64, last_included_index: u64, last_included_term: u64, part: u64, data: Vec<u8>,
    }
    LastPart {
        term: u64, last_included_index: u64, last_included_term: u64, seq: u64, data: Vec<u8>,
        done: bool,
    }
    WithTail {
        term: u64, last_included_index: u64, last_included_term: u64, data: Vec<u8>,
        tail: Vec<Entry>,
    }
    Header { from: u64, term: u64 }
    VoteInHeader { header: Header, epoch: u64, last_log_index: u64, last_log_term: u64 }
    ArgsInHeader {
        header: Header, t: u64, prev_log_index: u64, prev_log_term: u64, entry: Entry,
        leader_commit: u64,
    }
    WithDigests {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64,
        digests: Vec<u64>,
    }
    WithFlag { ok: bool, success: bool, term: u64 }
    WithKind { term: u64, last_log_index: u64, last_log_term: u64, kind: u8 }
    WithLongKind { term: u64, last_log_index: u64, last_log_term: u64, request_type: u32 }
    WithFlavour {
        term: u64, candidate_id: u8, last_log_index: u64, last_log_term: u64, flavour: u8,
    }
    WithSmallNumbers { term: u8, candidate_id: u8, last_log_index: u64, last_log_term: u8 }
    WithOption { term: u64, last_log_index: u64, last_log_term: u64, pre_vote: Option<bool> }
    WithNumber { term: u64, last_log_index: u64, last_log_term: u64, pre_vote: u8 }
    WithBare {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<(u64, Vec<u8>)>,
        leader_commit: u64,
    }
    WithSegment {
        term: u64, prev_log_index: u64, prev_log_term: u64, segment_term: u64,
        entries: Vec<(u64, Vec<u8>)>, leader_commit: u64,
    }
    WithLeader {
        term: u64, leader_id: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>,
        leader_commit: u64,
    }
    SnapshotOfLeader {
        term: u64, leader_id: u64, last_included_index: u64, last_included_term: u64, data: Vec<u8>,
    }
    Beat { term: u64, leader_id: u64, leader_commit: u64 }
    BeatFlushed { term: u64, flushed_index: u64 }
    WithPairs {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<(u64, Entry)>,
        leader_commit: u64,
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct WithResult {
    follower_term: u64,
    result: Result<u64, Conflict>,
}

pub(super) const REQUEST_VOTE: &str = "Raft.RequestVote";
pub(super) const INSTALL_SNAPSHOT: &str = "Raft.InstallSnapshot";
pub(super) const APPEND_ENTRIES: &str = "Raft.AppendEntries";

/// Server 0 leads this term by the vote of server 1.
pub(super) fn led(term: u64, last: (u64, u64)) -> Result<Play, Box<labtrace::Verdict>> {
    let mut play = Play::new(3);
    let request = Vote { term, last_log_index: last.0, last_log_term: last.1 };
    play.named((0, 1), REQUEST_VOTE, &request, &Voted { term, vote_granted: true })?;
    Ok(play)
}

fn entry(term: u64) -> Vec<Entry> {
    vec![Entry { term, command: 7 }]
}

#[test]
fn what_none_of_a_number_stands_for_is_not_guessed() -> Checked {
    let mut play = Play::new(3);
    let voted = Voted { term: 1, vote_granted: true };
    play.named((0, 1), REQUEST_VOTE, &OptionalVote { term: 1, ..OptionalVote::default() }, &voted)?;
    let first = OptionalArgs { term: 1, entries: entry(1), ..OptionalArgs::default() };
    let success = Answer { term: 1, success: true };
    play.named((0, 1), APPEND_ENTRIES, &first, &success)?;
    let zero = Some(0);
    let second =
        OptionalArgs { prev_log_index: zero, prev_log_term: Some(1), leader_commit: zero, ..first };
    play.named((0, 1), APPEND_ENTRIES, &second, &success)?;
    play.applies(0, 1)?;
    play.applies(0, 2)?;
    assert!(play.says("has no `last_log_index`") && play.says("has no `prev_log_index`"));
    Ok(())
}

#[test]
fn the_term_of_a_conflict_is_not_the_replys() -> Checked {
    let request = Args { term: 5, prev_log_index: 9, prev_log_term: 4, ..Args::default() };
    let conflict = Conflict { term: 2, index: 3 };
    let beside = WithConflict { follower_term: 5, success: false, conflict: conflict.clone() };
    led(5, (9, 4))?.named((0, 1), APPEND_ENTRIES, &request, &beside)?;
    let mut play = led(5, (9, 4))?;
    let flat = FlatConflict { current_term: 5, success: false, term: 2, index: 3 };
    play.named((0, 1), APPEND_ENTRIES, &request, &flat)?;
    assert_eq!(play.judge.term(1), 5);
    let within = WithResult { follower_term: 5, result: Err(conflict) };
    led(5, (9, 4))?.named((0, 1), APPEND_ENTRIES, &request, &within)
}

#[test]
fn of_several_names_the_first_of_the_table_counts() -> Checked {
    let success = Answer { term: 5, success: true };
    let request = WithEpoch { epoch: 1, term: 5, ..WithEpoch::default() };
    led(5, (0, 0))?.named((0, 1), APPEND_ENTRIES, &request, &success)?;
    let request = Args { term: 5, prev_log_index: 9, prev_log_term: 4, ..Args::default() };
    let refused = WithFlag { ok: true, success: false, term: 5 };
    led(5, (9, 4))?.named((0, 1), APPEND_ENTRIES, &request, &refused)
}

/// A list that nobody here understands may be news to its receiver.
#[test]
fn who_brings_something_else_than_entries_sends_no_heartbeat() -> Checked {
    fn sends(digests: impl Fn(u64) -> Vec<u64>) -> Checked {
        let mut play = led(1, (0, 0))?;
        for number in 0..100 {
            let request =
                WithDigests { term: 1, digests: digests(number), ..WithDigests::default() };
            play.named((0, 1), APPEND_ENTRIES, &request, &Answer { term: 1, success: true })?;
        }
        Ok(())
    }
    sends(|number| vec![number])?;
    for same in [vec![], vec![7]] {
        let broken = sends(|_| same.clone()).expect_err("there are too many of them");
        assert_eq!(broken.check, "heartbeats");
    }
    Ok(())
}

/// How a part of a snapshot is numbered, nobody here knows.
#[test]
fn each_part_of_a_snapshot_is_sent_once() -> Checked {
    fn sends(play: &mut Play, parts: impl Iterator<Item = u64>) -> Checked {
        play.judge.reigns.committed = 9;
        play.judge.servers[0].knows = 9;
        for part in parts {
            let (term, last_included_index, last_included_term) = (1, 9, 1);
            let data = vec![1];
            let request = Part { term, last_included_index, last_included_term, part, data };
            play.named((0, 1), INSTALL_SNAPSHOT, &request, &Answer { term: 1, success: true })?;
        }
        Ok(())
    }
    sends(&mut led(1, (0, 0))?, 0..100)?;
    let mut play = led(1, (0, 0))?;
    play.judge.reigns.committed = 9;
    play.judge.servers[0].knows = 9;
    for seq in 0..100 {
        let (term, last_included_index, last_included_term, data) = (1, 9, 1, vec![1]);
        let done = seq == 99;
        let request = LastPart { term, last_included_index, last_included_term, seq, data, done };
        play.named((0, 1), INSTALL_SNAPSHOT, &request, &Answer { term: 1, success: true })?;
    }
    // From the beginning again and again it is sent too often.
    let again = (0..100).map(|number| number % 3);
    let broken = sends(&mut led(1, (0, 0))?, again).expect_err("it is there");
    assert_eq!(broken.check, "snapshots sent again");
    Ok(())
}

/// A configuration's epoch, or the time of the sender, stands further out than the term in a header.
#[test]
fn a_better_name_further_within_counts() -> Checked {
    let mut play = Play::new(3);
    for term in [5, 6] {
        let header = Header { from: 0, term };
        let request = VoteInHeader { header, epoch: 1, ..VoteInHeader::default() };
        play.named((0, 1), REQUEST_VOTE, &request, &Voted { term, vote_granted: true })?;
    }
    assert_eq!(play.judge.term(0), 6);
    let header = Header { from: 0, term: 6 };
    let request = ArgsInHeader { header, t: 77, ..ArgsInHeader::default() };
    play.named((0, 1), APPEND_ENTRIES, &request, &Answer { term: 6, success: true })?;
    assert_eq!(play.judge.term(0), 6);
    Ok(())
}

/// Server 1 says yes to two entries, and by this answer that they are not on its disk. Then it is asked once more, crashes,
/// and has lost them.
fn lost_before_flushed<R: Gob>(play: &mut Play, answer: &R) -> Checked {
    let first = Args { term: 1, entries: [entry(1), entry(1)].concat(), ..Args::default() };
    play.named((0, 1), APPEND_ENTRIES, &first, answer)?;
    let beat = Args { prev_log_index: 2, prev_log_term: 1, entries: Vec::new(), ..first.clone() };
    play.named((0, 1), APPEND_ENTRIES, &beat, answer)?;
    play.judge.crashed(1);
    play.judge.started(1, 2);
    let refused = Answer { term: 1, success: false };
    play.named((0, 1), APPEND_ENTRIES, &beat, &refused)?;
    play.named((0, 1), APPEND_ENTRIES, &first, answer)
}

#[test]
fn what_is_not_flushed_yet_may_be_lost() -> Checked {
    let flushed =
        |last_flushed_log_index| Flushed { term: 1, success: true, last_flushed_log_index };
    lost_before_flushed(&mut led(1, (0, 0))?, &flushed(0))?;
    let matched = |match_index| WithMatch { term: 1, success: true, match_index };
    lost_before_flushed(&mut led(1, (0, 0))?, &matched(0))?;
    // What is flushed may not; nor is a number for refusals only when something is committed all the same.
    let mut play = led(1, (0, 0))?;
    let broken = lost_before_flushed(&mut play, &flushed(2)).expect_err("it is flushed");
    assert_eq!(broken.check, "accepted entries stay");
    let mut play = led(1, (0, 0))?;
    play.judge.reigns.led_by(0, 1).commit = 1;
    let broken = lost_before_flushed(&mut play, &matched(0)).expect_err("it was accepted");
    assert_eq!(broken.check, "accepted entries stay");
    Ok(())
}

#[test]
fn what_is_not_flushed_yet_is_not_counted() -> Checked {
    fn commits<R: Gob>(answer: &R) -> Checked {
        let mut play = led(1, (0, 0))?;
        let first = Args { term: 1, entries: entry(1), ..Args::default() };
        play.named((0, 1), APPEND_ENTRIES, &first, answer)?;
        let (prev_log_index, prev_log_term, leader_commit) = (1, 1, 1);
        let next = Args { prev_log_index, prev_log_term, leader_commit, ..first };
        play.named((0, 1), APPEND_ENTRIES, &next, answer)
    }
    commits(&Flushed { term: 1, success: true, last_flushed_log_index: 1 })?;
    let flushed = Flushed { term: 1, success: true, last_flushed_log_index: 0 };
    let broken = commits(&flushed).expect_err("nothing is flushed");
    assert_eq!(broken.check, "committed by a majority");
    // Whether a number that is called otherwise means that, is not clear.
    commits(&WithMatch { term: 1, success: true, match_index: 0 })
}

/// Server 0 leads term 1, and server 1 says by other replies than a yes to entries up to where it has them. Server 0
/// counts that.
fn commits_by_other_replies<A: Gob, R: Gob, N: Gob>(
    entries_answer: &R,
    (method, request, answer): (&str, &A, &N),
) -> Checked {
    let mut play = led(1, (0, 0))?;
    let first = Args { term: 1, entries: entry(1), ..Args::default() };
    play.named((0, 1), APPEND_ENTRIES, &first, entries_answer)?;
    play.named((0, 1), method, request, answer)?;
    let beat = Beat { term: 1, leader_id: 0, leader_commit: 1 };
    play.named((0, 1), HEARTBEAT, &beat, answer)
}

const HEARTBEAT: &str = "Raft.Heartbeat";

#[test]
fn what_other_replies_say_to_be_accepted_is_counted() -> Checked {
    let flushed =
        |last_flushed_log_index| Flushed { term: 1, success: true, last_flushed_log_index };
    let beat = Beat { term: 1, ..Beat::default() };
    let now = |flushed_index| BeatFlushed { term: 1, flushed_index };
    commits_by_other_replies(&flushed(0), (HEARTBEAT, &beat, &now(1)))?;
    // A refusal, of what is sent too early.
    let early = Args { term: 1, prev_log_index: 3, prev_log_term: 1, ..Args::default() };
    let refused = WithMatch { term: 1, success: false, match_index: 1 };
    commits_by_other_replies(&flushed(0), (APPEND_ENTRIES, &early, &refused))?;
    // Not so much, not in this term, and more than anybody has sent.
    for answer in [now(0), BeatFlushed { term: 2, flushed_index: 1 }, now(2)] {
        let broken = commits_by_other_replies(&flushed(0), (HEARTBEAT, &beat, &answer));
        assert_eq!(broken.expect_err("it has not").check, "committed by a majority");
    }
    Ok(())
}

/// The answers to the entries themselves are lost.
#[test]
fn an_answer_that_is_lost_is_made_up_for_by_that_to_a_heartbeat() -> Checked {
    let mut play = led(1, (0, 0))?;
    let first = Args { term: 1, entries: entry(1), ..Args::default() };
    let request = play.read.request(APPEND_ENTRIES, encoded(&first));
    let call = play.sent(0, 1, request)?;
    play.delivered(call);
    play.judge.over(call, true, play.us);
    let beat = Beat { term: 1, ..Beat::default() };
    let answer = WithMatch { term: 1, success: true, match_index: 1 };
    play.named((0, 1), HEARTBEAT, &beat, &answer)?;
    play.named((0, 1), HEARTBEAT, &Beat { leader_commit: 1, ..beat }, &answer)
}

/// A leader lets a follower send to another one what is its own word.
#[test]
fn what_is_passed_on_for_the_leader_that_it_names_is_not_its_senders() -> Checked {
    let success = Answer { term: 1, success: true };
    let entries = WithLeader { term: 1, entries: entry(1), ..WithLeader::default() };
    let data = vec![1];
    let snapshot = SnapshotOfLeader { term: 1, data, ..SnapshotOfLeader::default() };
    let mut play = led(1, (0, 0))?;
    play.named((0, 1), APPEND_ENTRIES, &entries, &success)?;
    assert_eq!(play.read.missing().count(), 0);
    play.named((1, 2), APPEND_ENTRIES, &entries, &success)?;
    assert!(play.says("Election Safety") && play.says("passes on what the leader"));
    let mut play = led(1, (0, 0))?;
    play.named((0, 1), APPEND_ENTRIES, &entries, &success)?;
    play.named((1, 2), INSTALL_SNAPSHOT, &snapshot, &success)?;
    assert!(play.says("passes on what the leader"));
    Ok(())
}

#[test]
fn who_names_itself_or_anybody_leads_by_what_it_sends() -> Checked {
    let success = Answer { term: 1, success: true };
    let leads = |play: &mut Play, from, leader_id| {
        let request = WithLeader { term: 1, leader_id, ..WithLeader::default() };
        play.named((from, 2), APPEND_ENTRIES, &request, &success)
    };
    // By itself; by one that does not lead; by numbers that are no servers'.
    for named in [[0, 1], [0, 2], [1, 2], [5, 0]] {
        let mut play = led(1, (0, 0))?;
        leads(&mut play, 0, named[0])?;
        let broken = leads(&mut play, 1, named[1]).expect_err("it was not elected");
        assert_eq!(broken.check, "elected by a majority", "{named:?}");
    }
    Ok(())
}

/// What a Raft itself says of its replies is so.
#[test]
fn what_a_raft_says_that_it_has_accepted_is_all_of_it() -> Checked {
    let mut play = Play::new(3);
    let upto = |index| Reply { exact: true, ..Reply::new(1, true, Some(index)) };
    play.call(0, 1, vote(1, (0, 0)), yes(1))?;
    play.call(0, 1, append(1, (0, 0), &[1, 1], 0), upto(0))?;
    play.call(0, 1, append(1, (2, 1), &[], 0), upto(1))?;
    play.call(0, 1, append(1, (2, 1), &[], 1), upto(1))?;
    play.judge.crashed(1);
    play.judge.started(1, 2);
    play.call(0, 1, append(1, (2, 1), &[], 1), no(1))?;
    play.call(0, 1, append(1, (0, 0), &[1, 1], 1), upto(1))?;
    // One that was sent early is answered late, with what is flushed by now.
    play.call(0, 1, append(1, (0, 0), &[1], 1), upto(2))?;
    play.call(0, 1, append(1, (2, 1), &[], 2), upto(2))?;
    play.judge.crashed(1);
    play.judge.started(1, 3);
    play.call(0, 1, append(1, (2, 1), &[1, 1], 2), upto(2))?;
    play.judge.crashed(1);
    play.judge.started(1, 4);
    play.call(0, 1, append(1, (4, 1), &[], 2), no(1))?;
    play.call(0, 1, append(1, (2, 1), &[], 2), upto(2))
}

/// A number that is filled in only by who refuses.
#[test]
fn a_yes_to_less_than_was_asked_is_no_number() -> Checked {
    let mut play = led(1, (0, 0))?;
    let accepted = WithMatch { term: 1, success: true, match_index: 0 };
    let first = Args { term: 1, entries: entry(1), ..Args::default() };
    play.named((0, 1), APPEND_ENTRIES, &first, &accepted)?;
    let second = Args {
        prev_log_index: 1,
        prev_log_term: 1,
        leader_commit: 1,
        entries: Vec::new(),
        ..first
    };
    play.named((0, 1), APPEND_ENTRIES, &second, &accepted)
}

#[test]
fn what_may_be_the_mark_of_a_pre_vote_is_none_of_a_vote() -> Checked {
    fn asks<A: Gob>(request: &A, mark: &str) -> Checked {
        let mut play = Play::new(3);
        let granted = Voted { term: 6, vote_granted: true };
        play.named((0, 1), REQUEST_VOTE, request, &granted)?;
        play.named((2, 1), REQUEST_VOTE, request, &granted)?;
        assert!(play.says(&format!("nobody here knows what `{mark}`")), "{mark}");
        Ok(())
    }
    asks(&WithKind { term: 6, kind: 1, ..WithKind::default() }, "kind")?;
    asks(&WithLongKind { term: 6, request_type: 1, ..WithLongKind::default() }, "request_type")?;
    asks(&WithFlavour { term: 6, flavour: 1, ..WithFlavour::default() }, "flavour")?;
    asks(&WithOption { term: 6, pre_vote: Some(true), ..WithOption::default() }, "pre_vote")?;
    asks(&WithNumber { term: 6, pre_vote: 1, ..WithNumber::default() }, "pre_vote")
}

#[test]
fn what_says_who_asks_is_no_mark() -> Checked {
    let mut play = Play::new(3);
    let request = WithSmallNumbers { term: 6, candidate_id: 2, ..WithSmallNumbers::default() };
    let granted = Voted { term: 6, vote_granted: true };
    play.named((2, 1), REQUEST_VOTE, &request, &granted)?;
    let other = WithSmallNumbers { candidate_id: 0, ..request };
    let broken = play.named((0, 1), REQUEST_VOTE, &other, &granted).expect_err("it votes twice");
    assert_eq!(broken.check, "one vote a term");
    Ok(())
}

#[test]
fn entries_behind_a_snapshot_are_seen_whatever_they_are_called() -> Checked {
    let mut play = led(1, (0, 0))?;
    let tail = entry(1);
    let request = WithTail { term: 1, tail, ..WithTail::default() };
    play.named((0, 1), INSTALL_SNAPSHOT, &request, &Answer { term: 1, success: true })?;
    assert!(play.says("InstallSnapshot brings entries behind its snapshot"));
    Ok(())
}

#[test]
fn the_index_of_an_entry_is_not_its_term() -> Checked {
    let mut play = led(1, (0, 0))?;
    let entries = (1..3).map(|index| (index, Entry { term: 1, command: 7 })).collect();
    let request = WithPairs { term: 1, entries, ..WithPairs::default() };
    play.named((0, 1), APPEND_ENTRIES, &request, &Answer { term: 1, success: true })?;
    assert!(play.says("which number is their term is not clear"));
    Ok(())
}

/// Server 0 leads some terms and sends entries that are numbered like this. Each message tells the right `prevLogTerm`.
fn sends_bare(play: &mut Play, appends: &[(u64, (u64, u64), &[u64])]) -> Checked {
    for (term, (prev_log_index, prev_log_term), numbers) in appends {
        let entries = numbers.iter().map(|number| (*number, vec![7])).collect();
        let (term, prev_log_index, prev_log_term) = (*term, *prev_log_index, *prev_log_term);
        let request =
            WithBare { term, prev_log_index, prev_log_term, entries, ..WithBare::default() };
        let request = play.read.request(APPEND_ENTRIES, encoded(&request));
        play.sent(0, 1, request)?;
    }
    Ok(())
}

#[test]
fn a_number_that_may_be_an_index_is_no_term() -> Checked {
    const UNCLEAR: &str = "the number in them is perhaps no term";
    // More of them than there were terms; a term that nobody has led; another one by `prevLogTerm`.
    for appends in [
        &[(1, (0, 0), &[1][..]), (1, (1, 1), &[2])][..],
        &[(5, (0, 0), &[1, 2])],
        &[(1, (0, 0), &[]), (2, (0, 0), &[1])],
        &[(1, (0, 0), &[1]), (2, (1, 2), &[])],
    ] {
        let mut play = Play::new(3);
        sends_bare(&mut play, appends)?;
        assert!(play.says(UNCLEAR), "{appends:?}");
    }
    // Another command under the same number, which a later leader sends.
    let mut play = Play::new(3);
    for (term, command) in [(1, 7), (2, 8)] {
        let request = WithBare { term, entries: vec![(1, vec![command])], ..WithBare::default() };
        let request = play.read.request(APPEND_ENTRIES, encoded(&request));
        play.sent(0, 1, request)?;
    }
    assert!(play.says(UNCLEAR));
    let segment = WithSegment { term: 1, segment_term: 1, ..WithSegment::default() };
    let mut play = led(1, (0, 0))?;
    play.named((0, 1), APPEND_ENTRIES, &segment, &Answer { term: 1, success: true })?;
    assert!(play.says("which is their term, their number or `segment_term`, is not clear"));
    // Terms are known by the second entry of one, and then for good.
    let mut play = Play::new(3);
    let appends: &[(u64, (u64, u64), &[u64])] =
        &[(1, (0, 0), &[1]), (2, (0, 0), &[1]), (2, (1, 1), &[2, 2]), (3, (3, 2), &[3])];
    sends_bare(&mut play, appends)?;
    assert!(!play.says(UNCLEAR));
    let broken = sends_bare(&mut play, &[(3, (4, 3), &[5])]).expect_err("it is later");
    assert_eq!(broken.check, "a leader's log");
    Ok(())
}

#[test]
fn a_heartbeat_that_says_what_is_before_it_may_be_checked() -> Checked {
    let success = Answer { term: 1, success: true };
    let mut play = led(1, (0, 0))?;
    // The reply to the entry is lost.
    let first = Args { term: 1, entries: entry(1), ..Args::default() };
    let request = play.read.request(APPEND_ENTRIES, encoded(&first));
    let call = play.sent(0, 1, request)?;
    play.delivered(call);
    let reply = play.read.reply(APPEND_ENTRIES, encoded(&success));
    play.replied(call, reply)?;
    play.judge.over(call, true, play.us);
    assert!(!play.says("Heartbeat may check"));
    let beat = Args { prev_log_index: 1, prev_log_term: 1, entries: Vec::new(), ..first };
    play.named((0, 1), "Raft.Heartbeat", &beat, &success)?;
    play.named((0, 1), "Raft.Heartbeat", &Args { leader_commit: 1, ..beat }, &success)?;
    assert!(play.says("Heartbeat may check"));
    // Who leaves it at nothing says no more than that it leads.
    let mut play = led(1, (0, 0))?;
    play.named((0, 1), "Raft.Heartbeat", &Args { term: 1, ..Args::default() }, &success)?;
    assert!(!play.says("Heartbeat may check"));
    Ok(())
}

#[test]
fn a_number_that_is_not_there_is_not_passed_over_in_silence() {
    let mut play = Play::new(3);
    for term in [Some(1), None] {
        let request = OptionalTerm { term, ..OptionalTerm::default() };
        let read = play.read.request(REQUEST_VOTE, encoded(&request));
        assert_eq!(matches!(read, Request::Unknown), term.is_none());
        assert_eq!(play.says("RequestVote has a number that is none"), term.is_none());
    }
}
