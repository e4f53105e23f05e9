//! What the terminal view leaves out, and what it cannot do.

mod scripted;

use run_record::trace::Trace;
use trace_view::terminal::{Error, Options, render};

/// The lines of the events alone, without what comes before and after them.
#[track_caller]
fn events(trace: &Trace, options: Options) -> Vec<String> {
    let text = render(trace, &options).expect("the options fit the trace");
    let text = text.split("\nsummary").next().unwrap_or_default();
    let lines = text.lines().skip_while(|line| !line.contains("server 0  ")).skip(1);
    lines.take_while(|line| !line.is_empty()).map(String::from).collect()
}

/// The same without the lines that tell what is left out.
#[track_caller]
fn shown(trace: &Trace, options: Options) -> Vec<String> {
    let mut lines = events(trace, options);
    lines.retain(|line| !line.contains("not shown") && !line.contains("server 0"));
    lines
}

fn only(topics: &str) -> Options {
    Options { only: vec![topics.into()], ..Options::default() }
}

#[track_caller]
fn each(lines: &[String], texts: &[&str]) {
    assert!(!lines.is_empty());
    for line in lines {
        assert!(texts.iter().any(|text| line.contains(text)), "{line}");
    }
}

#[test]
fn only_some_topics() {
    let trace = scripted::small();
    each(&shown(&trace, only("apply")), &["apply"]);
    each(&shown(&trace, only("vote")), &["RV", "votes", "candidate"]);
    each(&shown(&trace, only("ROLE")), &["leader", "follower", "candidate"]);
    each(&shown(&trace, only("save")), &["saved"]);
    each(&shown(&trace, only("net")), &["✗", "network"]);
    each(&shown(&trace, only("heartbeat")), &["HB"]);
    let two = shown(&trace, only("apply, test"));
    each(&two, &["apply", "offer", "one("]);
    let both = Options { only: vec!["apply".into(), "test".into()], ..Options::default() };
    assert_eq!(two, shown(&trace, both));
    assert!(two.iter().any(|line| line.contains("refused")), "{two:#?}");
}

#[test]
fn the_topics_of_notes_are_topics() {
    let trace = scripted::small();
    let timer = shown(&trace, only("Timer"));
    assert_eq!(timer.len(), 1);
    assert!(timer[0].contains("timer: heartbeats every"), "{timer:?}");
    assert_eq!(timer, shown(&trace, only("note")));
    let hidden = Options { hide: vec!["timer".into()], ..Options::default() };
    assert!(shown(&trace, hidden).iter().all(|line| !line.contains("timer:")));
}

#[test]
fn some_topics_are_hidden() {
    let trace = scripted::small();
    let hidden = |topics: &str| {
        let hide = vec![topics.into()];
        shown(&trace, Options { hide, all: true, ..Options::default() })
    };
    assert!(hidden("heartbeat").iter().all(|line| !line.contains("HB")));
    assert!(hidden("reply").iter().all(|line| !line.contains("AE ok") && !line.contains("RV yes")));
    // A state that has changed in another way too is still shown.
    assert!(hidden("term").iter().any(|line| line.contains("● t1 leader")));
    assert!(hidden("leader,term,vote,save").iter().all(|line| !line.contains("● t1 leader")));
}

#[test]
fn only_some_servers() {
    let trace = scripted::small();
    let zero = shown(&trace, Options { server: vec![0], ..Options::default() });
    // What comes from it stands in the column of the receiver.
    assert!(zero.iter().any(|line| line.contains("←0 RV yes")), "{zero:#?}");
    assert!(zero.iter().any(|line| line.contains("←1 RV t1")), "{zero:#?}");
    assert!(zero.iter().all(|line| !line.contains("←2 RV yes")), "{zero:#?}");
}

#[test]
fn only_some_time() {
    let trace = scripted::small();
    let (from, to) = (Some(600_000), Some(700_000));
    let lines = shown(&trace, Options { from, to, ..Options::default() });
    assert!(lines[0].contains("0.681000") && lines.len() > 3, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains(" 0.7")), "{lines:#?}");
}

