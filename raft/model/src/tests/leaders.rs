//! A leader that leads already when an earlier one commits.

use crate::state::{Action, State, What};
use crate::step::Outcome;
use crate::tables::Tables;
use crate::{Mistake, Model, Property, Violation};

/// A cluster to which one thing happens after another.
struct Cluster {
    tables: Tables,
    state: State,
}

impl Cluster {
    fn new(model: &Model) -> Cluster {
        let (tables, state) = Tables::new(model);
        Cluster { tables, state }
    }

    fn happens(&mut self, what: What) -> Result<(), Violation> {
        let action = Action { what, cut_short: false };
        loop {
            match self.state.step(&self.tables, action) {
                Outcome::Unknown(unknown) => self.tables.learn(vec![unknown]),
                Outcome::Broken(violation) => return Err(violation),
                Outcome::Change(change) => {
                    self.state.change(&change);
                    return Ok(());
                }
                Outcome::Same(_) => panic!("{what:?} changes nothing"),
            }
        }
    }

    /// The message under way that begins with these words arrives.
    fn arrives(&mut self, words: &str) -> Result<(), Violation> {
        let network = &self.state.network;
        let all: Vec<String> =
            network.iter().map(|&at| self.tables.messages.get(at).to_string()).collect();
        let place = all.iter().position(|message| message.starts_with(words));
        let place = place.unwrap_or_else(|| panic!("`{words}` is not in {all:#?}"));
        self.happens(What::Deliver(place as u8))
    }
}

/// Server 1 leads term 2 when server 0 commits in term 1, with the help of a server that should have refused.
#[test]
fn a_leader_lacks_what_is_committed_while_it_leads() -> Result<(), Violation> {
    let mistake = Some(Mistake::StaleAppendAccepted);
    let mut cluster = Cluster::new(&Model { mistake, ..Model::default() });
    cluster.happens(What::Timeout(0))?;
    cluster.arrives("0 > 1: RequestVote of term 1")?;
    cluster.arrives("1 > 0: yes to RequestVote of term 1")?;
    // It sends entries only to who has answered a heartbeat.
    cluster.arrives("0 > 2: AppendEntries of term 1, behind 0/0 []")?;
    cluster.arrives("2 > 0: yes to AppendEntries of term 1")?;
    cluster.happens(What::Propose(0))?;
    cluster.happens(What::Timeout(1))?;
    cluster.arrives("1 > 2: RequestVote of term 2")?;
    cluster.arrives("2 > 1: yes to RequestVote of term 2")?;
    cluster.arrives("0 > 2: AppendEntries of term 1, behind 0/0 [1a]")?;
    let commits = cluster.arrives("2 > 0: yes to AppendEntries of term 1 behind 0 with 1");
    let broken = commits.expect_err("the leader of term 2 does not have it");
    assert_eq!(broken.property, Property::LeaderCompleteness);
    assert_eq!(
        broken.words,
        "server 1 leads term 2 without entry 1, [1a], which was committed in term 1"
    );
    Ok(())
}
