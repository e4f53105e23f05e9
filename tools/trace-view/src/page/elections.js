// ---- Elections ---------------------------------------------------------------------------------

/** The term of a server at an event, or null if it is not known. */
function termAt(model, lane, event) {
  const { at, term } = model.states[lane].roles;
  const s = lastAtMost(at, event);
  return s < 0 ? null : term[s];
}

/** Whether a reply comes when its receiver is in a later term than the one it asked in. */
function isStale(model, one) {
  if (one.leg !== REPLY || one.end < 0 || model.kind[one.end] !== K.returned) return false;
  const call = model.calls[one.call];
  const asked = call.sent < 0 ? undefined : termOf(model.events[call.sent].args);
  const now = termAt(model, one.to, one.end);
  return typeof asked === "number" && now !== null && now > asked;
}

/** Every candidacy with the votes that it asked for and got, and what came of it. */
function electionsOf(model) {
  if (model.elections) return model.elections;
  const rows = new Map();
  for (const call of model.calls) {
    if (call.purpose !== VOTE || call.sent < 0 || call.from < 0) continue;
    const term = termOf(model.events[call.sent].args);
    const key = `${term} ${call.from}`;
    if (!rows.has(key)) {
      rows.set(key, { term, candidate: call.from, first: call.sent, last: call.sent, asked: 0,
        granted: new Map(), refused: 0, late: [], won: -1, stale: [], double: [], twice: false });
    }
    const row = rows.get(key);
    row.asked++;
    if (call.replied < 0) continue;
    const granted = answerOf(model.events[call.replied].reply);
    if (granted === false) row.refused++;
    if (granted === true) noteVote(row, call);
  }
  model.elections = [...rows.values()].sort((a, b) => a.first - b.first);
  findWinners(model);
  findDoubleVotes(model);
  return model.elections;
}

/** A vote counts when it has come to the candidate: `at` is that event, or -1. */
function noteVote(row, call) {
  const known = row.granted.get(call.to);
  if (known && known.at >= 0) return;
  row.granted.set(call.to, { at: call.returned, given: call.replied, lost: call.lost >= 0 || call.failed >= 0 });
  if (call.returned >= 0) row.last = Math.max(row.last, call.returned);
}

function findWinners(model) {
  const leaders = new Map();
  model.states.slice(0, model.servers).forEach(({ roles }, lane) => {
    roles.at.forEach((i, s) => {
      if (roles.role[s] !== LEADER) return;
      const row = model.elections.find((one) => one.term === roles.term[s] && one.candidate === lane);
      // Some say a new term a moment before they step down: only who stood for election can lead.
      if (!row) return;
      if (row.won < 0) row.won = i;
      leaders.set(roles.term[s], (leaders.get(roles.term[s]) || new Set()).add(lane));
    });
  });
  for (const row of model.elections) {
    row.twice = row.won >= 0 && leaders.get(row.term).size > 1;
    row.votes = 1 + [...row.granted.values()].filter(({ at }) => at >= 0 && (row.won < 0 || at <= row.won)).length;
    row.few = row.won >= 0 && row.votes <= model.servers / 2;
  }
  for (const row of model.elections.filter((one) => one.few)) {
    // Votes of earlier terms that came while it was a candidate of this one.
    for (const old of model.elections) {
      if (old.candidate !== row.candidate || old.term >= row.term) continue;
      for (const [voter, { at }] of old.granted) {
        if (at > row.first && at <= row.won) row.stale.push([voter, old.term, at]);
      }
    }
  }
}

/** Who voted for two candidates of one term. */
function findDoubleVotes(model) {
  const given = new Map();
  for (const row of model.elections) {
    for (const voter of [row.candidate, ...row.granted.keys()]) {
      const key = `${row.term} ${voter}`;
      if (given.has(key)) {
        row.double.push(voter);
        given.get(key).double.push(voter);
      } else {
        given.set(key, row);
      }
    }
  }
}

const isOdd = (row) => row.few || row.twice || row.double.length > 0;
const MOST_ELECTIONS = 9;

/** The last elections in view, and before them all that cannot be right. */
function shownElections(app) {
  const { model, view, axis } = app;
  const from = lowerBound(axis.at, view.a), to = lowerBound(axis.at, view.b);
  const all = electionsOf(model);
  const near = all.filter((row) => row.last >= from && row.first < to).slice(-MOST_ELECTIONS);
  const odd = all.filter((row) => isOdd(row) && !near.includes(row)).slice(-MOST_ELECTIONS);
  return [...odd, ...near];
}

