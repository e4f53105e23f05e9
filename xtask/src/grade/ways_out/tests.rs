use super::*;

fn found(text: &str) -> Found {
    let mut found = Found::default();
    found.look(Path::new("a.rs"), text.parse().expect("Rust"));
    found.judge_constants();
    found
}

#[test]
fn only_code_is_unguarded() {
    let text = "#![forbid(unsafe_code)]\n// unsafe\nfn a() { let x = \"unsafe\"; }\n\
                macro_rules! m { () => { unsafe { f() } } }\n#[unsafe(no_mangle)] fn g() {}";
    let mut unguarded = found(text).unguarded;
    unguarded.sort();
    assert_eq!(unguarded, ["`no_mangle` at a.rs:5", "`unsafe` at a.rs:4", "`unsafe` at a.rs:5"]);
}

#[test]
fn a_static_that_can_hold_state_is_named_and_a_constant_is_not() {
    for shared in [
        "static COUNT: AtomicU64 = AtomicU64::new(0);",
        "static S: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();",
        "static mut N: u32 = 0;",
        "thread_local! { static T: Cell<u32> = const { Cell::new(0) }; }",
        "lazy_static! { static ref X: u32 = 7; }",
        "static T: Table = Table(1);",
        "fn f() { std::panic::set_hook(h); }",
        "use labrt::world;",
        "use l::{world as w};",
        "use labrt::{thread, world};",
        "fn f() { l::world::local::<Table>(); }",
    ] {
        assert_eq!(found(shared).shared.len(), 1, "{shared}");
    }
    for constant in [
        "static NAMES: [&'static str; 2] = [\"a\", \"b\"];",
        "static LIMIT: Duration = Duration::from_millis(1);",
        "fn f(x: &'static Mutex<u32>) {}",
        "const M: AtomicU64 = AtomicU64::new(0);",
    ] {
        assert_eq!(found(constant), Found::default(), "{constant}");
    }
}

/// What is found in a file, whether it is Rust or not.
fn read(text: &str) -> Found {
    let mut found = Found::default();
    found.read(Path::new("a.rs"), text);
    found.judge_constants();
    found
}

#[test]
fn what_is_no_rust_is_not_taken_for_empty() {
    for text in ["fn f() {\n\"", "fn f( {", "\u{feff}/*", "#![allow(x)]\n\""] {
        assert_eq!(read(text).unread.len(), 1, "{text}");
    }
    let line = &read("// one\nfn f() { \"").unread[0];
    assert!(line.starts_with("a.rs:"), "{line}");
}

#[test]
fn a_first_line_for_a_shell_hides_nothing() {
    let hidden = "static COUNT: AtomicU64 = AtomicU64::new(0);";
    for first in ["#!/bin/x \"", "#! x (", "\u{feff}#!/bin/x '", "#!", "#!// x", "#![a]", "#! [a]"]
    {
        let found = read(&format!("{first}\n{hidden}\n"));
        assert_eq!(found.shared, ["`static` at a.rs:2"], "{first}: {found:?}");
    }
    for first in ["#!/* */ [a]", "#! \u{200e}[a]"] {
        assert!(read(&format!("{first} {hidden}")) != Found::default(), "{first}");
    }
}

#[test]
fn code_from_elsewhere_is_named() {
    for text in [
        "include!(\"shared.txt\");",
        "std::r#include!(\"shared.txt\");",
        "use std::{include as i};",
        "m!(include);",
        "#[path = \"shared.inc\"] mod shared;",
        "#[cfg_attr(all(), path = \"shared.inc\")] mod shared;",
        "m!(path = \"shared.inc\");",
        "m! { { path = \"shared.inc\"; } }",
        "macro_rules! m { () => { (path = \"shared.inc\") } }",
        "macro_rules! m { () => { include } }",
        "use std::include;",
        "use std::{fmt, include};",
        "fn f() { include!{\"shared.txt\"} }",
    ] {
        assert_eq!(read(text).elsewhere.len(), 1, "{text}");
    }
    for text in [
        "let path = \"x\"; self.path = \"y\"; let p = path(1);",
        "const README: &str = include_str!(\"../README.md\");",
        "#[derive(Debug)] struct A { path: String }",
        "fn f() { let mut path; path = \"x\"; if x { path = \"y\"; } }",
        "fn include(include: bool) { if include != self.include { m::include(); } }",
        "struct A { include: bool } fn f(a: A) { a.include = true; let include = !(a.include); }",
    ] {
        assert_eq!(read(text), Found::default(), "{text}");
    }
    let found = read("#[link(name = \"x\")] extern \"C\" {} fn f() { std::panic::r#set_hook(h); }");
    assert_eq!((found.unguarded.len(), found.shared.len()), (1, 1), "{found:?}");
}

