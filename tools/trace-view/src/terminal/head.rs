//! What comes before the events: the verdict, which run it was, and what the signs mean.

use run_record::Clock;
use run_record::trace::{Role, Trace, Verdict, What};

use super::layout::{DIM, PLAIN, Paint};
use super::options::Options;
use super::text;
use super::topic::Topic;
use crate::fields::Kind;
use crate::{grouped, groups};

/// The lines of the head.
pub(super) fn lines(trace: &Trace, options: &Options) -> Vec<String> {
    let mut head = Head { width: options.columns(), paint: Paint::of(options), out: Vec::new() };
    head.verdict(trace);
    head.out.push(String::new());
    head.run(trace);
    head.out
}

/// The lines that explain the signs.
pub(super) fn legend(trace: &Trace, options: &Options) -> Vec<String> {
    let mut head = Head { width: options.columns(), paint: Paint::of(options), out: Vec::new() };
    let glyph = super::state::glyph;
    let (leader, candidate) = (glyph(Role::Leader), glyph(Role::Candidate));
    let follower = glyph(Role::Follower);
    head.items(&[
        &format!("{leader} leader"),
        &format!("{candidate} candidate"),
        &format!("{follower} follower"),
        "✗ crashed",
        "╌ cut off",
        &format!("{follower} t3 4/6 in term 3, 4 of 6 entries committed"),
        "→2 sent to 2",
        "←1 come from 1",
        "✗→ on its way lost, cut off, to a server that is down, or gone with its sender",
        "✗← no reply will come",
        "RV RequestVote",
        "AE AppendEntries",
        "HB heartbeat",
        "last, prev 5:2 index 5 of term 2",
        "+3 [5..7] three entries",
        "c4 the leader's commit index",
        "columns: ┃ leads │ up ┊┋ cut off",
    ]);
    if trace.events.iter().any(|event| is_of_snapshots(&event.what)) {
        head.items(&[
            "IS InstallSnapshot",
            "up to 9:2 the snapshot holds all up to index 9, of term 2",
            "base 9:2, b9 the log begins behind index 9",
        ]);
    }
    if trace.events.iter().any(|event| matches!(event.what, What::Shards { .. })) {
        head.items(&[
            "config 4 a server's group has come to configuration 4",
            "serves 0-3 it answers for shards 0 to 3",
            "keeps 7 it has data of shard 7 and answers nobody",
            "+3 -7 it serves 3 now, and 7 not any more",
            "s0-3 serves 0 to 3",
        ]);
    }
    if trace.events.iter().any(|event| matches!(event.what, What::Called { .. })) {
        let clients = "bars before the columns: ┌ a client asks for something, └ it has it; heavy: one that \
                       the verdict is about; c3 client 3";
        head.add(DIM, "", clients);
    }
    let inferred = trace.events.iter().any(|e| matches!(e.what, What::Inferred { .. }));
    let told = trace.events.iter().any(|event| matches!(event.what, What::State(_)));
    if inferred && !told {
        let words = "the servers do not report their state: roles and terms are inferred from the \
                     messages they send, logs are what they have sent, accepted and applied";
        head.add(PLAIN, "", words);
    }
    head.out
}

/// True if an event is about a snapshot.
fn is_of_snapshots(what: &What) -> bool {
    match what {
        What::Sent { method, args, .. } => Kind::of(method, args) == Kind::Snapshot,
        What::State(state) => state.log.as_ref().is_some_and(|log| log.base.is_some()),
        What::Snapshot { .. } | What::Installed { .. } => true,
        _ => false,
    }
}

struct Head {
    width: usize,
    paint: Paint,
    out: Vec<String>,
}

impl Head {
    /// Adds a text, on as many lines as it takes; those after the first are indented further.
    fn add(&mut self, style: &str, indent: &str, text: &str) {
        self.labelled(style, indent, "", text);
    }

    fn labelled(&mut self, style: &str, indent: &str, label: &str, text: &str) {
        let hang = text::width(indent) + text::width(label);
        let room = self.width.saturating_sub(hang).max(20);
        for (number, line) in text::wrap(&text::clean(text), room).iter().enumerate() {
            let begin = match number {
                0 => format!("{indent}{}", self.paint.paint(DIM, label)),
                _ => " ".repeat(hang),
            };
            self.out.push(format!("{begin}{}", self.paint.paint(style, line)));
        }
    }

