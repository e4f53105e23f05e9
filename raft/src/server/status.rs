use labrt::sync::Leaf;
use raft_api::RaftState;

/// What a server's event loop, its applier and its handles know together.
#[derive(Debug)]
pub(super) struct Status {
    inner: Leaf<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What the server last said about itself, after it was saved.
    state: RaftState,
    /// The index of the last message that the service was given, or of its stored snapshot.
    given: u64,
    /// Somebody has ended it, or it has ended by itself.
    over: bool,
}

impl Status {
    /// A server that begins in this term, with a snapshot up to this index.
    pub(super) fn new(term: u64, given: u64) -> Status {
        let state = RaftState { term, is_leader: false };
        Status { inner: Leaf::new(Inner { state, given, over: false }) }
    }

    /// The service is given the message of this index now.
    pub(super) fn hand_over(&self, index: u64) {
        self.inner.with(|inner| inner.given = index);
    }

    /// Up to which index the service has been given all there is.
    pub(super) fn given(&self) -> u64 {
        self.inner.with(|inner| inner.given)
    }

    pub(super) fn state(&self) -> RaftState {
        self.inner.with(|inner| inner.state)
    }

    /// What the server is now. One that is over does not lead.
    pub(super) fn show(&self, state: RaftState) {
        self.inner.with(|inner| {
            inner.state = RaftState { is_leader: state.is_leader && !inner.over, ..state };
        });
    }

    /// The server is over, from this moment on.
    pub(super) fn end(&self) {
        self.inner.with(|inner| {
            inner.over = true;
            inner.state.is_leader = false;
        });
    }

    pub(super) fn is_over(&self) -> bool {
        self.inner.with(|inner| inner.over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_over_leads_no_more_whatever_it_shows() {
        let status = Status::new(3, 0);
        let leads = RaftState { term: 4, is_leader: true };
        status.show(leads);
        assert_eq!((status.state(), status.is_over()), (leads, false));
        status.end();
        assert_eq!(status.state(), RaftState { term: 4, is_leader: false });
        // Its event loop may have been about to say this.
        status.show(RaftState { term: 5, is_leader: true });
        assert_eq!(status.state(), RaftState { term: 5, is_leader: false });
        assert!(status.is_over());
    }
}
