// ---- The story of one index --------------------------------------------------------------------
//
// A server that never says what its log is shows it all the same: what it sends it has, what it
// accepts it has from then on, and what it takes from the tester too. The page's data says so with
// each event.

/** All that happened to the entry at an index on any of these servers, in order. */
function storyOf(model, index, lanes) {
  model.stories = model.stories || new Map();
  const key = `${index} ${lanes[0]}`;
  if (!model.stories.has(key)) {
    const steps = lanes.flatMap((lane) => storyOnLane(model, index, lane));
    steps.sort((a, b) => a.i - b.i);
    model.stories.set(key, steps);
  }
  return model.stories.get(key);
}

function storyOnLane(model, index, lane) {
  const steps = [];
  const follower = logFollower(model);
  // How far it has committed; nothing where that is not known.
  let committed = 0;
  for (const i of model.laneEvents[lane]) {
    const event = model.events[i];
    const kind = model.kind[i];
    if (follower.begin(i)) committed = null;
    const { log } = follower;
    const before = log[index];
    const wasIn = log.base >= index;
    follower.take(i);
    if (!wasIn && log.base >= index) {
      steps.push({ i, text: `has it in a snapshot, up to ${log.base}`, bad: false });
    }
    // A server that tells its log may do so a moment after it has taken a command.
    if (kind === K.offered && event.index === index && !log[index]) {
      log[index] = { term: event.term, command: event.command };
    }
    const now = log[index];
    if (now && (!before || before.term !== now.term && now.term !== null)) steps.push(changeStep(model, i, before, now));
    if (kind === K.installed && event.index >= index) {
      steps.push({ i, text: describe(model, i), bad: false, strong: true });
    }
    if (kind === K.applied && event.index === index) {
      steps.push({ i, text: `applies ${shortCommand(event.command)}`, bad: false, strong: true });
    }
    if (kind === K.crashed) committed = 0;
    if (kind !== K.state || event.commit === undefined) continue;
    if (committed === null) committed = event.commit;
    if (!(event.commit > committed)) continue;
    if (committed < index && event.commit >= index && event.role === "leader") {
      steps.push(commitStep(i, event, log));
    }
    committed = event.commit;
  }
  return steps;
}

function entryWords({ term, command }) {
  return (term === null ? "" : `term ${term}: `) + shortCommand(command);
}

function changeStep(model, i, before, now) {
  const kind = model.kind[i];
  if (before && before.command !== now.command) return { i, text: `replaces ${entryWords(before)} by ${entryWords(now)}`, bad: true };
  if (kind === K.offered) return { i, text: `takes ${entryWords(now)} from the tester`, bad: false };
  const call = model.calls[model.callOf[i]];
  if (kind === K.applied) return { i, text: `has ${entryWords(now)}`, bad: false };
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
function storyNode(app, index, until, lanes) {
  const { model } = app;
  const all = storyOf(model, index, lanes).filter((step) => step.i <= until);
  if (all.length === 0) return null;
  const list = el("ol", { class: "story" });
  for (const step of all.slice(-MOST_STEPS)) {
    const words = `${laneShort(model, model.place[step.i])} ${step.text}`;
    list.append(el("li", { class: (step.bad ? "bad" : "") + (step.strong ? " strong" : "") },
      eventLink(app, step.i, timeText(model.us[step.i], 1000)), " " + words));
  }
  const left = all.length - MOST_STEPS;
  return el("div", {}, el("h4", {}, `How index ${index} came about`,
    left > 0 ? el("span", { class: "dim" }, ` (${left} earlier steps left out)`) : null), list);
}