#[test]
fn what_reaches_past_the_lab_is_named() {
    let text = "use std::{fs, sync::Arc};\nfn f() { std::env::args(); self.process(); }";
    assert_eq!(found(text).outside, ["`std::fs` at a.rs:1", "`std::env` at a.rs:2"]);
    let text = "use labrt::{env, thread};\nuse labrt::sync::Mutex;\nlet world = env;";
    assert_eq!(found(text).outside, ["`labrt::env` at a.rs:1"]);
    assert_eq!(found(text).shared, [""; 0]);
    for (text, place) in [
        ("fn f() { std::r#env::set_var(k, v); }", "std::env"),
        ("use std::r#fs;", "std::fs"),
        ("use r#std::{fmt, r#env};", "std::env"),
        ("use std::{{env, fmt}};", "std::env"),
        ("use std::{fmt, {sync, {io, env}}};", "std::env"),
        ("macro_rules! m { ($w:ident) => { std::$w::args() } } m!(env);", "std::$"),
        ("use std::{a::{b, $w}, $w};", "std::$"),
    ] {
        assert_eq!(found(text).outside, [format!("`{place}` at a.rs:1")], "{text}");
    }
    assert_eq!(found("use std::{a::{env}, b::{{fs}}};").outside, [""; 0]);
    let text = "macro_rules! s { ($w:ident) => { labrt::$w::local::<Board>() } } s!(world);";
    assert_eq!(found(text).shared, ["`labrt::$` at a.rs:1"]);
}

#[test]
fn what_the_compiler_reads_otherwise_hides_nothing() {
    let board = "static BOARD: AtomicU64 = AtomicU64::new(0);";
    for text in [
        format!("n! {{ cr#\"a\" {{ {board} }} \"b\"# }}"),
        format!("n! {{ cr\"\\\" {{ {board} }} \"//\"\n }}"),
        format!("n! {{ 'r\"\\\" \" {{ {board} }} \"//\"\n}}"),
        format!("n! {{ 'br\"\\\" \" {{ {board} }} \"//\"\n}}"),
    ] {
        assert_eq!(read(&text).unread.len(), 1, "{text}");
    }
    let usual =
        "fn f<'r>(x: &'r str) { g('r', 'x', \"'\", r\"\\\", br#\"'\"#, c\"x\"); 'a: loop {} }";
    assert_eq!(read(usual), Found::default());
}

#[test]
fn no_nesting_is_too_deep_to_be_searched() {
    let deep = 100_000;
    let [open, close] = ["(", ")"].map(|sign| sign.repeat(deep));
    for text in [
        format!("{open}{close}"),
        format!("{open}{close} a"),
        format!("a::{open}{close}"),
        format!("static A: {open}{close} = 1;"),
        format!("&'a &'b {open}{close}"),
        format!("use std::{}{};", "{".repeat(deep), "}".repeat(deep)),
    ] {
        found(&text);
    }
}

