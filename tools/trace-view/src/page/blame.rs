//! Which events a verdict is about: the one that broke the rule, and those of its facts.

use run_record::trace::{Event, Fact, Trace, Verdict, What};
use serde::Serialize;

use super::elections::Refused;

/// As many events of a moment are looked at.
const NEAR: usize = 200;

/// The event that a reader should see first.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Guilty {
    /// Its number.
    pub(super) event: u64,
    /// It broke the rule. If not, a test has waited in vain, and this is the best place to begin.
    pub(super) sure: bool,
}

/// The message or the like that broke the rule, else an append that is refused again and again, else
/// the last of the facts, else the violation itself.
pub(super) fn guilty(trace: &Trace, verdict: &Verdict, refused: &[Refused]) -> Option<Guilty> {
    if let Some(step) = step(trace, verdict) {
        return Some(Guilty { event: step, sure: true });
    }
    let speaks_of_refusals =
        verdict.facts.iter().any(|fact| fact.text.contains("refused the last"));
    let refusal = || refused.iter().filter(|_| speaks_of_refusals).map(|run| run.last).max();
    let facts = || verdict.facts.iter().filter_map(|one| fact(trace, verdict, one)).max();
    let violation = || {
        let is_it = |event: &&Event| matches!(event.what, What::Violation { .. });
        trace.events.iter().find(is_it).map(|event| event.n)
    };
    let event = refusal().or_else(facts).or_else(violation)?;
    Some(Guilty { event, sure: false })
}

/// The step that broke a rule, if the rule is one that is checked at every step.
fn step(trace: &Trace, verdict: &Verdict) -> Option<u64> {
    // A place in the source belongs to a test that has asked and waited.
    if verdict.location.as_ref().is_none_or(|at| at.contains(".rs:")) {
        return None;
    }
    let is_it = |event: &Event| matches!(event.what, What::Violation { .. });
    let violation = trace.events.iter().position(is_it)?;
    let moment = trace.events[..violation].iter().rev().take(NEAR);
    let moment = moment.take_while(|event| event.us == verdict.us);
    let deed = moment
        .filter(|event| event.lane.is_some_and(|lane| verdict.servers.contains(&lane)))
        .find(|event| is_a_deed(&event.what));
    deed.map(|event| event.n)
}

/// What a server does to others or to its service, or says that it does.
fn is_a_deed(what: &What) -> bool {
    matches!(
        what,
        What::Sent { .. }
            | What::Replied { .. }
            | What::Applied { .. }
            | What::Installed { .. }
            | What::Snapshot { .. }
            | What::Shards { .. }
            | What::Offered { .. }
    )
}

/// The number of the event that a fact tells of. One without a time is known of the moment of the
/// verdict, and has no event.
pub(super) fn fact(trace: &Trace, verdict: &Verdict, fact: &Fact) -> Option<u64> {
    let us = fact.us?;
    let first = trace.events.partition_point(|event| event.us < us);
    let moment = trace.events[first..].iter().take_while(|event| event.us == us);
    let own = moment.take(NEAR).filter(|event| event.lane == fact.server);
    // Of several that fit as well, the last one.
    own.max_by_key(|event| fits(&event.what, &fact.text, verdict.index)).map(|event| event.n)
}

