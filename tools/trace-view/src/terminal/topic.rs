//! What an event is about.

use std::collections::BTreeSet;

use run_record::trace::{Trace, What};

use super::{Error, text};

/// What an event is about: to filter by, and to colour by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A server enters a later term.
    Term,
    /// Votes: requests, replies, and whom a server has voted for.
    Vote,
    /// A server changes its role.
    Leader,
    /// AppendEntries with entries.
    Append,
    /// AppendEntries without entries.
    Heartbeat,
    /// Replies, of whatever kind.
    Reply,
    /// Messages of any other kind.
    Message,
    /// A log changes.
    Log,
    /// A commit index changes.
    Commit,
    /// A command is applied.
    Apply,
    /// Something is saved.
    Save,
    /// Snapshots: taken, sent, installed, and where logs begin because of them.
    Snapshot,
    /// Configurations, and what servers do with shards.
    Shard,
    /// Messages that are lost, delayed or late, and the network's conditions.
    Net,
    /// Servers start, crash, and are connected and cut off.
    Cluster,
    /// What the tester checks and offers.
    Test,
    /// What clients ask for, and what they get.
    Client,
    /// Notes. Each also has the topic that it gives itself.
    Note,
    /// Broken rules.
    Verdict,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 19] = [
        Topic::Term,
        Topic::Vote,
        Topic::Leader,
        Topic::Append,
        Topic::Heartbeat,
        Topic::Reply,
        Topic::Message,
        Topic::Log,
        Topic::Commit,
        Topic::Apply,
        Topic::Save,
        Topic::Snapshot,
        Topic::Shard,
        Topic::Net,
        Topic::Cluster,
        Topic::Test,
        Topic::Client,
        Topic::Note,
        Topic::Verdict,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Term => "term",
            Topic::Vote => "vote",
            Topic::Leader => "leader",
            Topic::Append => "append",
            Topic::Heartbeat => "heartbeat",
            Topic::Reply => "reply",
            Topic::Message => "message",
            Topic::Log => "log",
            Topic::Commit => "commit",
            Topic::Apply => "apply",
            Topic::Save => "save",
            Topic::Snapshot => "snapshot",
            Topic::Shard => "shard",
            Topic::Net => "net",
            Topic::Cluster => "cluster",
            Topic::Test => "test",
            Topic::Client => "client",
            Topic::Note => "note",
            Topic::Verdict => "verdict",
        }
    }

    /// What makes a terminal show a text in its colour: a number of the 256 colours whose contrast
    /// is at least 3.6 on black and on white, and bold for what is rare and matters.
    pub(super) fn colour(self) -> &'static str {
        match self {
            Topic::Term => "38;5;130",
            Topic::Vote => "38;5;133",
            Topic::Leader => "1;38;5;166",
            Topic::Append => "38;5;32",
            Topic::Heartbeat => "38;5;66",
            Topic::Reply => "38;5;30",
            Topic::Message => "38;5;67",
            Topic::Log => "38;5;65",
            Topic::Commit => "38;5;28",
            Topic::Apply => "1;38;5;28",
            Topic::Save => "38;5;94",
            Topic::Snapshot => "1;38;5;100",
            Topic::Shard => "1;38;5;64",
            Topic::Net => "38;5;167",
            Topic::Cluster => "1;38;5;162",
            Topic::Test => "1;38;5;27",
            Topic::Client => "1;38;5;30",
            Topic::Note => "38;5;98",
            Topic::Verdict => "1;38;5;196",
        }
    }
}

/// The topics that a filter names: ours, and those of notes.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    ours: BTreeSet<Topic>,
    own: BTreeSet<String>,
}

impl Topics {
    /// Understands the names in a filter. `only` and `hide` may be lists with commas.
    pub(super) fn parse(names: &[String], trace: &Trace) -> Result<Topics, Error> {
        let mut topics = Topics::default();
        let names = names.iter().flat_map(|list| list.split(','));
        for name in names.map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()) {
            let ours = match name.as_str() {
                "role" => Some(Topic::Leader),
                _ => Topic::ALL.into_iter().find(|topic| topic.name() == name),
            };
            let own = notes(trace).any(|topic| topic.to_lowercase() == name);
            if ours.is_none() && !own {
                return Err(unknown(name, trace));
            }
            topics.ours.extend(ours);
            topics.own.insert(name);
        }
        Ok(topics)
    }

    /// True if it names nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    pub(super) fn has(&self, topic: Topic) -> bool {
        self.ours.contains(&topic)
    }

    /// True if it names the topic that a note gives itself.
    pub(super) fn has_own(&self, topic: &str) -> bool {
        self.own.contains(&topic.to_lowercase())
    }
}

/// The topics that notes give themselves, as often as they do.
fn notes(trace: &Trace) -> impl Iterator<Item = &str> {
    trace.events.iter().filter_map(|event| match &event.what {
        What::Note { topic, .. } => Some(topic.as_str()),
        _ => None,
    })
}

fn unknown(name: String, trace: &Trace) -> Error {
    let own: BTreeSet<String> = notes(trace).map(text::clean).collect();
    let own = own.into_iter().filter(|own| Topic::ALL.iter().all(|topic| topic.name() != own));
    Error::Topic { name: text::clean(&name), own: own.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_a_name_and_a_colour_of_its_own() {
        let names: BTreeSet<_> = Topic::ALL.map(Topic::name).into();
        let colours: BTreeSet<_> = Topic::ALL.map(Topic::colour).into();
        assert_eq!((names.len(), colours.len()), (Topic::ALL.len(), Topic::ALL.len()));
    }
}