    /// Adds short texts, as many on a line as fit.
    fn items(&mut self, items: &[&str]) {
        let mut line = String::new();
        for item in items {
            if !line.is_empty() && text::width(&line) + 3 + text::width(item) > self.width {
                self.out.push(self.paint.paint(DIM, &std::mem::take(&mut line)));
            }
            line += if line.is_empty() { "" } else { "   " };
            line += item;
        }
        self.out.push(self.paint.paint(DIM, &line));
    }

    fn verdict(&mut self, trace: &Trace) {
        let style = Topic::Verdict.colour();
        match (&trace.footer, trace.verdict()) {
            (_, Some(verdict)) => {
                let title = format!("✗ {} failed: {}", trace.header.test, verdict.check);
                self.add(style, "", &title);
                self.failed(trace, verdict);
            }
            (Some(footer), None) => {
                let end = text::moment(footer.end_us);
                let words = format!("✓ {} passed after {end} s of lab time", trace.header.test);
                self.add(Topic::Commit.colour(), "", &words);
            }
            (None, None) => {
                let last = trace.events.last().map_or(0, |event| event.us);
                let words = format!(
                    "✗ {}: the trace breaks off at {} s of lab time, without a verdict; its process \
                     was killed, or is not done yet",
                    trace.header.test,
                    text::moment(last)
                );
                self.add(style, "", &words);
            }
        }
    }

    fn failed(&mut self, trace: &Trace, verdict: &Verdict) {
        // A sentence, but panics may say more.
        for line in verdict.words.lines() {
            self.add("1", "  ", line);
        }
        let mut place = format!("at {} s of lab time", text::moment(verdict.us));
        let servers = verdict.servers.iter().map(|lane| groups::short(trace, *lane as usize));
        let servers: Vec<String> = servers.collect();
        match servers.as_slice() {
            [] => {}
            [one] => place += &format!(", server {one}"),
            _ => place += &format!(", servers {}", servers.join(", ")),
        }
        if let Some(index) = verdict.index {
            place += &format!(", index {index}");
        }
        self.add(PLAIN, "  ", &place);
        for fact in &verdict.facts {
            let time = fact.us.map_or(String::new(), |us| format!("{} s", text::moment(us)));
            self.labelled(PLAIN, "    ", &format!("{time:>12}  "), &fact.text);
        }
        if let Some(hint) = &verdict.hint {
            self.labelled(PLAIN, "  ", "usual cause: ", hint);
        }
        for detail in verdict.details.iter().flat_map(|detail| detail.lines()) {
            let inner = detail.len() - detail.trim_start_matches(' ').len();
            self.add(PLAIN, &" ".repeat(4 + inner.min(20)), detail);
        }
        let task = verdict.task.as_ref().map(|task| format!("in {task}"));
        let place = verdict.location.as_ref().map(|location| format!("at {location}"));
        if task.is_some() || place.is_some() {
            let words: Vec<String> = task.into_iter().chain(place).collect();
            self.labelled(PLAIN, "  ", "noticed ", &words.join(" "));
        }
        if verdict.us > trace.footer.as_ref().map_or(u64::MAX, |footer| footer.end_us) {
            self.add(PLAIN, "  ", "(that is after the end of the trace)");
        }
    }

    fn run(&mut self, trace: &Trace) {
        let header = &trace.header;
        let clock = match header.clock {
            Clock::Sim => "simulated clock",
            Clock::Real => "real clock",
        };
        let seed = header.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
        let run = format!(
            "{} ({}) of {}, {clock}{seed}, {}, {}",
            header.title,
            header.part,
            header.package,
            text::counted(header.servers as usize, "server"),
            text::counted(trace.events.len(), "event")
        );
        self.labelled(PLAIN, "", "run      ", &run);
        if let Some(setting) = &header.setting {
            let words = format!("{setting} (this was taken away from the test)");
            self.labelled(PLAIN, "", "setting  ", &words);
        }
        self.labelled(PLAIN, "", "replay   ", &header.replay);
        if let Some(first) = trace.events.first().filter(|event| event.n > 1) {
            let words = format!(
                "the trace begins with event {} at {} s: what was before is lost, and a server is \
                 unknown until it shows itself",
                first.n,
                text::moment(first.us)
            );
            self.labelled(PLAIN, "", "note     ", &words);
        }
        for event in &trace.events {
            let What::LeftOut { events, until_us } = event.what else { continue };
            let words = format!(
                "the run was too long to be kept whole: {} of its events are left out, from {} s \
                 to {} s",
                grouped(events),
                text::moment(event.us),
                text::moment(until_us)
            );
            self.labelled(PLAIN, "", "note     ", &words);
        }
    }
}
