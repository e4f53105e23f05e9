// ---- What clients ask for ----------------------------------------------------------------------
//
// Each client has a lane above those of the servers, in which its operations are bars. What happens to
// the servers meanwhile lies behind them: when the group is split, and when servers are down.

/** Half of the height of a client's bar. */
const BAR = 8;
/** As many clients are shown at first, unless the verdict is about others. */
const MOST_CLIENTS = 6;

const isClient = (model, lane) => lane >= model.servers && model.operationsOf[lane].length > 0;

/** Operations by their beginning, each with its end: the event behind the last one if it has none. */
function indexOperations(model) {
  const open = new Map();
  model.operations = [];
  model.operationsOf = model.lanes.map(() => []);
  model.operationOf = new Int32Array(model.count).fill(-1);
  for (let i = 0; i < model.count; i++) {
    const { op } = model.events[i];
    if (model.kind[i] === K.called && model.lane[i] >= 0) {
      const one = { begin: i, end: -1, lane: model.lane[i], bad: false };
      open.set(op, one);
      model.operationOf[i] = model.operations.length;
      model.operations.push(one);
      model.operationsOf[one.lane].push(one);
    } else if (model.kind[i] === K.answered && open.has(op)) {
      open.get(op).end = i;
      model.operationOf[i] = model.operationOf[open.get(op).begin];
      open.delete(op);
    }
  }
  model.badOperations = model.factEvents.filter((i) => i >= 0 && model.operationOf[i] >= 0)
    .map((i) => model.operations[model.operationOf[i]]);
  for (const one of model.badOperations) one.bad = true;
  indexTroubles(model);
}

/** When servers were down: clients feel it, as they do splits. */
function indexTroubles(model) {
  model.outages = [];
  if (model.operations.length === 0) return;
  const close = (list, i) => { if (list.length > 0 && list[list.length - 1].end < 0) list[list.length - 1].end = i; };
  const down = new Set();
  for (let i = 0; i < model.count; i++) {
    if (model.kind[i] === K.crashed || model.kind[i] === K.started) {
      if (!(model.kind[i] === K.crashed ? !down.has(model.lane[i]) : down.delete(model.lane[i]))) continue;
      if (model.kind[i] === K.crashed) down.add(model.lane[i]);
      close(model.outages, i);
      const names = [...down].sort((a, b) => a - b).map((lane) => laneShort(model, lane)).join(" ");
      if (down.size > 0) model.outages.push({ begin: i, end: -1, text: `down: ${names}` });
    }
  }
  close(model.outages, model.count);
}

/** Who is not shown at first: all clients but a few, and never one that the verdict is about; groups. */
function hiddenAtFirst(model) {
  const bad = new Set(model.badOperations.map((one) => one.lane));
  const clients = model.lanes.map((_, lane) => lane).filter((lane) => isClient(model, lane));
  const others = clients.filter((lane) => !bad.has(lane));
  return new Set([...others.slice(bad.size > 0 ? 0 : MOST_CLIENTS), ...groupsHiddenAtFirst(model)]);
}

/** Half of the height of a lane's band. */
const halfOf = (model, lane) => (isClient(model, lane) ? BAR : BAND / 2);

/** What clients feel of what happens to servers, behind their lanes. */
function drawTroubles(frame) {
  const { model, layout, colors, patterns } = frame;
  const clients = layout.shown.filter((lane) => isClient(model, lane));
  if (clients.length === 0) return;
  const top = layout.top;
  const bottom = layout.y[clients[clients.length - 1]] + BAR + 3;
  for (const one of model.splits) drawTrouble(frame, one, patterns.cut, colors.cut, top, bottom, top + 7);
  for (const one of model.outages) drawTrouble(frame, one, colors.down, colors.text, top, bottom, top + 7);
}

function drawTrouble(frame, one, fill, color, top, bottom, y) {
  const { context, xe, left, right } = frame;
  const [x1, x2] = [Math.max(left - 9, xe(one.begin)), Math.min(right + 9, xe(one.end))];
  if (x2 < left || x1 > right) return;
  context.globalAlpha = 0.22;
  context.fillStyle = fill;
  context.fillRect(x1, top, Math.max(1.5, x2 - x1), bottom - top);
  context.globalAlpha = 1;
  const from = Math.max(x1, left) + 4;
  label(frame, WORTH.step, one.text, color, [[from, y]], { most: x2 - from });
}

