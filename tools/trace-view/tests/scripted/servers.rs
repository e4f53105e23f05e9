//! What the servers and the network between them do.

use run_record::trace::{Leg, LogChange, LogEntry, Loss, Role, State, What};
use serde_json::{Value, json};

use super::{Call, Due, Script};

impl Script {
    // ---- The servers ---------------------------------------------------------------------------

    /// The server tells what it is, and its log from an index on if that has changed.
    pub(super) fn say(&mut self, server: usize, cause: Option<u64>, log: Option<u64>) {
        let it = &self.servers[server];
        let change = log.map(|from| {
            let skip = from as usize - 1;
            LogChange { from, entries: it.log.get(skip..).unwrap_or(&[]).to_vec(), base: None }
        });
        let (role, term, vote) = (it.role, it.term, it.vote);
        let state = State { role, term, vote, commit: Some(it.commit), log: change };
        match self.reports {
            true => self.caused(Some(server), What::State(state), cause),
            false => self.caused(Some(server), What::Inferred { role, term }, cause),
        }
    }

    pub(super) fn save(&mut self, server: usize, cause: Option<u64>) {
        let bytes = 24 + 12 * self.servers[server].log.len() as u64;
        self.caused(Some(server), What::Saved { bytes, snapshot: None }, cause);
    }

    /// A server's election timer fires.
    pub(crate) fn campaign(&mut self, server: usize) {
        let it = &mut self.servers[server];
        (it.role, it.term, it.vote) = (Role::Candidate, it.term + 1, Some(server as u32));
        it.votes = 1;
        let args = json!({
            "term": it.term, "candidate": server, "last_log_index": it.log.len(),
            "last_log_term": it.log.last().map_or(0, |entry| entry.term),
        });
        self.say(server, None, None);
        self.save(server, None);
        for to in self.others(server) {
            self.send(server, to, "Raft.RequestVote", args.clone(), None);
        }
        self.wait(0);
    }

    fn others(&self, server: usize) -> Vec<usize> {
        (0..self.servers.len()).filter(|other| *other != server).collect()
    }

    /// The tester offers a command.
    pub(crate) fn offer(&mut self, server: usize, command: &str) {
        let it = &mut self.servers[server];
        let leads = it.role == Role::Leader;
        let (index, term) = (it.log.len() as u64 + 1, it.term);
        let (index, term) = (leads.then_some(index), leads.then_some(term));
        if leads {
            it.log.push(LogEntry { term: it.term, command: command.into() });
        }
        self.event(Some(server), What::Offered { command: command.into(), index, term });
        if leads {
            let n = self.n();
            self.say(server, Some(n), index);
            self.save(server, Some(n));
            self.send_entries(server, Some(n));
        }
    }

    pub(super) fn send_entries(&mut self, server: usize, cause: Option<u64>) {
        if self.servers[server].role != Role::Leader || !self.servers[server].up {
            return;
        }
        for to in self.others(server) {
            let it = &self.servers[server];
            let prev = it.matches[to].min(it.log.len());
            let prev_term = prev.checked_sub(1).map_or(0, |at| it.log[at].term);
            let entries: Vec<Value> = it.log[prev..]
                .iter()
                .map(|e| json!({"term": e.term, "command": e.command}))
                .collect();
            let args = json!({
                "term": it.term, "leader": server, "prev_log_index": prev,
                "prev_log_term": prev_term, "entries": entries, "leader_commit": it.commit,
            });
            self.send(server, to, "Raft.AppendEntries", args, cause);
        }
        self.wait(0);
    }

    // ---- The network ---------------------------------------------------------------------------

    fn send(&mut self, from: usize, to: usize, method: &str, args: Value, cause: Option<u64>) {
        let call = self.calls.len() as u64 + 1;
        let (to_lane, bytes) = (to as u32, args.to_string().len() as u64);
        let sent =
            What::Sent { call, to: to_lane, method: method.into(), args: args.clone(), bytes };
        self.caused(Some(from), sent, cause);
        let vote = method.ends_with("Vote");
        self.calls.insert(call, Call { from, to, args, vote, reply: Value::Null, replied: 0 });
        let why = match (self.servers[to].up, self.reach(from, to)) {
            (_, false) => Some(Loss::Disconnected),
            (false, true) => Some(Loss::NoServer),
            (true, true) if self.unreliable && self.draw(10) == 0 => Some(Loss::Dropped),
            (true, true) => None,
        };
        let delay = if self.unreliable { self.draw(27) * 1000 } else { 0 };
        match why {
            Some(why) => {
                let fails_us = self.draw(7000) * 1000;
                self.event(None, What::Lost { call, leg: Leg::Request, why, fails_us });
                self.later(fails_us, Due::Fail(call));
            }
            None => {
                if delay > 0 {
                    self.event(None, What::Delayed { call, by_us: delay });
                }
                self.later(delay, Due::Deliver(call));
            }
        }
    }

    fn reach(&self, from: usize, to: usize) -> bool {
        self.servers[from].connected && self.servers[to].connected
    }

