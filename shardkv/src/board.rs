//! Where the task that executes the log says what it means for the tasks that talk to others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labgob::DecodeError;
use labrt::sync::{Condvar, Mutex};
use rsm::Machine;
use shard_api::Gid;

use crate::group::{Group, Outgoing, Reply, Request, Standing};
use crate::message::Handover;

/// What a server knows from its log about configurations and hand-overs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    pub(crate) standing: Standing,
    /// What is to be handed over, by group.
    pub(crate) outgoing: BTreeMap<Gid, Arc<Outgoing>>,
}

/// The latest notice, for whoever waits for one.
#[derive(Debug, Default)]
pub(crate) struct Board {
    posted: Mutex<Posted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Posted {
    notice: Notice,
    /// Counts the notices and the calls of [`Board::hurry`].
    news: u64,
    /// What this server has asked its group to take, and has not heard of since.
    receiving: BTreeSet<Parcel>,
    over: bool,
}

/// Of which configuration, and which shards: that tells a hand-over to this group from all others.
pub(crate) type Parcel = (u64, Vec<usize>);

pub(crate) fn parcel(handover: &Handover) -> Parcel {
    (handover.number, handover.shards.keys().copied().collect())
}

impl Board {
    fn post(&self, notice: Notice) {
        let before = {
            let mut posted = self.posted.lock();
            posted.news += 1;
            std::mem::replace(&mut posted.notice, notice)
        };
        self.changed.notify_all();
        drop(before);
    }

    /// Where the group stands.
    pub(crate) fn standing(&self) -> Standing {
        self.posted.lock().notice.standing.clone()
    }

    /// True if this server has not asked its group yet to take these, which it then does. A leader that is cut
    /// off can ask for years; its log need not hold the same shards more than once.
    pub(crate) fn begin_receiving(&self, parcel: &Parcel) -> bool {
        self.posted.lock().receiving.insert(parcel.clone())
    }

    /// What became of that is known, or will never be.
    pub(crate) fn end_receiving(&self, parcel: &Parcel) {
        self.posted.lock().receiving.remove(parcel);
    }

    /// Ends a wait for news, though there are none: somebody knows of a later configuration.
    pub(crate) fn hurry(&self) {
        self.posted.lock().news += 1;
        self.changed.notify_all();
    }

    /// The server is over: nobody waits any more.
    pub(crate) fn end(&self) {
        self.posted.lock().over = true;
        self.changed.notify_all();
    }

    /// Waits until there is more news than `seen`, which then counts as seen, but not for longer than
    /// that. False at the end.
    pub(crate) fn wait_for_news(&self, seen: &mut u64, most: Duration) -> bool {
        let mut posted = self.posted.lock();
        let known = *seen;
        self.changed.wait_while_for(&mut posted, |p| p.news == known && !p.over, most);
        *seen = posted.news;
        !posted.over
    }

    /// Waits until something is to be handed over for which `choose` has an answer, and returns that.
    /// `None` at the end.
    pub(crate) fn wait_for_outgoing<T>(
        &self,
        choose: impl Fn(&BTreeMap<Gid, Arc<Outgoing>>) -> Option<T>,
    ) -> Option<T> {
        let mut posted = self.posted.lock();
        loop {
            if posted.over {
                return None;
            }
            if let Some(chosen) = choose(&posted.notice.outgoing) {
                return Some(chosen);
            }
            self.changed.wait(&mut posted);
        }
    }
}

/// A group as a machine, which posts what has changed.
#[derive(Debug)]
pub(crate) struct Replica {
    group: Group,
    board: Arc<Board>,
}

impl Replica {
    pub(crate) fn new(gid: Gid, board: Arc<Board>) -> Replica {
        Replica { group: Group::new(gid), board }
    }

    fn post(&self) {
        shard_api::tell(|| self.group.told());
        let (standing, outgoing) = (self.group.standing(), self.group.outgoing());
        self.board.post(Notice { standing, outgoing });
    }
}

impl Machine for Replica {
    type Request = Request;
    type Reply = Reply;

    fn apply(&mut self, request: Request) -> Reply {
        let news = match request {
            Request::Nothing | Request::Get { .. } | Request::Write(_) => false,
            Request::Configure(_) | Request::Receive(_) | Request::Delivered { .. } => true,
        };
        let reply = self.group.apply(request);
        if news {
            self.post();
        }
        reply
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(self.group.state()))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.group.restore(labgob::decode(snapshot)?);
        self.post();
        Ok(())
    }
}
