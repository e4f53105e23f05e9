//! Files of histories: right ones, wrong ones, and hostile ones.

use linearizability::models::{CasInput, CasOutput, KvInput, KvOutput, QueueInput, QueueOutput};
use linearizability::read::{self, Value};
use linearizability::{Operation, Returned};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const LOG: &str = "\
INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - 1\t:invoke\t:cas\t[3 4]
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
INFO  jepsen.util - 0\t:invoke\t:cas\t[0 1]
INFO  jepsen.util - 2\t:ok\t:read\t4
INFO  jepsen.util - 0\t:fail\t:cas\t[0 1]

INFO  jepsen.util - 3\t:invoke\t:read\tnil
";

#[test]
fn a_log_of_jepsen() {
    let history = read::cas_register(LOG).unwrap();
    let int = Value::Int;
    let expected = [
        Operation::new(0, 0, CasInput::Write(int(3)), 3, CasOutput::Written),
        Operation::pending(1, 1, CasInput::Cas { from: int(3), to: int(4) }),
        Operation::new(2, 2, CasInput::Read, 6, CasOutput::Value(int(4))),
        // The compare-and-set that failed did not happen.
        Operation::pending(3, 8, CasInput::Read),
    ];
    assert_eq!(history.operations(), expected);
}

#[test]
fn edn_as_maps_and_as_one_vector() {
    let maps = r#"
        {:process 0, :type :invoke, :f :append, :key "k", :value "a", :time 12, :index 0}
        #jepsen.history.Op{:process 1, :type :invoke, :f :get, :key "k", :value nil} ; a comment
        {:process 1, :type :ok, :f :get, :key "k", :value "a"}
        {:process :nemesis, :type :info, :f :kill, :value {"n1" :killed}}
        {:process 0, :type :ok, :f :append, :key "k", :value "a"}"#;
    let key = || "k".to_string();
    let expected = [
        Operation::new(0, 0, KvInput::Append { key: key(), value: "a".into() }, 3, KvOutput::Done),
        Operation::new(1, 1, KvInput::Get { key: key() }, 2, KvOutput::Value("a".into())),
    ];
    assert_eq!(read::kv(maps).unwrap().operations(), expected);
    assert_eq!(read::kv(&format!("[{maps}\n]")).unwrap().operations(), expected);

    let queue = "[{:process 0 :type :invoke :f :dequeue :value nil} {:process 0 :type :ok :f :dequeue :value 7}
        {:process 0 :type :invoke :f :dequeue} {:process 0 :type :ok :f :dequeue :value nil}
        {:process 0 :type :invoke :f :enqueue :value :red}]";
    let queue = read::queue(queue).unwrap();
    let returned = |at, output| Some(Returned { at, output: QueueOutput::Dequeued(output) });
    assert_eq!(queue.operations()[0].returned, returned(1, Some(Value::Int(7))));
    assert_eq!(queue.operations()[1].returned, returned(3, None));
    assert_eq!(queue.operations()[2].input, QueueInput::Enqueue(Value::Other(":red".into())));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let wrong = |text: &str| read::kv(text).unwrap_err().to_string();
    let invoke = r#"{:process 0, :type :invoke, :f :get, :key "k", :value nil}"#;
    assert_eq!(wrong("\n \n"), "line 1: the file is empty; a history has at least one event");
    assert_eq!(
        wrong(&format!("{invoke}\n{invoke}")),
        "line 2: process 0 invokes something before what it invoked in line 1 has ended; the end is \
         missing, or two clients have one number"
    );
    assert_eq!(
        wrong(r#"{:process 4, :type :ok, :f :get, :key "k", :value nil}"#),
        "line 1: `get` ends something for process 4, which has invoked nothing; is the beginning of the \
         file missing?"
    );
    assert_eq!(
        wrong(&format!(
            "{invoke}\n{}",
            r#"{:process 0, :type :ok, :f :put, :key "k", :value nil}"#
        )),
        "line 2: process 0 ends `put`, but in line 1 it invoked `get`"
    );
    assert_eq!(
        wrong("{:process 0, :type :done, :f :get, :value nil}"),
        "line 1: `:done` is no type: it is :invoke, :ok, :fail or :info"
    );
    assert_eq!(wrong("{:process 0, :type :invoke}"), "line 1: the event has no :f");
    assert_eq!(wrong("{:process 0, :type :invoke, :f :get}"), "line 1: the event has no :key");
    assert_eq!(
        wrong("{:process 0, :type :invoke, :f :cas, :key 1, :value [1 2]}"),
        "line 1: `:cas` is nothing to ask a map for: it knows :get, :put and :append. Is it another model?"
    );
    assert_eq!(
        wrong("{:process -1, :type :invoke, :f :get, :key 1}"),
        "line 1: process -1 is negative; a process is a number from 0 on"
    );
    assert!(wrong("[1 2]").starts_with("line 1: `1` is no event: an event is a map"));
    assert!(wrong("hello \u{1b}[31m").starts_with("line 1: `hello \\u{1b}[31m` is no event"));
    let wrong = |text: &str| read::cas_register(text).unwrap_err().to_string();
    assert_eq!(
        wrong("INFO  jepsen.util - 0\t:invoke\t:cas\t3"),
        "line 1: `3` is no pair: :cas has a value such as [3 4]"
    );
    assert!(wrong("x jepsen.util - 0\t:invoke").starts_with("line 1: the event breaks off"));
}

#[test]
fn nothing_that_a_file_says_is_too_much() {
    let kv = r#"{:process 0, :type :invoke, :f :put, :key "k", :value "\u00e4\n"} [{:process 1}] #x #{1}"#;
    let pieces =
        ["[", "]", "{", "}", "\"", "\\", "#", "#_", ";", ":", "\t", "é", "-", "9", "nil", "\n"];
    for seed in 0..20_000 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut text: Vec<char> = if seed % 2 == 0 { kv } else { LOG }.chars().collect();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..text.len());
            let piece = pieces[random.random_range(0..pieces.len())];
            match random.random_range(0..3) {
                0 => text.truncate(at.max(1)),
                1 => drop(text.splice(at..at, piece.chars())),
                _ => drop(text.splice(at..=at, piece.chars())),
            }
        }
        let text: String = text.into_iter().collect();
        // It ends, and an error names a line that is there.
        let lines = text.lines().count().max(1);
        for error in [read::kv(&text).err(), read::cas_register(&text).err()].into_iter().flatten()
        {
            assert!((1..=lines).contains(&error.line), "{error} of {text:?}");
        }
    }
}