#[test]
fn a_static_is_no_constant_if_its_type_has_another_meaning() {
    let board = "static BOARD: Duration = Duration::new(Vec::new());";
    for meaning in [
        "type Duration = Mutex<Vec<u64>>;",
        "pub(crate) type r#Duration = Mutex<Vec<u64>>;",
        "mod m { pub struct Duration(Mutex<u64>); } use m::*;",
        "enum Duration { A(Mutex<u64>) }",
        "union Duration { a: u64 }",
        "trait Duration: Sync {}",
        "use std::sync::Mutex as Duration;",
        "use std::{cell::Cell, sync::{atomic::AtomicU64 as Duration}};",
        "macro_rules! m { ($n:ident) => { type $n = Mutex<u64>; } } m!(Duration);",
        "macro_rules! m { ($k:tt) => { $k Duration(Mutex<u64>); } } m!(struct);",
        "macro_rules! m { ($n:ident) => { use std::sync::Mutex as $n; } } m!(Duration);",
        "macro_rules! m { ($($t:tt)*) => { use $($t)*; } } m!(std::sync::Mutex as Duration);",
    ] {
        for text in [format!("{meaning}\n{board}"), format!("{board}\n{meaning}")] {
            let shared = found(&text).shared;
            let named = shared.first().is_some_and(|it| it.contains("(its type may mean `"));
            assert!(shared.len() == 1 && named, "{text}: {shared:?}");
        }
    }
    let shared = found("type u64 = std::sync::Mutex<u8>; static X: [u64; 1] = f();").shared;
    assert_eq!(shared, ["`static` at a.rs:1 (its type may mean `type u64` at a.rs:1)"]);
    // What a macro is given it may change.
    assert_eq!(found("m!(static X: u8 = 3;);").shared, ["`static` at a.rs:1"]);
    assert_eq!(found("m! { mod a { static X: &str = \"\"; } }").shared.len(), 1);
}

#[test]
fn own_names_and_usual_macros_are_as_good_as_any() {
    for text in [
        "struct Log; type Term = u64; enum Role { A } static N: Role2 = 1;".replace("Role2", "u8"),
        "use std::time::Duration; use std::fmt::Write as _; static T: Duration = Duration::ZERO;".into(),
        "use a::Log as RaftLog; static N: u64 = 1; fn f(x: u8) -> u64 { x as u64 }".into(),
        "macro_rules! say { ($f:expr $(, $x:expr)*) => { println!($f $(, $x as u64)*) } } static N: u64 = 1;".into(),
        "macro_rules! m { ($x:ident) => { use $crate::a::b; let y = $x as u8; } } static N: u8 = 1;".into(),
        "struct Duration(u64); type u8 = u16;".into(),
        "static N: u8 = 1; fn f() -> impl Iterator<Item = u8> + use<> { g(h as u8) }".into(),
        "let std = 3.0; let y = std as f64; m!(std as u64);".into(),
        "use labrt as _; extern crate alloc; use std::{self, fmt as f};".into(),
        "fn f<'a, 'b>(x: &'a &'b str, y: &'static [&'static str], z: &'a &'static str) {}".into(),
    ] {
        let found = found(&text);
        assert_eq!((&found.shared, &found.renamed), (&Vec::new(), &Vec::new()), "{text}");
        assert_eq!((&found.unsound, &found.outside), (&Vec::new(), &Vec::new()), "{text}");
    }
}

#[test]
fn crates_are_called_by_their_own_names() {
    for text in [
        "use std as s;",
        "use ::std as s;",
        "extern crate std as s;",
        "use {core as c, a::b};",
        "use labrt::{thread, self as l};",
        "mod m { pub(crate) use labrt as l; }",
        "use r#std as s;",
        "use labrt::{{self as l}};",
    ] {
        assert_eq!(found(text).renamed.len(), 1, "{text}");
    }
    let text = "use labrt::Node;\nuse labrt::{Node as N};\nuse std::*;\nuse labrt::{*};";
    let mut outside = found(text).outside;
    outside.sort();
    let names = [
        "labrt::*` at a.rs:4",
        "labrt::Node` at a.rs:1",
        "labrt::Node` at a.rs:2",
        "std::*` at a.rs:3",
    ];
    assert_eq!(outside, names.map(|name| format!("`{name}")));
}

#[test]
fn references_that_get_around_the_guard_are_named() {
    for (text, count) in [
        ("const UNIT: &'static &'static () = &&();", 1),
        ("static U: &'static &'static u8 = &&1;", 1),
        ("fn f<'a, 'b, T>(_: &'a &'b (), x: &'b mut T) -> &'a mut T { x }", 1),
        ("struct S<'a, 'b>(PhantomData<&'a &'b ()>);", 1),
        ("fn f<'a>(x: &'a &'static str, y: &'a (), z: &'a &'a mut u8) {}", 0),
    ] {
        assert_eq!(found(text).unsound.len(), count, "{text}");
    }
}