    pub(super) fn deliver(&mut self, number: u64) {
        let call = &self.calls[&number];
        let (from, to, vote, args) = (call.from, call.to, call.vote, call.args.clone());
        self.event(Some(to), What::Delivered { call: number });
        let cause = Some(self.n());
        let reply = if vote { self.asked(to, &args, cause) } else { self.told(to, &args, cause) };
        let bytes = reply.to_string().len() as u64;
        self.caused(Some(to), What::Replied { call: number, reply: reply.clone(), bytes }, cause);
        let replied = self.n();
        if let Some(call) = self.calls.get_mut(&number) {
            (call.reply, call.replied) = (reply, replied);
        }
        let gone = !self.reach(from, to);
        if gone || self.unreliable && self.draw(10) == 0 {
            let why = if gone { Loss::Gone } else { Loss::Dropped };
            let fails_us = self.draw(100) * 1000;
            self.event(None, What::Lost { call: number, leg: Leg::Reply, why, fails_us });
            return self.later(fails_us, Due::Fail(number));
        }
        let mut by_us = 0;
        if self.reordering && self.draw(3) < 2 {
            by_us = (200 + self.draw(2000)) * 1000;
            self.event(None, What::Late { call: number, by_us });
        }
        self.later(by_us, Due::Return(number));
    }

    /// A server is asked for its vote.
    fn asked(&mut self, server: usize, args: &Value, cause: Option<u64>) -> Value {
        let (term, candidate) = (number(args, "term"), number(args, "candidate") as u32);
        let last = (number(args, "last_log_term"), number(args, "last_log_index"));
        self.see(server, term, cause);
        let forgets = self.forgetful == Some(server);
        let it = &mut self.servers[server];
        let own = (it.log.last().map_or(0, |e| e.term), it.log.len() as u64);
        let free = it.vote.is_none_or(|vote| vote == candidate) || forgets;
        let grant = term == it.term && free && last >= own && it.role == Role::Follower;
        if grant {
            it.vote = Some(candidate);
            self.say(server, cause, None);
            self.save(server, cause);
        }
        json!({"term": self.servers[server].term, "vote_granted": grant})
    }

    /// A server gets entries or a heartbeat.
    fn told(&mut self, server: usize, args: &Value, cause: Option<u64>) -> Value {
        let (term, prev) = (number(args, "term"), number(args, "prev_log_index") as usize);
        self.see(server, term, cause);
        let it = &mut self.servers[server];
        let before = prev.checked_sub(1).map(|at| it.log.get(at).map(|entry| entry.term));
        let fits = before.is_none_or(|has| has == Some(number(args, "prev_log_term")));
        if term < it.term || !fits {
            let conflict = json!({"term": Value::Null, "index": it.log.len() + 1});
            return json!({"term": it.term, "success": false, "conflict": conflict});
        }
        let entries = args["entries"].as_array().expect("entries").iter();
        let entries: Vec<LogEntry> = entries
            .map(|e| LogEntry {
                term: number(e, "term"),
                command: e["command"].as_str().expect("a command").into(),
            })
            .collect();
        let had = it.log.clone();
        if !entries.is_empty() {
            it.log.truncate(prev);
            it.log.extend(entries);
        }
        let (was, commit) = (it.commit, number(args, "leader_commit").min(it.log.len() as u64));
        it.commit = it.commit.max(commit);
        let changed = it.log != had;
        if changed || it.commit > was || it.role != Role::Follower {
            it.role = Role::Follower;
            self.say(server, cause, changed.then_some(prev as u64 + 1));
        }
        if changed {
            self.save(server, cause);
        }
        self.apply(server, cause);
        json!({"term": term, "success": true, "conflict": null})
    }

    pub(super) fn returned(&mut self, call: u64) {
        let Call { from, to, vote, ref args, ref reply, replied, .. } = self.calls[&call];
        let (args, reply) = (args.clone(), reply.clone());
        if !self.servers[from].up {
            return;
        }
        self.caused(Some(from), What::Returned { call }, Some(replied));
        let cause = Some(self.n());
        self.see(from, number(&reply, "term"), cause);
        let half = self.servers.len() / 2;
        let it = &mut self.servers[from];
        if it.term != number(&args, "term") {
            return;
        }
        if vote && reply["vote_granted"] == true && it.role == Role::Candidate {
            it.votes += 1;
            if it.votes > half {
                (it.role, it.matches) = (Role::Leader, vec![it.log.len(); it.matches.len()]);
                self.say(from, cause, None);
                self.send_entries(from, cause);
            }
        } else if !vote && it.role == Role::Leader {
            let prev = number(&args, "prev_log_index") as usize;
            let count = args["entries"].as_array().map_or(0, Vec::len);
            if reply["success"] == false {
                let index = number(&reply["conflict"], "index") as usize;
                it.matches[to] = prev.saturating_sub(1).min(index.saturating_sub(1));
                return;
            }
            it.matches[to] = it.matches[to].max(prev + count);
            it.matches[from] = it.log.len();
            let mut sorted = it.matches.clone();
            sorted.sort_unstable();
            let agreed = sorted[sorted.len() - half - 1];
            let of_this_term = agreed > 0 && it.log[agreed - 1].term == it.term;
            if agreed as u64 > it.commit && of_this_term {
                it.commit = agreed as u64;
                self.say(from, cause, None);
                self.apply(from, cause);
            }
        }
    }

    /// A server sees a term.
    pub(super) fn see(&mut self, server: usize, term: u64, cause: Option<u64>) {
        let it = &mut self.servers[server];
        if term > it.term {
            (it.term, it.vote, it.role) = (term, None, Role::Follower);
            self.say(server, cause, None);
            self.save(server, cause);
        }
    }

    pub(super) fn apply(&mut self, server: usize, cause: Option<u64>) {
        while self.servers[server].applied < self.servers[server].commit {
            let it = &mut self.servers[server];
            it.applied += 1;
            let (index, at) = (it.applied, it.applied as usize - 1);
            let command = it.log[at].command.clone();
            self.caused(Some(server), What::Applied { index, command }, cause);
        }
    }
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}