function showElections(app) {
  const { model } = app;
  const box = document.getElementById("elections");
  const rows = shownElections(app);
  const stuck = stuckAppends(app);
  box.hidden = rows.length === 0 && stuck.length === 0;
  const key = rows.map((row) => row.first).join() + stuck.map((run) => run.last).join();
  // What cannot be right is read first.
  box.classList.toggle("first", rows.some(isOdd) || stuck.length > 0);
  if (box.hidden || key === app.electionsKey) return;
  app.electionsKey = key;
  const head = ["s", "term", "who", "votes from", "outcome"].map((name) => el("th", { scope: "col" }, name));
  const table = el("table", { class: "logs" }, el("thead", {}, el("tr", {}, head)),
    el("tbody", {}, rows.map((row) => electionRow(app, row))));
  const votes = rows.length === 0 ? [] : [el("h2", {}, "Elections in view"),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Elections" }, table)];
  box.replaceChildren(...votes, ...stuck.length === 0 ? [] : [el("h2", {}, "Refused again and again"),
    el("ul", { class: "story" }, stuck.map((run) => stuckNode(app, run)))]);
}

function electionRow(app, row) {
  const { model } = app;
  const link = (i, text) => eventLink(app, i, text);
  const votes = [`self`];
  for (const [voter, { at, given, lost }] of row.granted) {
    const name = laneShort(model, voter);
    votes.push(", ", at < 0 ? link(given, `${name} (${lost ? "lost" : "on its way"})`) : row.won >= 0 && at > row.won
      ? link(at, `${name} (later)`) : link(at, name));
  }
  const more = [];
  for (const [voter, term, at] of row.stale) {
    more.push(el("div", { class: "bad" }, link(at, `${laneShort(model, voter)}: vote of term ${term}`)));
  }
  for (const voter of new Set(row.double)) {
    more.push(el("div", { class: "bad" }, `${laneShort(model, voter)} voted twice in term ${row.term}`));
  }
  const of = `${row.votes} of ${model.servers}`;
  const outcome = row.won >= 0 ? link(row.won, `leads, ${of}`) : `no, ${of}`;
  const wrong = row.few ? el("div", { class: "bad" }, "too few votes")
    : row.twice ? el("div", { class: "bad" }, "a second leader") : null;
  return el("tr", { class: isOdd(row) ? "odd" : null },
    el("td", {}, link(row.first, timeText(model.us[row.first], 1000))), el("td", {}, String(row.term)),
    el("td", {}, laneShort(model, row.candidate)), el("td", { class: "loose" }, votes, more),
    el("td", {}, outcome, wrong, row.refused > 0 ? el("div", { class: "dim" }, `${row.refused} refused`) : null));
}

// ---- Appends that are refused again and again --------------------------------------------------

/** Runs of refusals that bring the leader no step further: the same place, over and over. */
function stuckRuns(model) {
  if (model.stuck) return model.stuck;
  const open = new Map();
  model.stuck = [];
  for (const call of model.calls) {
    if (call.sent < 0 || call.replied < 0 || call.purpose !== APPEND && call.purpose !== BEAT) continue;
    const args = model.events[call.sent].args;
    const reply = model.events[call.replied].reply;
    const pair = `${call.from} ${call.to}`;
    const place = `${termOf(args)} ${prevIndexOf(args)}`;
    const run = open.get(pair);
    if (!isRefusal(reply)) {
      open.delete(pair);
    } else if (run && run.place === place) {
      run.count++;
      run.last = call.replied;
    } else {
      const begun = { place, call, count: 1, first: call.replied, last: call.replied };
      open.set(pair, begun);
      model.stuck.push(begun);
    }
  }
  model.stuck = model.stuck.filter((run) => run.count >= 4);
  return model.stuck;
}

function stuckAppends(app) {
  const { model, view, axis } = app;
  const from = lowerBound(axis.at, view.a), to = lowerBound(axis.at, view.b);
  return stuckRuns(model).filter((run) => run.last >= from && run.first < to).slice(-5);
}

function stuckNode(app, run) {
  const { model } = app;
  const { from, to, sent } = run.call;
  const args = model.events[sent].args;
  return el("li", {}, eventLink(app, run.last, `${laneShort(model, from)} → ${laneShort(model, to)}`),
    ` in term ${termOf(args)}: `, el("strong", { class: "bad" }, `${run.count} times`),
    ` with ${prevText(args)}, from ${timeText(model.us[run.first], 1000)} to ` +
    `${timeText(model.us[run.last], 1000)} s; the last answer was ` +
    (conflictText(model.events[run.last].reply) || "refused without a hint"));
}
