//! Files of histories: right ones, wrong ones, and hostile ones.

use linearizability::models::{
    CasInput, CasOutput, KvInput, KvOutput, QueueInput, QueueOutput, Register, RegisterInput,
    RegisterOutput,
};
use linearizability::read::{self, Value};
use linearizability::{Limits, Operation, Returned, check};
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
fn a_history_of_many_independent_objects_is_refused() {
    let op = |process: u32, kind: &str, f: &str, value: &str| {
        format!("{{:process {process} :type {kind} :f {f} :value {value}}}\n")
    };
    let both = |f: &str, value: &str| op(0, ":invoke", f, value) + &op(0, ":ok", f, value);
    let writes = both(":write", "[1 3]") + &both(":write", "[2 5]");
    let words = |problem: &str| {
        format!(
            "{problem} looks like a key and a value, as jepsen.independent writes them for many objects: make a \
             file for each key, with the values alone"
        )
    };
    let reads = writes + &op(1, ":invoke", ":read", "[1 nil]") + &op(1, ":ok", ":read", "[1 3]");
    assert_eq!(read::register(&reads).unwrap_err().to_string(), words("line 5: `[1 nil]`"));
    let dequeue = op(1, ":invoke", ":dequeue", "[:a nil]");
    assert_eq!(read::queue(&dequeue).unwrap_err().to_string(), words("line 1: `[:a nil]`"));
    let swap = op(1, ":invoke", ":cas", "[1 [3 4]]");
    assert_eq!(read::cas_register(&swap).unwrap_err().to_string(), words("line 1: `[1 [3 4]]`"));

    // Pairs as values of one object.
    let swaps = both(":cas", "[nil [1 2]]") + &both(":cas", "[[1 2] [3 4]]");
    let read = op(0, ":invoke", ":read", "nil") + &op(0, ":ok", ":read", "[3 nil]");
    assert_eq!(read::cas_register(&(swaps + &read)).unwrap().len(), 3);
    assert_eq!(read::queue(&both(":enqueue", "[3 nil]")).unwrap().len(), 1);
}

#[test]
fn each_model_reads_what_it_knows_and_names_what_it_does_not() {
    let op = |f: &str, value: &str| {
        format!("{{:process 0, :type :invoke, :f {f}, :key 7, :value {value}}}")
    };
    let both = |f: &str, value: &str| {
        format!("{}{{:process 0 :type :ok :f {f} :key 7 :value {value}}}", op(f, "1"))
    };
    let other = |text: &str| Value::Other(text.into());

    let history = read::register(&(both(":read", "2") + &both(":write", "nil"))).unwrap();
    let expected = [
        Operation::new(0, 0, RegisterInput::Read, 1, RegisterOutput::Value(Value::Int(2))),
        Operation::new(0, 2, RegisterInput::Write(Value::Int(1)), 3, RegisterOutput::Written),
    ];
    assert_eq!(history.operations(), expected);
    let wrong = read::register(&op(":cas", "1")).unwrap_err().to_string();
    assert!(wrong.contains("a register for: it knows :read and :write"), "{wrong}");

    let history = read::cas_register(&both(":read", "[1 nil]")).unwrap();
    assert_eq!(history.operations()[0].output(), Some(&CasOutput::Value(other("[1 nil]"))));
    let history = read::cas_register(&both(":write", "1")).unwrap();
    assert_eq!(history.operations()[0].output(), Some(&CasOutput::Written));
    let cas = op(":cas", "(3 nil)") + "{:process 0 :type :ok :f :cas}";
    let history = read::cas_register(&cas).unwrap();
    let input = CasInput::Cas { from: Value::Int(3), to: Value::Nil };
    assert_eq!(history.operations(), [Operation::new(0, 0, input, 1, CasOutput::Swapped(true))]);
    for pair in ["[1]", "[1 2 3]", "nil"] {
        let wrong = read::cas_register(&op(":cas", pair)).unwrap_err();
        assert!(wrong.problem.starts_with(&format!("`{pair}` is no pair")), "{wrong}");
    }
    let wrong = read::cas_register(&op(":add", "1")).unwrap_err().to_string();
    assert!(wrong.contains("compare-and-set for: it knows :read, :write and :cas"), "{wrong}");

    let history = read::kv(&(both(":put", "1") + &both(":get", "nil"))).unwrap();
    let key = || "7".to_string();
    let expected = [
        Operation::new(0, 0, KvInput::Put { key: key(), value: "1".into() }, 1, KvOutput::Done),
        Operation::new(0, 2, KvInput::Get { key: key() }, 3, KvOutput::Value(String::new())),
    ];
    assert_eq!(history.operations(), expected);
    let wrong = read::kv(&op(":put", "[1]")).unwrap_err();
    assert_eq!(wrong.to_string(), "line 1: `[1]` is no text: write it in quotes");
    let wrong = read::kv(&both(":get", ":a")).unwrap_err();
    assert_eq!(wrong.to_string(), "line 1: `:a` is no text: write it in quotes");

    let history = read::queue(&both(":enqueue", "1")).unwrap();
    assert_eq!(history.operations()[0].output(), Some(&QueueOutput::Enqueued));
    let wrong = read::queue(&op(":get", "1")).unwrap_err().to_string();
    assert!(wrong.contains("a queue for: it knows :enqueue and :dequeue"), "{wrong}");
}

