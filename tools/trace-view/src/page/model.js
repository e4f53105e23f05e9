// ---- The trace, indexed once: all that is asked for in each frame is in typed arrays -----------

const KINDS = ["unknown", "sent", "delayed", "lost", "delivered", "replied", "late", "returned",
  "failed", "started", "crashed", "connected", "disconnected", "network", "offered", "applied",
  "saved", "snapshot", "installed", "state", "inferred", "begin", "end", "note", "violation", "left_out",
  "called", "answered", "shards", "configured", "duplicated", "delivered_again", "replied_again", "paused",
  "resumed", "one_way", "slow", "clock", "torn"];
const K = Object.fromEntries(KINDS.map((name, number) => [name, number]));

const ROLES = ["unknown", "follower", "candidate", "leader", "down"];
const UNKNOWN = 0, FOLLOWER = 1, CANDIDATE = 2, LEADER = 3, DOWN = 4;

// What a message is for.
const VOTE = 0, APPEND = 1, BEAT = 2, OTHER = 3, SNAPSHOT = 4;
const PURPOSES = ["vote", "append", "heartbeat", "call", "snapshot"];

// What became of a message. LATE is any that others overtook or that was held back.
const FINE = 0, LATE = 1, DROPPED = 2, CUT = 3, GONE = 4, OPEN = 5, REFUSED = 6;

const REQUEST = 0, REPLY = 1;

/** Messages are sorted by their beginning; of each block it is known how far its last one reaches. */
const BLOCK = 64;

/** What a request is for, as the page's data says it. */
const PURPOSE_OF = { vote: VOTE, append: APPEND, heartbeat: BEAT, call: OTHER, snapshot: SNAPSHOT };

/** What a request asks: its term, the place it joins on to a log, and how many entries it brings. */
const asked = (event) => (event && event.is) || { kind: "call" };

/** Whether a reply says yes or no; undefined if it says neither. */
const answerOf = (event) => (event && event.is ? event.is.yes : undefined);

/** A list of numbers that grows, and becomes a typed array. */
function asInts(list) {
  return Int32Array.from(list);
}

function buildModel(trace) {
  const { header, events, footer, elections, refused, sources } = trace;
  const count = events.length;
  const model = { header, events, footer, count, elections, refused, sources,
    lanes: header.lanes.map(String) };
  model.servers = Math.min(header.servers, model.lanes.length);
  model.us = new Float64Array(count);
  model.kind = new Uint8Array(count);
  model.lane = new Int16Array(count).fill(-1);
  model.cause = new Int32Array(count).fill(-1);
  events.forEach((event, i) => {
    // Time never runs backwards on the page, whatever the file says.
    model.us[i] = i > 0 ? Math.max(model.us[i - 1], event.us) : event.us;
    model.kind[i] = K[event.event] || 0;
    if (event.lane >= 0 && event.lane < model.lanes.length) model.lane[i] = event.lane;
  });
  for (let i = 0; i < count; i++) {
    const cause = events[i].cause === undefined ? -1 : eventByNumber(model, events[i].cause);
    if (cause < i) model.cause[i] = cause;
  }
  model.startUs = model.lostBeginning = 0;
  if (count > 0 && events[0].n > 1) {
    model.lostBeginning = events[0].n - 1;
    model.startUs = events[0].us;
  }
  model.endUs = Math.max(footer ? footer.end_us : 0, count > 0 ? model.us[count - 1] : 0);
  model.violations = [];
  model.gaps = [];
  model.logsAreTold = events.some((event) => event.log);
  for (let i = 0; i < count; i++) {
    if (model.kind[i] === K.violation) model.violations.push(i);
    if (model.kind[i] === K.left_out) model.gaps.push(i);
  }
  const place = (n) => (typeof n === "number" ? eventByNumber(model, n) : -1);
  model.guilty = trace.guilty ? place(trace.guilty.event) : -1;
  model.sure = trace.guilty !== null && trace.guilty.sure;
  model.factEvents = (trace.facts || []).map(place);
  const first = model.violations[0];
  model.verdict = (footer && footer.verdict) || (first === undefined ? null : events[first].verdict);
  model.involved = involvedIn(model.verdict);
  indexCalls(model);
  indexShards(model);
  placeEvents(model);
  model.states = model.lanes.map((_, lane) => indexLane(model, lane));
  indexTerms(model);
  indexLinks(model);
  indexSpans(model);
  indexSteps(model);
  indexOperations(model);
  return model;
}

