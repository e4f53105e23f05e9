// ---- Logs as messages tell them ----------------------------------------------------------------
//
// A server that never says what its log is shows it all the same: what it sends it has, what it
// accepts it has from then on, and what it takes from the tester too.

const prevTermOf = (args) => field(args, is("PrevTerm"));
const commandOf = (entry) => field(entry, is("Command"), 0);

/** Puts entries into a log, the first at `from`. As in the paper, a conflict deletes what follows. */
function putEntries(log, from, entries) {
  entries.forEach((entry, offset) => {
    const index = from + offset;
    if (!(index >= 1)) return;
    const known = log[index];
    if (known && known.term !== entry.term) log.length = index;
    if (!log[index] || log[index].command === undefined) log[index] = entry;
  });
}

/** What an AppendEntries says of the log of whoever sends or accepts it. */
function putAppend(log, args) {
  const prev = Number(prevIndexOf(args)), term = prevTermOf(args);
  if (!Number.isFinite(prev)) return;
  if (prev > 0 && typeof term === "number") putEntries(log, prev, [{ term, command: undefined }]);
  const entries = entriesOf(args);
  if (!Array.isArray(entries)) return;
  putEntries(log, prev + 1, entries.map((entry) => {
    const command = commandOf(entry);
    return { term: termOf(entry), command: command === undefined ? undefined : scalarText(command) };
  }));
}

/** Brings a log up to date with one event of its server. */
function learn(model, i, log) {
  const event = model.events[i];
  const kind = model.kind[i];
  if (kind === K.state && event.log) {
    log.length = Math.max(0, Math.min(log.length, event.log.from));
    event.log.entries.forEach((entry, offset) => { log[event.log.from + offset] = entry; });
  } else if (kind === K.offered && event.index !== undefined) {
    putEntries(log, event.index, [{ term: event.term, command: event.command }]);
  } else if (kind === K.sent || kind === K.replied && isAccepted(event.reply)) {
    const call = model.calls[model.callOf[i]];
    if (call.sent < 0 || call.purpose !== APPEND && call.purpose !== BEAT) return;
    putAppend(log, model.events[call.sent].args);
  }
}

function isAccepted(reply) {
  return answerOf(reply) === true;
}

/** A server's log after an event, by what it told or else by its messages. */
function knownLog(model, lane, event) {
  if (model.states[lane].logAt.length > 0) return logAt(model, lane, event);
  const log = [];
  for (const i of model.laneEvents[lane]) {
    if (i > event) break;
    learn(model, i, log);
  }
  return log;
}

// ---- The story of one index --------------------------------------------------------------------

/** All that happened to the entry at an index on any server, in order. */
function storyOf(model, index) {
  model.stories = model.stories || new Map();
  if (!model.stories.has(index)) {
    const steps = [];
    for (let lane = 0; lane < model.servers; lane++) steps.push(...storyOnLane(model, index, lane));
    steps.sort((a, b) => a.i - b.i);
    model.stories.set(index, steps);
  }
  return model.stories.get(index);
}

function storyOnLane(model, index, lane) {
  const steps = [];
  const log = [];
  let committed = 0;
  for (const i of model.laneEvents[lane]) {
    const event = model.events[i];
    const kind = model.kind[i];
    const before = log[index];
    learn(model, i, log);
    const now = log[index];
    if (now && (!before || before.term !== now.term)) steps.push(changeStep(model, i, before, now));
    if (kind === K.applied && event.index === index) {
      steps.push({ i, text: `applies ${shortCommand(event.command)}`, bad: false, strong: true });
    }
    if (kind === K.crashed) committed = 0;
    if (kind !== K.state || !(event.commit > committed)) continue;
    if (committed < index && event.commit >= index && event.role === "leader") {
      steps.push(commitStep(i, event, log));
    }
    committed = event.commit;
  }
  return steps;
}

function entryWords({ term, command }) {
  return `t${term}${command === undefined ? "" : " " + shortCommand(command)}`;
}

function changeStep(model, i, before, now) {
  const kind = model.kind[i];
  if (before) return { i, text: `replaces ${entryWords(before)} by ${entryWords(now)}`, bad: true };
  if (kind === K.offered) return { i, text: `takes ${entryWords(now)} from the tester`, bad: false };
  const call = model.calls[model.callOf[i]];
  return { i, bad: false, text: kind === K.replied
    ? `stores ${entryWords(now)} from ${laneName(model, call.from)}` : `has ${entryWords(now)}` };
}

/** A leader commits by counting only what is of its own term (section 5.4.2). */
function commitStep(i, event, log) {
  const last = log[event.commit];
  const old = last !== undefined && last.term < event.term;
  return { i, strong: true, bad: old, text: `leads term ${event.term} and commits up to ${event.commit}` +
    (old ? `, an entry of term ${last.term}` : "") };
}

const MOST_STEPS = 16;

/** The story as a list; the steps of the servers that do not agree lead to their events. */
function storyNode(app, index, until) {
  const { model } = app;
  const all = storyOf(model, index).filter((step) => step.i <= until);
  if (all.length === 0) return null;
  const list = el("ol", { class: "story" });
  for (const step of all.slice(-MOST_STEPS)) {
    const words = `${laneShort(model, model.place[step.i])} ${step.text}`;
    list.append(el("li", { class: (step.bad ? "bad" : "") + (step.strong ? " strong" : "") },
      el("button", { type: "button", class: "link", onclick: () => select(app, step.i, true) },
        timeText(model.us[step.i], 1000)), " " + words));
  }
  const left = all.length - MOST_STEPS;
  return el("div", {}, el("h4", {}, `How index ${index} came about`,
    left > 0 ? el("span", { class: "dim" }, ` (${left} earlier steps left out)`) : null), list);
}