#[test]
fn texts_are_searched_for_in_lines_and_messages() {
    let trace = scripted::small();
    let grep = |text: &str| {
        shown(&trace, Options { grep: Some(text.into()), width: 200, ..Options::default() })
    };
    assert_eq!(grep("TIMER: heart").len(), 1);
    // The reply holds it, and the line does not.
    each(&grep("conflict"), &["AE"]);
    assert!(grep("103").iter().any(|line| line.contains("apply 2 = 103")));
    assert!(grep("no such text anywhere").is_empty());
    let nothing = Options { grep: Some("no such text".into()), ..Options::default() };
    let text = render(&trace, &nothing).expect("the options fit");
    assert!(text.contains("no event passes the filters"), "{text}");
}

#[test]
fn the_last_lines_are_kept() {
    let trace = scripted::small();
    let all = shown(&trace, Options::default());
    let last = shown(&trace, Options { max_lines: Some(5), ..Options::default() });
    let text = |line: &String| line.chars().skip(25).collect::<String>();
    let texts = |lines: &[String]| lines.iter().map(text).collect::<Vec<_>>();
    assert_eq!(texts(&last), texts(&all[all.len() - 5..]));
}

#[test]
fn the_causes_of_an_event_are_a_chain() {
    let trace = scripted::small();
    let apply = trace.events.iter().find(|event| {
        matches!(event.what, run_record::trace::What::Applied { .. }) && event.lane == Some(1)
    });
    let n = apply.expect("server 1 applies something").n;
    let lines = shown(&trace, Options { causes_of: Some(n), ..Options::default() });
    assert!(lines[0].contains("offer 101"), "{lines:#?}");
    assert!(lines.last().expect("lines").contains("apply 1 = 101"), "{lines:#?}");
}

#[test]
fn long_runs_show_their_end_and_the_moments_of_the_facts() {
    let mut trace = scripted::long();
    let whole = shown(&trace, Options { all: true, ..Options::default() });
    let usual = events(&trace, Options::default());
    assert!(usual.len() * 5 < whole.len(), "{} of {}", usual.len(), whole.len());
    assert!(usual.iter().any(|line| line.contains("--all shows everything")));
    assert!(!usual.iter().any(|line| line.contains("0.402000")));
    if let Some(verdict) = trace.footer.as_mut().and_then(|footer| footer.verdict.as_mut()) {
        verdict.facts[0].us = Some(402_000);
    }
    let usual = events(&trace, Options::default());
    assert!(usual.iter().any(|line| line.contains("0.402000")), "{usual:#?}");
}

#[test]
fn what_is_left_out_is_counted() {
    let trace = scripted::long();
    let lines = events(&trace, only("verdict"));
    let shown = lines.iter().filter(|line| line.contains("State Machine Safety")).count();
    let all = lines.last().expect("a last line");
    assert_eq!(shown, 1);
    assert!(all.ends_with("in all, 2,340 events not shown"), "{all}");
    assert_eq!(trace.events.len(), 2341);
}

#[test]
fn heartbeats_that_tell_of_another_term_are_not_folded_away() {
    let mut script = scripted::Script::new(3).begin();
    script.campaign(0);
    script.cut(2);
    script.lead(0, 220);
    script.campaign(2);
    script.connect(2);
    script.lead(0, 330);
    let lines = shown(&script.passed(), Options::default());
    assert!(lines.iter().any(|line| line.contains("←0 HB t1")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("←2 HB no t2")), "{lines:#?}");
}

#[test]
fn what_a_trace_does_not_have_is_said() {
    let trace = scripted::small();
    let error = |options: Options| render(&trace, &options).expect_err("it cannot be shown");
    let topic = error(only("votes"));
    assert_eq!(topic, Error::Topic { name: "votes".into(), own: vec!["timer".into()] });
    let server = error(Options { server: vec![0, 3], ..Options::default() });
    assert_eq!(server, Error::Server { number: 3, servers: 3 });
    let call = error(Options { call: Some(0), ..Options::default() });
    assert!(matches!(call, Error::Call { number: 0, range: Some((1, _)) }), "{call}");
    let event = error(Options { causes_of: Some(1000), ..Options::default() });
    assert_eq!(event, Error::Event { number: 1000, range: Some((1, trace.events.len() as u64)) });
    let times = error(Options { from: Some(2), to: Some(1), ..Options::default() });
    assert_eq!(times, Error::Times { from: 2, to: 1 });
}