/// How well an event fits the words of a fact.
fn fits(what: &What, words: &str, index: Option<u64>) -> u8 {
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    match what {
        // A fact about a client is about what it asked for.
        What::Called { .. } => 6,
        What::Shards { .. } if says(&["said: configuration"]) => 5,
        What::Applied { index: at, .. } if says(&["applied"]) => 4 + u8::from(Some(*at) == index),
        What::Installed { .. } if says(&["a snapshot of index"]) => 5,
        What::Snapshot { .. } if says(&["gave it a snapshot"]) => 5,
        What::Saved { snapshot: Some(_), .. } if says(&["saved a snapshot", "persister h"]) => 4,
        What::Offered { .. } if says(&["accepted it", "from the tester", "offered"]) => 4,
        What::Replied { .. } if says(&["accepted", "voted", "granted", "refused", "answered"]) => 3,
        What::Sent { .. } if says(&["sent", "sends", "asked", "led", "said"]) => 3,
        What::Crashed | What::Started if says(&["crash", "start"]) => 3,
        What::State(_) | What::Inferred { .. } => 2,
        What::Saved { .. } | What::Note { .. } => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{trace, verdict, vote};
    use super::*;

    /// A vote, a state and the violation, all at one moment.
    fn broken() -> Trace {
        let mut events = vote(1, 1, 0, 4, true);
        events.pop();
        let violation = json!({ "event": "violation", "verdict": verdict(&trace(&events), "") });
        events.push((0, json!({ "event": "saved", "bytes": 3 })));
        events.push((0, violation));
        events.iter_mut().for_each(|(_, what)| what["us"] = json!(5000));
        trace(&events)
    }

    #[test]
    fn a_rule_is_broken_by_the_message_before_it() {
        let trace = broken();
        let of_a_message =
            verdict(&trace, "the reply to Raft.RequestVote from server 1 to server 0");
        let vote = Some(Guilty { event: 3, sure: true });
        assert_eq!(guilty(&trace, &of_a_message, &[]), vote);
        let others = Verdict { servers: vec![2], ..of_a_message };
        let violation = Some(Guilty { event: 5, sure: false });
        assert_eq!(guilty(&trace, &others, &[]), violation, "none of its servers did anything");
    }

    #[test]
    fn a_fact_about_a_snapshot_leads_to_it() {
        let mut events = vec![
            (1, json!({ "event": "snapshot", "index": 9, "bytes": 5 })),
            (1, json!({ "event": "saved", "bytes": 5, "snapshot": 5 })),
            (1, json!({ "event": "installed", "index": 9, "term": 1, "bytes": 5 })),
            (1, json!({ "event": "applied", "index": 10, "command": "x" })),
        ];
        events.iter_mut().for_each(|(_, what)| what["us"] = json!(5000));
        let trace = trace(&events);
        let leads_to = |text: &str| {
            let about = Fact { text: text.into(), us: Some(5000), server: Some(1) };
            fact(&trace, &verdict(&trace, ""), &about)
        };
        assert_eq!(leads_to("then a snapshot of index 9 came"), Some(3));
        assert_eq!(leads_to("its service gave it a snapshot of 1 to 9"), Some(1));
        assert_eq!(leads_to("server 1 saved a snapshot of 1 to 9"), Some(2));
        assert_eq!(leads_to("its persister holds a log that follows entry 9"), Some(2));
        assert_eq!(leads_to("server 1 applied x at index 10"), Some(4));
    }

    #[test]
    fn what_a_test_has_waited_for_in_vain_begins_with_a_refusal_or_a_fact() {
        let trace = broken();
        let mut waited = verdict(&trace, "raft-tests/src/part_2b.rs:133:13");
        let of = |text: &str, us| Fact { text: text.into(), us, server: Some(1) };
        waited.facts =
            vec![of("server 1 never led", None), of("server 1 asked for votes", Some(5000))];
        let begins = |waited: &Verdict, refused: &[Refused]| {
            guilty(&trace, waited, refused).map(|guilty| (guilty.event, guilty.sure))
        };
        assert_eq!(begins(&waited, &[]), Some((1, false)));
        assert_eq!(fact(&trace, &waited, &waited.facts[0]), None);
        let run = Refused {
            leader: 0,
            follower: 1,
            term: None,
            prev: None,
            prev_term: None,
            count: 9,
            first: 1,
            last: 2,
        };
        assert_eq!(
            begins(&waited, std::slice::from_ref(&run)),
            Some((1, false)),
            "it is not about it"
        );
        waited.facts.push(of("server 1 refused the last 9 AppendEntries", None));
        assert_eq!(begins(&waited, &[run]), Some((2, false)));
    }
}