function drawOperations(frame, lane) {
  const { model, layout, xe, left, right } = frame;
  const y = layout.y[lane];
  const list = model.operationsOf[lane];
  // One after the other, so the first that can be seen is found by its end.
  let k = lowerBound(list.map(({ end }) => (end < 0 ? model.count : end)), frame.first);
  let skip = -Infinity;
  for (; k < list.length && list[k].begin <= frame.last; k++) {
    const [x1, x2] = [Math.max(left - 3, xe(list[k].begin)), list[k].end < 0 ? right + 9 : Math.min(right + 9, xe(list[k].end))];
    // Of many that are too short to be told apart, some are enough.
    if (x2 < left || x2 - skip < 1.5 && !list[k].bad) continue;
    skip = x2;
    drawOperation(frame, list[k], x1, x2, y);
  }
}

function drawOperation(frame, one, x1, x2, y) {
  const { context, colors, model, left } = frame;
  const wide = Math.max(2, x2 - x1);
  context.globalAlpha = one.bad ? 0.35 : 0.22;
  context.fillStyle = one.bad ? colors.bad : colors.bar;
  context.fillRect(x1, y - BAR, wide, 2 * BAR);
  context.globalAlpha = 1;
  context.strokeStyle = one.bad ? colors.bad : colors.bar;
  context.lineWidth = one.bad ? 2.5 : 1;
  context.setLineDash(one.end < 0 ? [5, 3] : []);
  context.strokeRect(x1, y - BAR, wide, 2 * BAR);
  context.setLineDash([]);
  const from = Math.max(left, x1) + 4;
  const text = operationText(model, one);
  if (x2 - from > 24) label(frame, WORTH.step, text, colors.text, [[from, y]], { inside: true, bold: one.bad, most: x2 - from - 2 });
}

/** What was asked for, and what came of it. */
function operationText(model, { begin, end }) {
  const got = end < 0 ? "not answered by the end of the run" : model.events[end].text;
  return model.events[begin].text + (got === "" ? "" : ` → ${got}`);
}

/** The event whose past is what an event's is: an operation comes of all that led to its end. */
function endOfFocus(model, i) {
  const one = model.operationOf[i] >= 0 ? model.operations[model.operationOf[i]] : null;
  return one && one.end >= 0 ? one.end : i;
}

/** The operation at a point of the diagram: the event that it begins with, or -1. */
function operationAt(app, x, y) {
  const { frame, model, layout } = app;
  for (const lane of layout.shown) {
    if (!isClient(model, lane) || Math.abs(y - layout.y[lane]) > BAR) continue;
    const list = model.operationsOf[lane];
    for (const one of list) {
      if (frame.xe(one.begin) - 1 <= x && x <= (one.end < 0 ? frame.right : frame.xe(one.end)) + 1) return one.begin;
    }
  }
  return -1;
}

/** The operations that cannot be ordered, from the first call to the last return; null if there are none. */
function viewOfOperations(app) {
  const { model, axis } = app;
  if (model.badOperations.length === 0) return null;
  const first = Math.min(...model.badOperations.map(({ begin }) => begin));
  const last = Math.max(...model.badOperations.map(({ begin, end }) => (end < 0 ? begin : end)));
  const room = Math.max(axis.least, (axis.at[last] - axis.at[first]) * 0.08);
  return [axis.at[first] - room, axis.at[last] + room];
}

/** An operation and its calls, each with what became of it. */
function operationDetails(app, one, link) {
  const { model } = app;
  const took = one.end < 0 ? "it was not answered by the end of the run" : durationText(model.us[one.end] - model.us[one.begin]);
  const way = el("dl", { class: "fields" });
  const row = (name, ...value) => way.append(el("dt", {}, name), el("dd", {}, ...value));
  row("asked for", model.events[one.begin].text);
  if (one.end >= 0 && model.events[one.end].text !== "") row("got", model.events[one.end].text);
  row("took", took);
  const calls = callsOf(model, one);
  if (calls.length === 0) return [way];
  const list = el("ol", { class: "chain" }, calls.slice(0, MOST_CHAIN).map((call) =>
    el("li", {}, link(call.sent, `${timeText(model.us[call.sent])} s  ${callText(model, call)}`))));
  return [way, el("h4", {}, plural(calls.length, "call")), list];
}

/** The calls that a client made during an operation. */
function callsOf(model, { begin, end, lane }) {
  const last = end < 0 ? model.count : end;
  const events = model.laneEvents[lane];
  const calls = [];
  for (let k = lowerBound(events, begin); k < events.length && events[k] < last; k++) {
    if (model.kind[events[k]] === K.sent) calls.push(model.calls[model.callOf[events[k]]]);
  }
  return calls;
}

function callText(model, call) {
  const end = call.returned >= 0 ? `answered ${scalarText(model.events[call.replied] ? model.events[call.replied].reply : "")}`
    : call.lost >= 0 ? LOSSES[model.events[call.lost].why] || "lost"
      : call.failed >= 0 ? "failed" : "no answer yet";
  return `${laneName(model, call.to)}: ${cut(end, 90)}`;
}
