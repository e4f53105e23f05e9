//! The way of a group, and of each of its servers, from standing to standing.

use labtrace::verdict;
use shard_api::Standing;

use crate::group::{Seen, Step};
use crate::{Checked, State, words};

/// Where something that a server says stands in the history of its group.
enum Found {
    /// There, at the server's place or behind it.
    Ahead(usize),
    /// Nowhere yet: the server is at the front, and goes on.
    New,
    /// Not where the server can have come to from this step, at which it was, or which its group had then.
    Apart(usize),
}

impl Seen {
    fn find(&mut self, server: usize, standing: &Standing) -> Found {
        let at = self.place(server).step;
        let ahead = (at..self.history.len()).find(|step| self.history[*step].standing == *standing);
        match ahead {
            Some(step) => Found::Ahead(step),
            // The group may come to stand as it stood before; then it is not known where the server is.
            None if self.history[at].standing == self.front().standing => Found::New,
            None if !self.place(server).may_be_ahead() => Found::Apart(at),
            // In the front's configuration it would hide what a snapshot lacks: there it has to tell.
            None if standing.config > self.front().standing.config => Found::New,
            None => {
                let not_later =
                    |step: &usize| self.history[*step].standing.config <= standing.config;
                Found::Apart((at..self.history.len()).rev().find(not_later).unwrap_or(at))
            }
        }
    }
}

impl State {
    /// A server has come to stand like this. True if its group has not stood so yet.
    pub(crate) fn walk(
        &mut self,
        group: usize,
        server: usize,
        standing: Standing,
        us: u64,
    ) -> Result<bool, Box<labtrace::Verdict>> {
        let seen = &mut self.groups[group];
        match seen.find(server, &standing) {
            Found::Ahead(step) => {
                seen.place(server).tells(step, us);
                Ok(false)
            }
            Found::New => {
                seen.check_order(server, &standing, us)?;
                seen.history.push(Step { standing, server, us });
                let front = seen.history.len() - 1;
                seen.place(server).tells(front, us);
                Ok(true)
            }
            Found::Apart(at) => {
                seen.check_follows(at, server, &standing, us)?;
                Err(seen.apart(at, server, &standing, us))
            }
        }
    }
}

impl Seen {
    /// The next standing of the group.
    fn check_order(&self, server: usize, standing: &Standing, us: u64) -> Checked {
        self.check_follows(self.history.len() - 1, server, standing, us)
    }

    /// A server goes on from a step to a standing that its group has not had.
    fn check_follows(&self, at: usize, server: usize, standing: &Standing, us: u64) -> Checked {
        let (now, next) = (self.history[at].standing.config, standing.config);
        let (what, hint) = match next.checked_sub(now) {
            Some(0 | 1) => return Ok(()),
            None => (
                "back".to_string(),
                "a configuration is entered only if its number is one more than that of the present one: \
                 check that where the entry is executed, since an old one can stand in the log again",
            ),
            Some(_) => (
                format!("on, past {}", range(now + 1, next - 1)),
                "ask the controller for the configuration with the next number, not for the latest one: \
                 whoever leaves one out does not know who had which shard in between",
            ),
        };
        let name = self.members.node_name(server);
        let words =
            format!("group {}: {name} went from configuration {now} {what}, to {next}", self.gid);
        let broken = verdict("configurations in order", words)
            .with_fact(self.fact(&self.history[at]))
            .with_fact(self.fact(&Step { standing: standing.clone(), server, us }))
            .hint(hint);
        Err(words::built(broken, self, server))
    }

    /// A server is not where its group was or is.
    fn apart(
        &self,
        at: usize,
        server: usize,
        standing: &Standing,
        us: u64,
    ) -> Box<labtrace::Verdict> {
        let name = self.members.node_name(server);
        let words = format!(
            "group {}: {name} changed otherwise than its group did at the same place of the log",
            self.gid
        );
        let mut broken = verdict("the servers of a group change alike", words)
            .with_fact(self.fact(&self.history[at]));
        if let Some(next) = self.history.get(at + 1) {
            broken = broken.with_fact(self.fact(next));
        }
        let broken =
            broken.with_fact(self.fact(&Step { standing: standing.clone(), server, us })).hint(
                "what a group does with its shards may change only where an entry of the log is executed, \
                 and by that entry alone: not when the controller answers, when shards arrive or after a \
                 time, which is another moment on each server",
            );
        words::built(broken, self, server)
    }
}

fn range(from: u64, to: u64) -> String {
    if from == to { from.to_string() } else { format!("{from} to {to}") }
}
