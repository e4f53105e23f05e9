//! Replies.

use super::*;

messages! {
    Flag { it: bool }
    FlagReply { term: u64, success: Flag }
    VoteReply { term: u64, how: Given }
    Undecided { term: u64, how: Perhaps }
    Boxed { it: Detailed }
    Counted { term: u64, success: bool, match_index: u64 }
    Flushed { term: u64, success: bool, last_flushed_log_index: u64 }
    MatchedAndFlushed { term: u64, success: bool, match_index: u64, durable_index: u64 }
    Epochs { epoch: u64, how: Detailed }
    NoTerm { success: bool, hint: u64 }
    Misnamed { term: u64, success: u64 }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Given {
    Granted,
    #[default]
    Refused,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Perhaps {
    #[default]
    Accepted,
    Later,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Detailed {
    Accepted { term: u64, match_index: u64 },
    Rejected { term: u64 },
}

impl Default for Detailed {
    fn default() -> Detailed {
        Detailed::Rejected { term: 0 }
    }
}

#[test]
fn a_yes_is_a_flag_or_a_variant_of_an_enum_that_knows_only_yes_and_no() {
    let reply = |term, yes| Reply { term, yes: Some(yes), ..Reply::default() };
    let mut read = by_names();
    for yes in [true, false] {
        let flag = FlagReply { term: 4, success: Flag { it: yes } };
        assert_eq!(read.answers(&flag), reply(Some(4), yes));
        assert_eq!(read.answers(&yes), reply(None, yes));
        let how = if yes { Given::Granted } else { Given::Refused };
        assert_eq!(read.answers(&VoteReply { term: 4, how: how.clone() }), reply(Some(4), yes));
        assert_eq!(read.answers(&how), reply(None, yes));
    }
    read.assert_all_understood();
    let undecided = read.answers(&Undecided { term: 4, how: Perhaps::Accepted });
    assert_eq!(undecided, Reply { term: Some(4), yes: None, ..Reply::default() });
    let why = "the reply to AppendEntries has no `success` or the like: fields term, how";
    assert_eq!(read.lacking(Part::AppendReplies), why);
    // A number is no flag, whatever its name is.
    assert_eq!(by_names().answers(&Misnamed { term: 4, success: 1 }).yes, None);
}

#[test]
fn a_variant_may_hold_the_term_and_how_much_is_accepted() {
    let mut read = by_names();
    let accepted = Detailed::Accepted { term: 4, match_index: 9 };
    let yes = Reply::new(4, true, Some(9));
    assert_eq!(read.answers(&accepted), yes);
    assert_eq!(read.answers(&Counted { term: 4, success: true, match_index: 9 }), yes);
    let no = Reply::new(5, false, None);
    assert_eq!(read.answers(&Detailed::Rejected { term: 5 }), no);
    // The better name counts, also within.
    assert_eq!(read.answers(&Epochs { epoch: 2, how: accepted.clone() }), yes);
    // A term that was left at nothing says nothing.
    assert_eq!(read.answers(&Detailed::Rejected { term: 0 }).term, None);
    assert_eq!(read.answers(&Boxed { it: accepted }).yes, Some(true));
    read.assert_all_understood();
}

#[test]
fn that_a_reply_has_no_term_is_said() {
    let mut read = by_names();
    assert_eq!(read.answers(&NoTerm { success: true, hint: 1 }).yes, Some(true));
    let why = "the reply to AppendEntries has no `term` or the like: fields success, hint";
    assert_eq!(read.lacking(Part::ReplyTerms), why);
    let said = read.missing().sentences();
    for rule in ["term, ", "persistence: term, ", "a newer term is taken over"] {
        assert!(said[0].contains(rule), "{rule}: {said:?}");
    }
    assert!(!read.missing().allows(&missing::TERM) && read.missing().allows(&missing::ONE_VOTE));
}

#[test]
fn what_is_flushed_is_all_that_is_accepted() {
    let mut read = by_names();
    let upto = |index, exact| Reply { exact, ..Reply::new(4, true, Some(index)) };
    let flushed = Flushed { term: 4, success: true, last_flushed_log_index: 0 };
    assert_eq!(read.answers(&flushed), upto(0, true));
    let both = MatchedAndFlushed { term: 4, success: true, match_index: 9, durable_index: 7 };
    assert_eq!(read.answers(&both), upto(7, true));
    // It may have on its disk what is not the leader's.
    assert_eq!(read.answers(&MatchedAndFlushed { match_index: 5, ..both }), upto(5, false));
    read.assert_all_understood();
}