/** The servers of a verdict. One about tasks names them in its details only. */
function involvedIn(verdict) {
  if (!verdict || verdict.servers.length > 0) return verdict ? verdict.servers : [];
  const text = (verdict.details || []).join(" ");
  return [...text.matchAll(/of server (\d+)/g)].map((match) => Number(match[1]));
}

/** The index of the event with a number, or -1. */
function eventByNumber(model, n) {
  const { events, count } = model;
  if (count === 0) return -1;
  const guess = n - events[0].n;
  if (guess >= 0 && guess < count && events[guess].n === n) return guess;
  let low = 0, high = count - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (events[middle].n === n) return middle;
    if (events[middle].n < n) low = middle + 1; else high = middle - 1;
  }
  return -1;
}

// ---- Lanes -------------------------------------------------------------------------------------

/** Where each event is shown: on its own lane, or, if the network did it, on that of the sender. */
function placeEvents(model) {
  model.place = Int16Array.from(model.lane);
  const lists = model.lanes.map(() => []);
  const tester = [];
  for (let i = 0; i < model.count; i++) {
    const m = model.messageOf[i];
    if (model.place[i] < 0 && m >= 0) model.place[i] = model.messages[m].from;
    (model.place[i] < 0 ? tester : lists[model.place[i]]).push(i);
  }
  model.laneEvents = lists.map(asInts);
  model.testerEvents = asInts(tester);
}

/** What a lane was when: parallel arrays, each entry from its event on to the next one's. */
function indexLane(model, lane) {
  const roles = { at: [], role: [], term: [], vote: [], inferred: [] };
  const state = { commitAt: [], commit: [], logAt: [], appliedAt: [], saved: [], snapshots: [], downs: [],
    cuts: [], pauses: [], marks: [], lives: [] };
  const isServer = lane < model.servers;
  // Of a trace without its beginning one cannot know; a server that ran before is likelier.
  let down = isServer && model.lostBeginning === 0 ? -1 : null;
  let cut = firstLink(model, lane) === K.connected ? -1 : null;
  let pause = null;
  const goesOn = (i) => {
    if (pause !== null) state.pauses.push([pause, i]);
    pause = null;
  };
  const push = (at, role, term, vote, inferred) => {
    const last = roles.at.length - 1;
    if (last >= 0 && roles.role[last] === role && roles.term[last] === term &&
      roles.inferred[last] === inferred) return;
    roles.at.push(at); roles.role.push(role); roles.term.push(term); roles.vote.push(vote);
    roles.inferred.push(inferred);
  };
  for (const i of model.laneEvents[lane]) {
    const event = model.events[i];
    if (event.log || event.learned) state.logAt.push(i);
    switch (model.kind[i]) {
      case K.state:
        push(i, Math.max(0, ROLES.indexOf(event.role)), event.term, event.vote, 0);
        if (event.commit !== undefined && event.commit !== state.commit[state.commit.length - 1]) {
          state.commitAt.push(i); state.commit.push(event.commit);
        }
        break;
      case K.inferred:
        push(i, Math.max(0, ROLES.indexOf(event.role)), event.term, null, 1);
        break;
      case K.started:
        if (down !== null && down >= 0) state.downs.push([down, i]);
        else if (down === -1) state.downs.push([-1, i]);
        down = null;
        state.lives.push(i);
        push(i, UNKNOWN, null, null, 0);
        break;
      case K.paused:
        if (pause === null) pause = i;
        break;
      case K.resumed: goesOn(i); break;
      case K.crashed:
        goesOn(i);
        if (down === null) down = i;
        push(i, DOWN, null, null, 0);
        state.commitAt.push(i); state.commit.push(null);
        break;
      case K.connected:
        if (cut !== null) state.cuts.push([cut, i]);
        cut = null;
        break;
      case K.disconnected:
        if (cut === null) cut = i;
        break;
      case K.applied: state.appliedAt.push(i); break;
      case K.saved: state.saved.push(i); break;
      case K.snapshot: case K.installed: state.snapshots.push(i); break;
      case K.note: case K.unknown: case K.failed: case K.torn: case K.one_way: case K.slow: case K.clock:
        state.marks.push(i);
        break;
    }
  }
  goesOn(model.count);
  if (down !== null && down >= 0) state.downs.push([down, model.count]);
  if (cut !== null && isServer) state.cuts.push([cut, model.count]);
  state.cuts = without(state.cuts, state.downs);
  for (const name of ["at", "role", "inferred"]) roles[name] = asInts(roles[name]);
  for (const name of ["commitAt", "logAt", "appliedAt", "saved", "snapshots", "marks", "lives"]) {
    state[name] = asInts(state[name]);
  }
  state.roles = roles;
  return state;
}

