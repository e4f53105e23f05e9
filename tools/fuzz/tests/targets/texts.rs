//! What runs leave behind, and what people write on command lines.

use std::fmt::Display;
use std::str::FromStr;

use fuzz::{Form, Target};
use linearizability::models::{CasRegister, Kv, Queue, Register};
use linearizability::read::{self, ReadError, Value};
use linearizability::view::Picture;
use linearizability::{History, Limits, Model, check};
use run_record::Record;
use run_record::choices::Choices;
use run_record::schedule::{Choice, Schedule};
use run_record::seal::Seals;
use run_record::setting::Setting;
use run_record::trace::Trace;
use trace_view::terminal::{Options, logs, render};

/// The beginning and the end of a trace of each kind of run.
fn traces() -> impl Iterator<Item = String> {
    let whole = [
        include_str!("../../../trace-view/tests/traces/old-term-committed.ndjson"),
        include_str!("../../../trace-view/tests/traces/snapshot-goes-back.ndjson"),
        include_str!("../../../trace-view/tests/traces/shard-lost.ndjson"),
    ];
    whole.into_iter().map(|trace| {
        let lines: Vec<&str> = trace.split_inclusive('\n').collect();
        [&lines[..25], &lines[lines.len() - 25..]].concat().concat()
    })
}

/// True for what can steer a terminal.
fn steers(text: &str) -> bool {
    text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}')
}

#[test]
fn traces_are_shown() {
    let target = Target::new("traces_are_shown", Form::Text).right(traces());
    target.inputs(300).memory(3_000_000, 300).run(|bytes| {
        let mut trace = match Trace::parse(&String::from_utf8_lossy(bytes)) {
            Ok(trace) => trace,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return false;
            }
        };
        let page = trace_view::page::render(&trace);
        assert!(page.ends_with("</html>\n"), "{}", &page[page.len() - 40..]);
        // Above a client's bar there is room for the last character of its name only.
        let steering = ['\u{1b}', '\u{7}', '\r'];
        let names = trace.header.lanes.iter_mut().zip(steering.into_iter().cycle());
        names.for_each(|(name, end)| name.push(end));
        for options in [Options::default(), Options { all: true, width: 40, ..Options::default() }]
        {
            assert!(!steers(&render(&trace, &options).expect("there are no filters")));
            assert!(!steers(&logs(&trace, 2, 3, None, &options)));
        }
        true
    });
}

const RECORDS: &str = r#"{"event":"begin","test":"figure_8_2C","part":"2C","clock":"sim","seed":7,"choices":"1.5:7"}
{"event":"end","test":"figure_8_2C","part":"2C","clock":"sim","seed":7,"lab_us":5000000,"wall_us":1,"cpu_us":2,"servers":3,"rpcs":300,"bytes":18446744073709551615,"committed":9,"hash":"00ff","schedule":"pct:3","troubles":[1,2,3,4,5,6,7,8,9,10,11,12,13],"situations":{"split_vote":3},"coverage":{"pairs":[[7,10]]},"not_judged":["a rule"],"failure":{"kind":"panic","message":"m","location":null,"text":"t","check":"c"}}
"#;

#[test]
fn records() {
    let mut seals = Seals::new("key");
    let sealed: Vec<String> =
        RECORDS.lines().map(|line| format!("{line}\t{}", seals.seal(line))).collect();
    let target = Target::new("records", Form::Text).right([RECORDS, &sealed.join("\n")]);
    target.inputs(2_000).memory(60_000, 200).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut seals = Seals::new("key");
        let mut read = false;
        for line in text.lines() {
            if let Ok(record) = Record::from_line(line) {
                assert_eq!(Record::from_line(&record.to_line()).expect("it is one"), record);
                read = true;
            }
            let is_open = seals.open(line).is_some();
            let is_as_it_was = sealed.iter().any(|sealed| sealed == line);
            assert!(!is_open || is_as_it_was, "a forged seal: {line}");
            read |= is_open;
        }
        read
    });
}

/// What can be read is written so that it can be read again; what cannot is refused with the words for it.
fn round<T: FromStr<Err = String> + Display + PartialEq>(text: &str) -> bool {
    let value = text.parse::<T>();
    match &value {
        Ok(value) => assert!(value.to_string().parse::<T>().is_ok_and(|again| again == *value)),
        Err(error) => assert!(error.len() > 20 && error.len() < 2_000 + 10 * text.len(), "{error}"),
    }
    value.is_ok()
}

#[test]
fn settings() {
    let right = [
        "losses=0,crashes=2",
        "cuts=18446744073709551615",
        "pct:3",
        "walk",
        "surw",
        "mixed",
        "1.5:7,3:12",
    ];
    let target = Target::new("settings", Form::Text).right(right);
    target.inputs(3_000).memory(20_000, 50).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let read = [
            round::<Setting>(&text),
            round::<Schedule>(&text),
            round::<Choice>(&text),
            round::<Choices>(&text),
        ];
        read.contains(&true)
    });
}

const KV: &str = r#"{:process 0, :type :invoke, :f :append, :key "k", :value "a", :time 12, :index 0}
#jepsen.history.Op{:process 1, :type :invoke, :f :get, :key "k", :value nil} ; a comment
{:process 1, :type :ok, :f :get, :key "k", :value "a"}
{:process :nemesis, :type :info, :f :kill, :value {"n1" :killed}}
{:process 2, :type :invoke, :f :put, :key "l", :value "\u0041\n"}
{:process 0, :type :ok, :f :append, :key "k", :value "a"}
{:process 2, :type :fail, :f :put, :key "l", :value "b"}
"#;
const QUEUE: &str =
    "[{:process 0 :type :invoke :f :dequeue :value nil} {:process 0 :type :ok :f :dequeue :value 7}
{:process 0 :type :invoke :f :dequeue} {:process 0 :type :ok :f :dequeue :value nil}
{:process 1 :type :invoke :f :enqueue :value :red}]";
const LOG: &str = "INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - 1\t:invoke\t:cas\t[3 4]
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
INFO  jepsen.util - 2\t:ok\t:read\t4
";
const REGISTER: &str = "{:process 0 :type :invoke :f :write :value 1}
{:process 1 :type :invoke :f :read :value nil}
{:process 0 :type :ok :f :write :value 1}
{:process 1 :type :ok :f :read :value 1}
";

fn decide<M: Model>(model: &M, history: Result<History<M::Input, M::Output>, ReadError>) -> bool {
    match history {
        Ok(history) => {
            let limits = Limits { steps: 20_000, bytes: 1 << 20 };
            let report = check(model, &history, &limits);
            let picture = Picture::new("history", model, &history, &report.answer);
            assert!(!steers(&picture.text()));
            assert!(picture.page().contains("</html>"));
            true
        }
        Err(ReadError { line, problem }) => {
            assert!(line > 0 && problem.len() > 10 && !steers(&problem), "{line}: {problem}");
            false
        }
    }
}

#[test]
fn histories() {
    let target = Target::new("histories", Form::Text).right([KV, QUEUE, LOG, REGISTER]);
    target.inputs(1_000).memory(6_000_000, 3_000).run(|bytes| {
        let text = &String::from_utf8_lossy(bytes);
        let cas = CasRegister { initial: Value::Nil };
        let read = [
            decide(&Kv, read::kv(text)),
            decide(&Queue::new(), read::queue(text)),
            decide(&cas, read::cas_register(text)),
            decide(&Register { initial: Value::Nil }, read::register(text)),
        ];
        read.contains(&true)
    });
}
