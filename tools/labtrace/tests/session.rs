//! What code under test adds to a trace, and what becomes of a verdict.

use std::cell::Cell;
use std::time::Duration;

use labrt::{Node, simulate, thread};
use labtrace::{Keep, Role, Session, State, What, verdict};

/// Runs this as server 1 of a traced world; returns the session.
fn traced(keep: Keep, body: impl FnOnce() + Send + 'static) -> Session {
    let session = Session::new(keep, vec!["server 0".into(), "server 1".into()]);
    let inside = session.clone();
    let run = simulate(1, move || {
        inside.enter();
        Node::new("server 1").spawn(body).join().expect("it ends");
    });
    run.expect("nothing fails");
    session
}

fn state(term: u64) -> State {
    State { role: Role::Follower, term, vote: None, commit: None, log: None }
}

#[test]
fn notes_spans_and_states_are_recorded_where_they_belong() {
    let session = traced(Keep::All, || {
        assert!(labtrace::is_on());
        labtrace::note!("timer", "term {}", 4);
        let span = labtrace::span("waiting");
        thread::sleep(Duration::from_millis(3));
        span.end("enough");
        labtrace::state(|| state(4));
        labtrace::state(|| state(4));
        labtrace::state(|| state(5));
        drop(labtrace::span("dropped"));
    });
    let recorded = session.take();
    assert!(recorded.events.iter().all(|event| event.lane == Some(1)));
    let times: Vec<u64> = recorded.events.iter().map(|event| event.us).collect();
    assert_eq!(
        times,
        [0, 0, 3000, 3000, 3000, 3000, 3000],
        "a state that is as before is left out"
    );
    let text = format!("{:?}", recorded.events.iter().map(|e| &e.what).collect::<Vec<_>>());
    for part in ["\"timer\"", "\"term 4\"", "\"waiting\"", "\"enough\"", "term: 5", "\"dropped\""] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_nobody_listens_to_is_not_even_formatted() {
    struct Shows<'a>(&'a Cell<u32>);
    impl std::fmt::Display for Shows<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("shown")
        }
    }
    let session = traced(Keep::Nothing, || {
        let shown = Cell::new(0);
        assert!(!labtrace::is_on());
        labtrace::note!("timer", "{}", Shows(&shown));
        labtrace::state(|| unreachable!("nobody listens"));
        drop(labtrace::span(Shows(&shown)));
        assert_eq!(shown.get(), 0);
    });
    assert_eq!(session.take().total, 0);
}

#[test]
fn the_end_of_a_run_is_kept_and_its_events_can_be_completed() {
    let session = Session::new(Keep::Last(2), Vec::new());
    let inside = session.clone();
    simulate(1, move || {
        inside.enter();
        let note = |text: &str| What::Note { topic: "t".into(), text: text.into() };
        let events = [(); 4].map(|()| inside.record(None, note("?")));
        for event in events {
            inside.amend(event, |what| *what = note("!"));
        }
        inside.close();
        inside.record(None, note("late"));
    })
    .expect("nothing fails");
    let recorded = session.take();
    let numbers: Vec<u64> = recorded.events.iter().map(|event| event.n).collect();
    assert_eq!((numbers, recorded.total), (vec![3, 4], 4));
    assert!(
        recorded
            .events
            .iter()
            .all(|event| matches!(&event.what, What::Note { text, .. } if text == "!"))
    );
}

#[test]
fn the_first_verdict_counts_and_its_words_fail_the_run() {
    let session = Session::new(Keep::All, vec!["server 0".into(), "server 1".into()]);
    let inside = session.clone();
    let run = simulate(1, move || {
        inside.enter();
        thread::sleep(Duration::from_millis(7));
        Node::new("server 1").spawn(|| {
            labtrace::note!("before", "x");
            verdict("rule", "it is broken").fact(1, "a").fact_at(5, 0, "b").hint("h").fail()
        });
        thread::sleep(Duration::from_millis(1));
    });
    let failure = run.expect_err("it fails");
    assert_eq!(failure.message, "it is broken");
    let verdict = session.verdict().expect("there is one");
    assert_eq!((verdict.check.as_str(), verdict.us), ("rule", 7000));
    assert_eq!(verdict.servers, [1, 0]);
    assert!(verdict.task.expect("a task").ends_with("of server 1"));
    assert!(verdict.location.expect("a place").contains("session.rs:"));
    let events = session.take().events;
    assert!(matches!(&events[..], [_, last] if matches!(last.what, What::Violation { .. })));
}