#[test]
fn equal_values_are_one_and_others_are_not() {
    let is_right = |written: &str, seen: &str| {
        let text = format!(
            "{{:process 0, :type :invoke, :f :write, :value {written}}}
             {{:process 0, :type :ok, :f :write, :value {written}}}
             {{:process 1, :type :invoke, :f :read, :value nil}}
             {{:process 1, :type :ok, :f :read, :value {seen}}}"
        );
        let history = read::register(&text).unwrap();
        let model = Register { initial: Value::Nil };
        check(&model, &history, &Limits::default()).answer.is_linearizable()
    };
    assert!(is_right("{:a 1, :b 2}", "{:b 2, :a 1}"));
    assert!(is_right("#{1 2}", "#{2 1}"));
    assert!(is_right("1", "1N"));
    assert!(!is_right("#{1 2}", "[1 2]"));
    assert!(!is_right(r#""\ud83d\ude00""#, r#""\ud83d\ude01""#));
}

#[test]
fn a_file_may_begin_with_a_mark_and_have_numbers_without_bound() {
    let text = "\u{feff}{:process 0, :type :invoke, :latency ##NaN, :f :write, :value ##Inf}";
    let history = read::register(text).unwrap();
    let input = RegisterInput::Write(Value::Other("##Inf".into()));
    assert_eq!(history.operations(), [Operation::pending(0, 0, input)]);
}

#[test]
fn an_end_without_a_word_of_success_is_none() {
    // Unknown; not done; done.
    let text = "\
x jepsen.util - 0\t:invoke\t:write\t1
x jepsen.util - 0\t:info\t:write\t1
x jepsen.util - 0\t:invoke\t:write\t2
x jepsen.util - 0\t:fail\t:write\t2
x jepsen.util - 0\t:invoke\t:write\t3
x jepsen.util - 0\t:ok\t:write\t3
";
    let history = read::register(text).unwrap();
    let write = |value| RegisterInput::Write(Value::Int(value));
    let expected = [
        Operation::pending(0, 0, write(1)),
        Operation::new(0, 4, write(3), 5, RegisterOutput::Written),
    ];
    assert_eq!(history.operations(), expected);
    // An end has to be one of what was invoked, whatever it says.
    let wrong = text.replacen(":fail\t:write", ":fail\t:read", 1);
    let wrong = read::register(&wrong).unwrap_err().to_string();
    assert_eq!(wrong, "line 4: process 0 ends `read`, but in line 3 it invoked `write`");
}

#[test]
fn who_is_neither_a_number_nor_a_keyword_is_not_taken_for_the_nemesis() {
    let good = "{:process 0, :type :invoke, :f :write, :value 1}";
    let sure = "it is a whole number from 0 to 9223372036854775807, or a keyword such as :nemesis";
    for process in ["\"0\"", "0.0", "9223372036854775808", "nil", "[0]", "nemesis"] {
        let shown = process.replace('"', "\\\"");
        let problem = format!("line 2: `{shown}` is no process: {sure}");
        let map = format!("{good}\n{{:process {process}, :type :invoke, :f :read, :value nil}}");
        assert_eq!(read::register(&map).unwrap_err().to_string(), problem);
        let log = format!(
            "x jepsen.util - 0\t:invoke\t:write\t1\nx jepsen.util - {process}\t:invoke\t:read\tnil"
        );
        assert_eq!(read::register(&log).unwrap_err().to_string(), problem);
    }
    let wrong = |text: &str| read::register(text).unwrap_err().to_string();
    assert!(wrong("x jepsen.util - -1\t:invoke\t:read\tnil").contains("process -1 is negative"));
    assert!(wrong("x jepsen.util - ").starts_with("line 1: the event breaks off"));
    let nemeses = "{:process :nemesis} {:process :nemesis/clock, :type :info}";
    assert_eq!(read::register(&format!("{nemeses} {good}")).unwrap().len(), 1);
}

#[test]
fn a_history_without_clients_is_none() {
    let none = "line 1: the file has no event of a client; a history has at least one operation";
    for text in [
        "[]",
        "; nothing",
        "{:process :nemesis, :type :info, :f :start, :value nil}",
        "x jepsen.util - :nemesis\t:info\t:start\tnil\n",
    ] {
        assert_eq!(read::register(text).unwrap_err().to_string(), none, "{text}");
    }
    // What did not happen is no operation either, but somebody was there.
    let failed = "{:process 0 :type :invoke :f :read} {:process 0 :type :fail :f :read}";
    assert_eq!(read::register(failed).unwrap().len(), 0);
}

#[test]
fn an_end_that_contradicts_what_was_invoked_is_refused_with_both_lines() {
    let pair = |f: &str, asked: &str, kind: &str, ended: &str| {
        format!(
            "{{:process 3, :type :invoke, :f {f}, {asked}}}\n{{:process 3, :type {kind}, :f {f}, {ended}}}"
        )
    };
    let kv = |f: &str, asked: &str, kind: &str, ended: &str| {
        read::kv(&pair(f, asked, kind, ended)).map(drop).map_err(|error| error.to_string())
    };
    let other_key = |f: &str| {
        Err(format!(
            "line 2: process 3 ends `{f}` for key `b`, but in line 1 it invoked it for key `a`"
        ))
    };
    let put = r#":key "a", :value "x""#;
    for kind in [":ok", ":info", ":fail"] {
        assert_eq!(kv(":put", put, kind, r#":key "b", :value "x""#), other_key("put"), "{kind}");
        assert_eq!(kv(":get", r#":key "a""#, kind, r#":key "b""#), other_key("get"), "{kind}");
    }
    for f in ["put", "append"] {
        let problem = format!(
            "process 3 ends `{f}` with `\\\"y\\\"`, but in line 1 it invoked it with `\\\"x\\\"`"
        );
        let ended = kv(&format!(":{f}"), put, ":ok", r#":key "a", :value "y""#);
        assert_eq!(ended, Err(format!("line 2: {problem}")));
    }
    // Nothing is said there, or the same in another way, or it did not succeed; a read has a value in the end.
    for (f, asked, kind, ended) in [
        (":put", put, ":ok", ":value nil"),
        (":put", put, ":ok", ":key nil"),
        (":put", ":key 7, :value 1", ":ok", ":key 7N, :value 1N"),
        (":put", put, ":info", ":value :timed-out"),
        (":put", put, ":fail", r#":key "a", :value "y""#),
        (":get", r#":key "a", :value nil"#, ":ok", r#":value "x""#),
    ] {
        assert_eq!(kv(f, asked, kind, ended), Ok(()), "{f} {kind} {ended}");
    }

    let with = |f: &str, asked: &str, ended: &str| {
        pair(f, &format!(":value {asked}"), ":ok", &format!(":value {ended}"))
    };
    let contradiction = |f: &str, asked: &str, ended: &str| {
        format!(
            "line 2: process 3 ends `{f}` with `{ended}`, but in line 1 it invoked it with `{asked}`"
        )
    };
    let wrong = read::register(&with(":write", "1", "2")).unwrap_err().to_string();
    assert_eq!(wrong, contradiction("write", "1", "2"));
    let wrong = read::queue(&with(":enqueue", "1", "2")).unwrap_err().to_string();
    assert_eq!(wrong, contradiction("enqueue", "1", "2"));
    for ended in ["[3 5]", "4"] {
        let wrong = read::cas_register(&with(":cas", "[3 4]", ended)).unwrap_err().to_string();
        assert_eq!(wrong, contradiction("cas", "[3 4]", ended));
    }
    assert!(read::cas_register(&with(":cas", "[3 4]", "(3 4N)")).is_ok());
    assert!(read::cas_register(&with(":read", "nil", "4")).is_ok());
    assert!(read::register(&with(":write", "{1 2, 3 4}", "{3 4, 1 2}")).is_ok());
    assert!(read::queue(&with(":dequeue", "nil", "4")).is_ok());
}

#[test]
fn a_map_in_which_one_text_stands_for_two_keys_or_values_is_refused() {
    let op = |process: u32, f: &str, key: &str, asked: &str, got: &str| {
        let event = |kind: &str, value: &str| {
            format!("{{:process {process}, :type {kind}, :f {f}, :key {key}, :value {value}}}\n")
        };
        event(":invoke", asked) + &event(":ok", got)
    };
    let put = |key: &str, value: &str| op(0, ":put", key, value, value);
    let get = |key: &str, value: &str| op(1, ":get", key, "nil", value);
    let refused = |text: &str| read::kv(text).map(drop).map_err(|error| error.to_string());
    let words = |line: u32, what: &str, text: &str, here: &str, there: &str, first: u32| {
        Err(format!(
            "line {line}: the {what} `{text}` stands here {here}, and {there} in line {first}: the two would \
             count as one; write each {what} in one way"
        ))
    };
    let (quotes, none) = ("in quotes", "without quotes");
    // As one key, the read would be wrong.
    let keys = put("1", "\"a\"") + &put("\"1\"", "\"b\"") + &get("1", "\"a\"");
    assert_eq!(refused(&keys), words(3, "key", "1", quotes, none, 1));
    for key in [":red", "red", "1.5", "true", "nil", "[1 2]"] {
        let keys = put(&format!("\"{key}\""), "\"a\"") + &put(key, "\"a\"");
        assert_eq!(refused(&keys), words(3, "key", key, none, quotes, 1));
    }
    // As one value, the read would be right.
    let values = put("\"x\"", "5") + &get("\"x\"", "\"5\"");
    assert_eq!(refused(&values), words(4, "value", "5", quotes, none, 1));
    // An end may say it; and what is called first may return last.
    let end = "{:process 0, :type :invoke, :f :put, :key 7, :value \"1\"}
        {:process 1, :type :invoke, :f :put, :key 8, :value \"2\"}
        {:process 0, :type :ok, :f :put, :key \"7\", :value \"1\"}";
    assert_eq!(refused(end), words(3, "key", "7", quotes, none, 1));
    let late = "{:process 0, :type :invoke, :f :get, :key 7}
        {:process 1, :type :invoke, :f :put, :key 7, :value 1}
        {:process 0, :type :ok, :f :get, :value \"1\"}";
    assert_eq!(refused(late), words(3, "value", "1", quotes, none, 2));

    // What did not happen does not count. A key is no value, and nothing is the empty text.
    let failed = "{:process 0, :type :invoke, :f :put, :key \"7\", :value 1}
        {:process 0, :type :fail, :f :put, :key \"7\", :value 1}\n";
    let fine = failed.to_string() + &put("7", "\"7\"") + &put("8", "\"\"") + &get("9", "nil");
    assert_eq!(read::kv(&fine).map(|history| history.len()), Ok(3));
    // Where values are no texts, they may be of any kind.
    let register = "{:process 0, :type :invoke, :f :write, :value 5}
        {:process 0, :type :ok, :f :write, :value 5}
        {:process 0, :type :invoke, :f :read}
        {:process 0, :type :ok, :f :read, :value \"5\"}";
    let history = read::register(register).expect("it is a history");
    let report = check(&Register { initial: Value::Nil }, &history, &Limits::default());
    assert!(report.answer.is_violation(), "{report:?}");
}

#[test]
fn a_line_of_an_event_is_where_it_stands() {
    let good = "{:process 0 :type :invoke :f :read}";
    let line = |text: &str| read::register(text).unwrap_err().line;
    assert_eq!(line(&format!("\n\n{good}\n; a comment\n{{:process 1}}\n")), 5);
    assert_eq!(line(&format!("(\n{good}\n)\n[1]\n")), 4);
    assert_eq!(line(&format!("[\n{good}\n{{:process 1\n}}\n{good}]")), 3);
    assert_eq!(line(&format!("[\n{good}\n\n{good}]")), 4);
    assert_eq!(line("; begins with a comment\n#a {:process 1}"), 2);
    assert_eq!(line("\n\nx jepsen.util - :nemesis\t:info\nx\n"), 4);
    assert_eq!(line("x jepsen.util - 0\t:invoke\t:read\tnil\nx jepsen.util - 0\t:ok\t:read\n"), 2);
    let wrong = read::register("{:process 0 :type :invoke :f \"read\"}").unwrap_err().to_string();
    assert_eq!(
        wrong,
        "line 1: `\\\"read\\\"` is nothing to ask for: :f is a keyword such as :read"
    );
}

#[test]
fn a_message_shows_forty_characters_of_a_file_at_most() {
    let shown = |length: usize| {
        let word = "é".repeat(length);
        read::register(&word).unwrap_err().problem.split(' ').next().unwrap().to_string()
    };
    assert_eq!(shown(40), format!("`{}`", "é".repeat(40)));
    assert_eq!(shown(41), format!("`{}...`", "é".repeat(40)));
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
