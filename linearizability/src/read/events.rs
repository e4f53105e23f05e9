//! From a file to events, and from events to operations.

use std::collections::BTreeMap;

use super::edn::{Edn, Reader};
use super::{ReadError, shown};

/// A call, or how one ended.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) line: usize,
    process: u64,
    kind: Kind,
    /// What is asked for.
    pub(super) f: String,
    pub(super) key: Option<Edn>,
    pub(super) value: Edn,
}

impl Event {
    /// What it is for, if it says so: a text without its quotes, all else as it stands there.
    pub(super) fn key_text(&self) -> Option<String> {
        match self.key.as_ref()? {
            Edn::Text(key) => Some(key.clone()),
            other => Some(other.to_string()),
        }
    }

    /// That this end says something else than what was invoked.
    pub(super) fn contradicts(
        &self,
        invoke: &Event,
        word: &str,
        ended: &str,
        invoked: &str,
    ) -> ReadError {
        let problem = format!(
            "process {} ends {} {word} {}, but in line {} it invoked it {word} {}",
            self.process,
            shown(&self.f),
            shown(ended),
            invoke.line,
            shown(invoked)
        );
        ReadError::new(self.line, problem)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// A call with its return.
pub(super) struct Call {
    pub(super) process: u64,
    /// The number of the event.
    pub(super) call: u64,
    pub(super) invoke: Event,
    /// The number of the event, and the event.
    pub(super) ok: Option<(u64, Event)>,
}

/// The operations of a file, without those that did not happen.
pub(super) fn calls(text: &str) -> Result<Vec<Call>, ReadError> {
    let mut calls: Vec<Option<Call>> = Vec::new();
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    for (number, event) in (0..).zip(events(text)?) {
        let process = event.process;
        if event.kind == Kind::Invoke {
            if let Some(before) = open.insert(process, calls.len()) {
                let line = calls[before].as_ref().map_or(0, |call| call.invoke.line);
                return Err(ReadError::new(
                    event.line,
                    format!(
                        "process {process} invokes something before what it invoked in line {line} has \
                         ended; the end is missing, or two clients have one number"
                    ),
                ));
            }
            calls.push(Some(Call { process, call: number, invoke: event, ok: None }));
            continue;
        }
        let place = open.remove(&process).ok_or_else(|| {
            let problem = format!(
                "{} ends something for process {process}, which has invoked nothing; is the beginning \
                 of the file missing?",
                shown(&event.f)
            );
            ReadError::new(event.line, problem)
        })?;
        end(&mut calls[place], number, event)?;
    }
    Ok(calls.into_iter().flatten().collect())
}

/// Notes how a call ended.
fn end(call: &mut Option<Call>, number: u64, mut event: Event) -> Result<(), ReadError> {
    if let Some(open) = call.as_ref().filter(|open| open.invoke.f != event.f) {
        let problem = format!(
            "process {} ends {}, but in line {} it invoked {}",
            event.process,
            shown(&event.f),
            open.invoke.line,
            shown(&open.invoke.f)
        );
        return Err(ReadError::new(event.line, problem));
    }
    if let Some(open) = call {
        // An end need not say again what it is for.
        let key = event.key_text().filter(|_| event.key != Some(Edn::Nil));
        match (key, open.invoke.key_text()) {
            (Some(key), Some(invoked)) if key != invoked => {
                return Err(event.contradicts(&open.invoke, "for key", &key, &invoked));
            }
            (Some(_), _) => {}
            (None, _) => event.key.clone_from(&open.invoke.key),
        }
    }
    match (event.kind, call.as_mut()) {
        (Kind::Ok, Some(call)) => call.ok = Some((number, event)),
        (Kind::Fail, _) => *call = None,
        _ => {}
    }
    Ok(())
}

fn events(text: &str) -> Result<Vec<Event>, ReadError> {
    // The mark that some editors begin a file with.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let begin = text.lines().map(str::trim_start).find(|line| !line.is_empty());
    let events = match begin {
        None => {
            return Err(ReadError::new(1, "the file is empty; a history has at least one event"));
        }
        Some(begin) if begin.starts_with(['{', '[', '(', '#', ';']) => edn_events(text)?,
        Some(_) => log_events(text)?,
    };
    // Nothing is in order whatever it is; who is told so would think that something was checked.
    if events.is_empty() {
        let problem = "the file has no event of a client; a history has at least one operation";
        return Err(ReadError::new(1, problem));
    }
    Ok(events)
}

fn edn_events(text: &str) -> Result<Vec<Event>, ReadError> {
    let mut reader = Reader::new(text, 1);
    let mut events = Vec::new();
    loop {
        match reader.next()? {
            None => return Ok(events),
            Some(Edn::Sequence(maps)) => {
                for map in maps {
                    events.extend(event(reader.line(), &map)?);
                }
            }
            Some(map) => events.extend(event(reader.line(), &map)?),
        }
    }
}

/// The event of a map, unless it is none of a client. What is no map ended in this line, or before.
fn event(line: usize, map: &Edn) -> Result<Option<Event>, ReadError> {
    let Edn::Map { line, .. } = *map else {
        let problem = format!(
            "{} is no event: an event is a map such as {{:process 0, :type :invoke, :f :read, :value nil}}",
            shown(&map.to_string())
        );
        return Err(ReadError::new(line, problem));
    };
    let part = |name: &str| {
        let missing = || ReadError::new(line, format!("the event has no :{name}"));
        map.get(name).ok_or_else(missing)
    };
    let Some(process) = client(line, part("process")?)? else { return Ok(None) };
    let key = map.get("key").cloned();
    let value = map.get("value").cloned().unwrap_or(Edn::Nil);
    new_event(line, process, part("type")?, part("f")?, key, value).map(Some)
}

/// The number of the client that an event is of; none if it is the nemesis's. Whoever is not certain
/// to be no client counts as a mistake: an operation that is missing can hide a violation.
fn client(line: usize, process: &Edn) -> Result<Option<u64>, ReadError> {
    let problem = match process {
        Edn::Keyword(_) => return Ok(None),
        Edn::Int(process) => match u64::try_from(*process) {
            Ok(process) => return Ok(Some(process)),
            Err(_) => format!("process {process} is negative; a process is a number from 0 on"),
        },
        other => format!(
            "{} is no process: it is a whole number from 0 to {}, or a keyword such as :nemesis",
            shown(&other.to_string()),
            i64::MAX
        ),
    };
    Err(ReadError::new(line, problem))
}

fn new_event(
    line: usize,
    process: u64,
    kind: &Edn,
    f: &Edn,
    key: Option<Edn>,
    value: Edn,
) -> Result<Event, ReadError> {
    let error = |problem| Err(ReadError::new(line, problem));
    let kind = match kind {
        Edn::Keyword(kind) if kind == "invoke" => Kind::Invoke,
        Edn::Keyword(kind) if kind == "ok" => Kind::Ok,
        Edn::Keyword(kind) if kind == "fail" => Kind::Fail,
        Edn::Keyword(kind) if kind == "info" => Kind::Info,
        other => {
            let shown = shown(&other.to_string());
            return error(format!("{shown} is no type: it is :invoke, :ok, :fail or :info"));
        }
    };
    let Edn::Keyword(f) = f else {
        let shown = shown(&f.to_string());
        return error(format!("{shown} is nothing to ask for: :f is a keyword such as :read"));
    };
    Ok(Event { line, process, kind, f: f.clone(), key, value })
}

/// What stands in front of an event in a log.
const PREFIX: &str = "jepsen.util - ";

fn log_events(text: &str) -> Result<Vec<Event>, ReadError> {
    let mut events = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((_, event)) = line.split_once(PREFIX) else {
            if line.trim().is_empty() {
                continue;
            }
            let problem = format!(
                "{} is no event: expected a map in EDN, or a line of Jepsen's log such as `INFO  \
                 {PREFIX}0\\t:invoke\\t:read\\tnil`",
                shown(line)
            );
            return Err(ReadError::new(number, problem));
        };
        let mut reader = Reader::new(event, number);
        let mut parts = Vec::new();
        while let Some(part) = reader.next()? {
            parts.push(part);
        }
        let process = match parts.first() {
            Some(process) => client(number, process)?,
            None => return Err(breaks_off(number)),
        };
        let Some(process) = process else { continue };
        let [_, kind, f, value, ..] = &mut parts[..] else { return Err(breaks_off(number)) };
        let value = std::mem::replace(value, Edn::Nil);
        events.push(new_event(number, process, kind, f, None, value)?);
    }
    Ok(events)
}

fn breaks_off(line: usize) -> ReadError {
    ReadError::new(
        line,
        "the event breaks off: process, type, what is asked for and value belong to it",
    )
}
