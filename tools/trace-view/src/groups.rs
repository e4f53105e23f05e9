//! Which servers of a trace belong together: each group is a Raft cluster of its own.
//!
//! The lane of a server is called `server 3`, or `server 100-3` if it is of a group called `100`.

use run_record::trace::Trace;

use crate::replay::MOST_SERVERS;

/// The name of a lane's group; empty for the only group, and for lanes that are of none.
pub(crate) fn of(trace: &Trace, lane: usize) -> &str {
    let server = lane < servers(trace);
    let name = trace.header.lanes.get(lane).filter(|_| server);
    let address = name.and_then(|name| name.strip_prefix("server "));
    match address.and_then(|address| address.rsplit_once('-')) {
        Some((group, number)) if number.parse::<u32>().is_ok() => group,
        _ => "",
    }
}

/// The lanes of the servers that are of the same group as this one.
pub(crate) fn with(trace: &Trace, lane: usize) -> Vec<usize> {
    let group = of(trace, lane);
    (0..servers(trace)).filter(|other| of(trace, *other) == group).collect()
}

/// The lanes of the group that the verdict is about; of the first group if it is about none.
pub(crate) fn of_verdict(trace: &Trace) -> Vec<usize> {
    let servers = trace.verdict().map_or(&[][..], |verdict| &verdict.servers);
    let server =
        servers.iter().map(|lane| *lane as usize).find(|lane| *lane < self::servers(trace));
    with(trace, server.unwrap_or(0))
}

/// How many there are, whatever the trace claims.
fn servers(trace: &Trace) -> usize {
    trace.header.servers.min(MOST_SERVERS) as usize
}

/// True if there is only one group.
pub(crate) fn is_one(trace: &Trace) -> bool {
    with(trace, 0).len() == servers(trace)
}

/// What a server is called where there is little room: `3`, or `100-3` in a group.
pub(crate) fn short(trace: &Trace, lane: usize) -> String {
    match (of(trace, lane), trace.header.lanes.get(lane)) {
        ("", _) | (_, None) => lane.to_string(),
        (_, Some(name)) => name.strip_prefix("server ").unwrap_or(name).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::fixture;

    #[test]
    fn servers_of_groups_are_told_apart() {
        let mut trace = fixture::trace(&[]);
        assert_eq!((of(&trace, 0), with(&trace, 2).len(), short(&trace, 2)), ("", 3, "2".into()));
        let names = ["server ctrl-0", "server 100-0", "server 100-1", "server 101-0", "client 0"];
        trace.header.lanes = names.map(String::from).into();
        trace.header.servers = 4;
        assert_eq!([0, 1, 2, 3, 4].map(|lane| of(&trace, lane)), ["ctrl", "100", "100", "101", ""]);
        assert_eq!(with(&trace, 2), [1, 2]);
        assert_eq!(short(&trace, 2), "100-1");
    }
}