/** From which event on some server of a group is known to be in which term: the highest one until then. */
function indexTerms(model) {
  const steps = [];
  model.states.slice(0, model.servers).forEach(({ roles }, lane) => {
    roles.at.forEach((at, s) => { if (roles.term[s] !== null) steps.push([at, roles.term[s], model.groupOf[lane]]); });
  });
  steps.sort((a, b) => a[0] - b[0]);
  // Each group has terms of its own.
  model.terms = new Map(model.groupOf.map((group) => [group, { at: [], highest: [] }]));
  for (const [at, term, group] of steps) {
    const known = model.terms.get(group);
    if (known.highest.length > 0 && term <= known.highest[known.highest.length - 1]) continue;
    known.at.push(at);
    known.highest.push(term);
  }
}

/** The event from which on a leader of a term leads nobody any more: another server of its group is further. */
function deposedAt(model, lane, term) {
  const { at, highest } = model.terms.get(model.groupOf[lane]);
  const place = lowerBound(highest, term + 1);
  return place < highest.length ? at[place] : model.count;
}

/**
 * From which event on a lane, in the role with this number, leads a term that others have left behind, and so
 * leads nobody any more; the end of that role if it never does.
 */
function staleFrom(model, lane, s) {
  const { at, role, term } = model.states[lane].roles;
  const end = s + 1 < at.length ? at[s + 1] : model.count;
  if (role[s] !== LEADER || term[s] === null) return end;
  return Math.min(end, Math.max(at[s], deposedAt(model, lane, term[s])));
}

/** Intervals less others: of a server that has crashed, nobody asks whether it is connected. */
function without(intervals, others) {
  for (const [from, to] of others) {
    intervals = intervals.flatMap(([a, b]) => (to <= a || from >= b ? [[a, b]]
      : [[a, from], [to, b]].filter(([begin, end]) => begin < end)));
  }
  return intervals;
}

function firstLink(model, lane) {
  for (const i of model.laneEvents[lane]) {
    const kind = model.kind[i];
    if (kind === K.connected || kind === K.disconnected) return kind;
  }
  return 0;
}

/** Spans by their beginning, each with its end and, so that they do not overlap, a row. */
function indexSpans(model) {
  const open = new Map();
  model.spans = [];
  for (let i = 0; i < model.count; i++) {
    const event = model.events[i];
    if (model.kind[i] === K.begin) {
      const span = { begin: i, end: -1, lane: model.lane[i], user: event.of === "user", row: 0 };
      open.set(event.span, span);
      model.spans.push(span);
    } else if (model.kind[i] === K.end && open.has(event.span)) {
      open.get(event.span).end = i;
      open.delete(event.span);
    }
  }
  model.spanOf = new Int32Array(model.count).fill(-1);
  const rows = new Map();
  model.spans.forEach((span, s) => {
    model.spanOf[span.begin] = s;
    if (span.end >= 0) model.spanOf[span.end] = s;
    const busy = rows.get(span.lane) || [];
    rows.set(span.lane, busy);
    while (busy[span.row] > span.begin) span.row++;
    busy[span.row] = span.end < 0 ? model.count : span.end;
  });
  model.offers = [];
  model.testerMarks = [];
  for (let i = 0; i < model.count; i++) {
    if (model.kind[i] === K.offered) model.offers.push(i);
    if (model.lane[i] < 0 && [K.note, K.unknown].includes(model.kind[i])) {
      model.testerMarks.push(i);
    }
  }
}

// ---- Questions ---------------------------------------------------------------------------------

