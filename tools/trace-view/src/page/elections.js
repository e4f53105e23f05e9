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
  const now = termAt(model, one.to, one.end);
  return typeof call.is.term === "number" && now !== null && now > call.is.term;
}

const isOdd = (row) => row.few || row.twice || row.double.length > 0;
const MOST_ELECTIONS = 9;

/** The numbers of the first event in view and of that behind the last one. */
function numbersInView({ model, axis, view }) {
  const number = (place) => (place < model.count ? model.events[place].n : Infinity);
  return [number(lowerBound(axis.at, view.a)), number(lowerBound(axis.at, view.b))];
}

/** The last elections in view, and before them all that cannot be right. */
function shownElections(app) {
  const { model } = app;
  const [from, to] = numbersInView(app);
  const all = model.elections;
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
  const votes = rows.length === 0 ? [] : [headingOf("Elections in view"),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Elections" }, table)];
  const refusals = stuck.length === 0 ? [] : [headingOf("Refused again and again"),
    el("ul", { class: "story" }, stuck.map((run) => stuckNode(app, run)))];
  refill(box, [...votes, ...refusals], votes[0] || refusals[0]);
}

function electionRow(app, row) {
  const { model } = app;
  const link = (n, text) => eventLink(app, eventByNumber(model, n), text);
  const when = (n) => timeText(model.us[eventByNumber(model, n)] || 0, 1000);
  const votes = ["itself"];
  for (const { voter, given, came, lost } of row.granted) {
    const name = laneShort(model, voter);
    votes.push(", ", came === null ? link(given, `${name} (${lost ? "lost" : "on its way"})`)
      : link(came, row.won !== null && came > row.won ? `${name} (later)` : name));
  }
  const more = [];
  for (const { voter, term, came } of row.stale) {
    more.push(el("div", { class: "bad" }, link(came, `${laneShort(model, voter)}: vote of term ${term}`)));
  }
  for (const voter of row.double) {
    more.push(el("div", { class: "bad" }, `${laneShort(model, voter)} voted twice in term ${row.term}`));
  }
  const of = `${row.votes} of ${lanesWith(model, row.candidate).length}`;
  const outcome = row.won !== null ? link(row.won, `leads, ${of}`) : `no, ${of}`;
  const wrong = row.few ? el("div", { class: "bad" }, "too few votes")
    : row.twice ? el("div", { class: "bad" }, "a second leader") : null;
  return el("tr", { class: isOdd(row) ? "odd" : null },
    el("td", {}, link(row.first, when(row.first))), el("td", {}, String(row.term)),
    el("td", {}, laneShort(model, row.candidate)), el("td", { class: "loose" }, votes, more),
    el("td", {}, outcome, wrong, row.refused > 0 ? el("div", { class: "dim" }, `${row.refused} refused`) : null));
}

// ---- Appends that are refused again and again --------------------------------------------------

function stuckAppends(app) {
  const [from, to] = numbersInView(app);
  return app.model.refused.filter((run) => run.last >= from && run.first < to).slice(-5);
}

function stuckNode(app, run) {
  const { model } = app;
  const [first, last] = [run.first, run.last].map((n) => eventByNumber(model, n));
  const call = model.calls[model.callOf[last]];
  return el("li", {}, eventLink(app, last, `${laneShort(model, run.leader)} → ${laneShort(model, run.follower)}`),
    ` in term ${run.term}: `, el("strong", { class: "bad" }, `${run.count} times`),
    ` with ${prevText(call.is)}, from ${timeText(model.us[first], 1000)} to ` +
    `${timeText(model.us[last], 1000)} s; the last answer was ` +
    (moreText(model.events[last]) || "refused without a hint"));
}
