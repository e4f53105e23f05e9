//! The task that follows the controller, from configuration to configuration.

use std::time::Duration;

use raft_api::{Raft, RaftState};
use rsm::Rsm;
use shard_api::{Config, ControllerClerk, NOBODY};

use crate::board::{Board, Replica};
use crate::group::Request;

/// How often a leader looks for the next configuration.
const EVERY: Duration = Duration::from_millis(100);

/// While this server leads, has the group go on to each configuration that the controller has.
///
/// A new leader knows which entries are committed only when one of its own term is. Until then its
/// group may be further than it believes: it may wait for shards that have come long since, and ask
/// for nothing. So the first thing that it has executed is an entry that changes nothing.
pub(crate) fn run<R: Raft>(
    rsm: &Rsm<Replica, R>,
    board: &Board,
    mut controller: impl ControllerClerk,
) {
    let mut seen = 0;
    let mut up_to_date_in = None;
    while board.wait_for_news(&mut seen, EVERY) && !rsm.is_over() {
        let RaftState { term, is_leader } = rsm.state();
        if !is_leader {
            continue;
        }
        if up_to_date_in != Some(term) {
            if rsm.submit(Request::Nothing).is_err() {
                continue;
            }
            up_to_date_in = Some(term);
        }
        while let Some(config) = next(board, &mut controller) {
            if rsm.submit(Request::Configure(config)).is_err() {
                break;
            }
        }
    }
}

/// The next configuration, if there is one and the group can go on to it.
///
/// # Panics
/// If the controller's configuration gives a shard to a group that it does not name.
fn next(board: &Board, controller: &mut impl ControllerClerk) -> Option<Config> {
    let standing = board.standing();
    if !standing.finished() {
        return None;
    }
    let number = standing.number + 1;
    let config = controller.query(Some(number));
    if config.number != number {
        return None;
    }
    for (shard, gid) in config.shards.iter().enumerate() {
        let named = *gid == NOBODY || config.groups.get(gid).is_some_and(|names| !names.is_empty());
        assert!(
            named,
            "the controller's configuration {number} gives shard {shard} to group {gid} and names no \
             servers of that group"
        );
    }
    Some(config)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use labrpc::ClientEnd;
    use shard_api::{Gid, SHARDS};

    use super::*;

    /// A controller whose latest configuration is this one.
    struct Fixed(Config);

    impl ControllerClerk for Fixed {
        fn make(_: Vec<ClientEnd>) -> Fixed {
            Fixed(Config::default())
        }
        fn query(&mut self, _: Option<u64>) -> Config {
            self.0.clone()
        }
        fn join(&mut self, _: BTreeMap<Gid, Vec<String>>) {}
        fn leave(&mut self, _: &[Gid]) {}
        fn move_shard(&mut self, _: usize, _: Gid) {}
    }

    fn config(number: u64) -> Fixed {
        let groups = BTreeMap::from([(1, vec!["a".to_string()])]);
        Fixed(Config { number, shards: [1; SHARDS], groups })
    }

    #[test]
    fn only_the_next_configuration_is_of_interest() {
        let board = Board::default();
        assert_eq!(next(&board, &mut config(0)), None);
        assert_eq!(next(&board, &mut config(1)), Some(config(1).0));
        assert_eq!(next(&board, &mut config(2)), None);
    }

    #[test]
    #[should_panic(expected = "configuration 1 gives shard 3 to group 7 and names no servers")]
    fn a_configuration_that_leads_nowhere_is_refused_before_it_is_in_the_log() {
        let mut wrong = config(1);
        wrong.0.shards[3] = 7;
        next(&Board::default(), &mut wrong);
    }
}