/** The first place in a sorted list whose value is not less than `value`. */
function lowerBound(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

/** The last place in a sorted list whose value is not more than `value`, or -1. */
function lastAtMost(list, value) {
  return lowerBound(list, value + 1) - 1;
}

/** A log of which nothing is known: entries by index, and where it begins: its base and the term there. */
const newLog = () => Object.assign([], { base: 0, baseTerm: null });

/**
 * Follows a server's log: what is returned takes its events in order, and keeps as `log` what it is after each.
 * Behind a gap, where events are left out, nothing is known of it: `begin(i)`, which comes before the event
 * itself, says whether that is so.
 */
function logFollower(model) {
  let next = 0;
  const follower = {
    log: newLog(),
    begin(i) {
      const passed = next;
      while (next < model.gaps.length && model.gaps[next] < i) next++;
      if (next > passed) follower.log = newLog();
      return next > passed;
    },
    take(i) { changeLog(follower.log, model.events[i]); },
  };
  return follower;
}

/** A server's log after an event. Some entries may not be known. */
function logAt(model, lane, event) {
  const follower = logFollower(model);
  for (const i of model.states[lane].logAt) {
    if (i > event) break;
    follower.begin(i);
    follower.take(i);
  }
  return follower.log;
}

/** Brings a log up to date with what an event of its server says of it. */
function changeLog(log, event) {
  const change = event.log || event.learned;
  if (!change) return;
  log.length = Math.max(0, Math.min(log.length, change.from));
  const at = change.at === undefined ? change.from : change.at;
  change.entries.forEach((entry, offset) => { if (entry) log[at + offset] = entry; });
  if (!change.base || change.base.index < log.base) return;
  log.base = change.base.index;
  log.baseTerm = change.base.term;
  // What is in the snapshot is not in the log any more.
  // It may reach to any number, so only the entries that there are may be counted.
  for (const index of Object.keys(log)) if (Number(index) <= log.base) delete log[index];
}

/** What a server has applied since its last start, by index. */
function appliedBy(model, lane, event) {
  const state = model.states[lane];
  let born = state.lives[lastAtMost(state.lives, event)] || 0;
  for (const i of state.snapshots) {
    // A snapshot that it takes over is all that it has.
    if (i <= event && i > born && model.kind[i] === K.installed) born = i;
  }
  const applied = new Map();
  for (let k = lowerBound(state.appliedAt, born); k < state.appliedAt.length; k++) {
    const i = state.appliedAt[k];
    if (i > event) break;
    applied.set(model.events[i].index, model.events[i].command);
  }
  return applied;
}

/** How far on each lane the past of an event reaches: all there up to it happened before. */
function pastOf(model, event) {
  const frontier = new Int32Array(model.lanes.length + 1).fill(-1);
  const tester = model.lanes.length;
  const spot = (i) => (model.place[i] < 0 ? tester : model.place[i]);
  frontier[spot(event)] = event;
  if (model.kind[event] === K.violation) {
    // Whoever noticed it looked at these servers.
    for (const lane of model.events[event].verdict.servers) {
      if (lane < tester) frontier[lane] = event;
    }
  }
  const reach = (i) => { if (i >= 0) frontier[spot(i)] = Math.max(frontier[spot(i)], i); };
  for (let i = event; i >= 0; i--) {
    if (frontier[spot(i)] < i) continue;
    reach(model.cause[i]);
    reach(sourceOf(model, i));
  }
  return frontier;
}

/** The event that sent what this one received, or -1. */
function sourceOf(model, i) {
  const m = model.messageOf[i];
  if (m < 0) return -1;
  const call = model.calls[model.callOf[i]];
  if (model.kind[i] === K.delivered) return ifBefore(call.sent, i);
  if (model.kind[i] === K.returned) return ifBefore(call.replied, i);
  const one = model.messages[m];
  return one.end === i ? ifBefore(one.start, i) : -1;
}

/** Causes come before what they cause, whatever a trace says: so each chain has an end. */
const ifBefore = (cause, i) => (cause < i ? cause : -1);

/** What led to an event, one step after the other, from the event itself back. */
function chainOf(model, event) {
  const chain = [];
  for (let i = event; i >= 0; i = previousInChain(model, i)) chain.push(i);
  return chain;
}

function previousInChain(model, i) {
  const source = sourceOf(model, i);
  if (source >= 0) return source;
  if (model.cause[i] >= 0) return model.cause[i];
  const call = model.calls[model.callOf[i]];
  return model.kind[i] === K.replied ? ifBefore(call.delivered, i) : -1;
}
