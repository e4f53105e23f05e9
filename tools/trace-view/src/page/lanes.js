// ---- Lanes -------------------------------------------------------------------------------------

function drawCuts(frame) {
  const { context, colors, layout, model, xe, left, right, patterns } = frame;
  for (const lane of layout.shown) {
    const [y, half] = [layout.y[lane], Math.min(layout.pitch / 2 - 4, BAND / 2 + 12)];
    for (const [from, to] of model.states[lane].cuts) {
      if (lane >= model.servers) continue;
      const [x1, x2] = [Math.max(left - 9, xe(from)), Math.min(right + 9, xe(to))];
      if (x2 < left || x1 > right) continue;
      context.fillStyle = patterns.cut;
      context.fillRect(x1, y - half, Math.max(1.5, x2 - x1), half * 2);
      context.fillStyle = colors.cut;
      context.fillRect(x1, y - half, 2, half * 2);
      context.fillRect(x2 - 1, y - half, 2, half * 2);
      const at = Math.max(x1, left) + 6;
      label(frame, WORTH.role, "cut off", colors.cut, [[at, y + half - 6], [at, y - half + 6]], { most: x2 - at });
    }
  }
}

function drawLane(frame, lane) {
  const { context, colors, layout, model, left, right, app } = frame;
  const y = layout.y[lane];
  context.fillStyle = colors.line;
  context.fillRect(left, y - 0.5, right - left, 1);
  const isServer = lane < model.servers;
  if (isServer && app.filter.state) drawRoles(frame, lane);
  if (isServer) drawPauses(frame, lane);
  if (isServer) drawDowns(frame, lane);
  if (isServer && app.filter.shards) drawShards(frame, lane);
  drawUserSpans(frame, lane);
  if (app.filter.operations) drawOperations(frame, lane);
  if (isServer && app.filter.state) drawCommit(frame, lane);
  if (app.filter.apply) drawApplied(frame, lane);
  if (app.filter.snapshots) drawSnapshots(frame, lane);
  drawMarks(frame, lane);
}

/** The higher the band the more a server is: a leader can be told in black and white. */
const HEIGHTS = [10, 16, 23, BAND, 0];
const LETTERS = ["", "F", "C", "L", ""];

function drawRoles(frame, lane) {
  const { layout, model, first, xe, left, right } = frame;
  const { at, role, term, inferred } = model.states[lane].roles;
  const bottom = layout.y[lane] + BAND / 2;
  for (let s = Math.max(0, lastAtMost(at, first - 1)); s < at.length; s++) {
    const x1 = Math.max(left - 9, xe(at[s]));
    if (x1 > right) break;
    const end = s + 1 < at.length ? at[s + 1] : model.count;
    const x2 = Math.min(right + 9, xe(end));
    if (x2 < left || HEIGHTS[role[s]] === 0) continue;
    const stale = staleFrom(model, lane, s);
    const turn = stale >= end ? x2 : Math.max(x1, Math.min(x2, xe(stale)));
    const one = { role: role[s], inferred: inferred[s], bottom, height: HEIGHTS[role[s]], cut: x1 > left };
    if (turn > x1) drawRole(frame, one, x1, turn, false);
    if (turn < x2) drawRole(frame, one, turn, x2, true);
    labelRole(frame, lane, one, term[s], Math.max(x1, left), turn > x1 ? turn : x2, turn <= x1);
    if (turn > x1 && turn < x2) labelRole(frame, lane, one, term[s], Math.max(turn, left), x2, true);
  }
}

function drawRole(frame, { role, inferred, bottom, height, cut }, x1, x2, stale) {
  const { context, colors, patterns } = frame;
  const wide = Math.max(1, x2 - x1);
  context.globalAlpha = inferred ? 0.65 : 1;
  context.fillStyle = stale ? colors["old-leader"] : colors.role[role];
  context.fillRect(x1, bottom - height, wide, height);
  context.globalAlpha = 1;
  if (role === CANDIDATE) stripe(frame, patterns.candidate, x1, bottom - height, x2, height, 0.2);
  if (inferred) stripe(frame, patterns.inferred, x1, bottom - height, x2, height, 0.5);
  if (role === LEADER && !stale) {
    context.fillStyle = colors.text;
    context.fillRect(x1, bottom - height, wide, 2);
  }
  if (!cut) return;
  context.fillStyle = colors.back;
  context.fillRect(x1 - 0.5, bottom - height, 1, height);
}

/** Role and term, in a word where there is room for one. */
function labelRole(frame, lane, { role, inferred, bottom }, term, x1, x2, stale) {
  const { app, context, colors } = frame;
  const room = x2 - x1 - 6;
  const known = term === null ? "" : ` ${term}`;
  const doubt = inferred ? "?" : "";
  const long = `${stale ? "old leader" : ROLES[role]}${known && ", term" + known}${doubt}`;
  const short = `${LETTERS[role]}${known}${doubt}`.trim();
  context.font = fontOf({ bold: true });
  const text = [long, short].find((one) => context.measureText(one).width <= room);
  if (text === undefined || role === UNKNOWN && term === null) return;
  // What is behind the past of what is looked at is pale.
  const pale = stale || app.past !== null && frame.xe(app.past[lane]) < x1 + 4;
  const color = role === LEADER && !pale ? colors["on-leader"] : colors.text;
  label(frame, WORTH.role, text, color, [[x1 + 4, bottom - 8]], { bold: true, inside: true });
}

function stripe(frame, pattern, x1, y, x2, height, alpha) {
  frame.context.globalAlpha = alpha;
  frame.context.fillStyle = pattern;
  frame.context.fillRect(x1, y, Math.max(1, x2 - x1), height);
  frame.context.globalAlpha = 1;
}

function drawDowns(frame, lane) {
  const { context, colors, layout, model, xe, left, right } = frame;
  const y = layout.y[lane];
  for (const [from, to] of model.states[lane].downs) {
    const [x1, x2] = [Math.max(left - 9, xe(from)), Math.min(right + 9, xe(to))];
    if (x2 < left || x1 > right) continue;
    context.fillStyle = colors.down;
    context.fillRect(x1, y - BAND / 2, Math.max(2, x2 - x1), BAND);
    if (from >= 0 && x1 >= left) cross(context, x1, y, 6, colors.bad, 3);
    if (to < model.count && x2 <= right) triangle(context, x2, y, 0, 7, colors.leader);
    const at = Math.max(x1, left) + 12;
    const text = from >= 0 ? "crashed" : "not started";
    const pale = frame.app.past !== null && xe(frame.app.past[lane]) < at;
    if (x2 - at > 50) label(frame, WORTH.role, text, pale ? colors.text : colors["on-down"], [[at, y]], { inside: true, most: x2 - at });
  }
}

/** A paused server: its band is pale, and says so where there is room. */
function drawPauses(frame, lane) {
  const { context, colors, layout, model, xe, left, right } = frame;
  const y = layout.y[lane];
  for (const [from, to] of model.states[lane].pauses) {
    const [x1, x2] = [Math.max(left - 9, xe(from)), Math.min(right + 9, xe(to))];
    if (x2 < left || x1 > right) continue;
    context.globalAlpha = 0.7;
    context.fillStyle = colors.back;
    context.fillRect(x1, y - BAND / 2, Math.max(2, x2 - x1), BAND);
    context.globalAlpha = 1;
    if (x2 - x1 > 50) label(frame, WORTH.role, "paused", colors.text, [[Math.max(x1, left) + 6, y]], { inside: true, most: x2 - x1 });
  }
}

function cross(context, x, y, size, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(x - size, y - size); context.lineTo(x + size, y + size);
  context.moveTo(x + size, y - size); context.lineTo(x - size, y + size);
  context.stroke();
}

function triangle(context, x, y, angle, size, color) {
  const [c, s] = [Math.cos(angle) * size, Math.sin(angle) * size];
  context.fillStyle = color;
  context.beginPath();
  context.moveTo(x + c, y + s);
  context.lineTo(x - c * 0.6 - s * 0.7, y - s * 0.6 + c * 0.7);
  context.lineTo(x - c * 0.6 + s * 0.7, y - s * 0.6 - c * 0.7);
  context.fill();
}

/** The commit index: a step under the band, and its number where there is room. */
function drawCommit(frame, lane) {
  const { context, colors, layout, model, first, xe, left, right } = frame;
  const { commitAt, commit } = model.states[lane];
  const y = layout.y[lane] + BAND / 2 + 8;
  let skip = -Infinity;
  const dense = lastAtMost(commitAt, frame.last) - lowerBound(commitAt, first) > layout.plot / 8;
  for (let s = Math.max(0, lastAtMost(commitAt, first - 1)); s < commitAt.length; s++) {
    const at = xe(commitAt[s]);
    if (at > right) break;
    const x = Math.max(left, at);
    if (x - skip < (dense ? 60 : 2) && s + 1 < commitAt.length) continue;
    skip = x;
    if (commit[s] === null || commit[s] === 0) continue;
    if (at > left) {
      context.fillStyle = colors.append;
      context.fillRect(x - 0.5, y - 7, 1.5, 5);
    }
    label(frame, WORTH.apply, `commit ${commit[s]}`, colors.append, [[x + 3, y], [x + 3, y + 11]]);
  }
}

/** Applied commands as ticks; those too close to be named one by one share a label. */
function drawApplied(frame, lane) {
  const { app, context, colors, layout, model, first, last, xe } = frame;
  const { appliedAt } = model.states[lane];
  const y = layout.y[lane] + BAND / 2;
  const conflict = model.verdict ? model.verdict.index : undefined;
  let skip = -Infinity;
  let group = null;
  const from = lowerBound(appliedAt, first);
  const dense = lastAtMost(appliedAt, last) - from > layout.plot / 4;
  for (let k = from; k < appliedAt.length && appliedAt[k] <= last; k++) {
    const x = xe(appliedAt[k]);
    const event = model.events[appliedAt[k]];
    const matters = event.index === conflict;
    if (x - skip >= 1.5) {
      context.globalAlpha = dense ? 0.4 : 1;
      context.fillStyle = colors.text;
      context.fillRect(x - 1, y - 4, 2, dense ? 4 : 8);
      context.globalAlpha = 1;
      skip = x;
    }
    if (dense && !matters) continue;
    // A restart or a snapshot lies between indexes that do not follow each other.
    const follows = group !== null && event.index === group.to + 1;
    if (follows && !matters && !group.matters && x < group.x + 70) {
      group.to = event.index;
      continue;
    }
    if (group !== null) labelApplied(frame, group, y);
    group = { x, command: event.command, from: event.index, to: event.index, matters };
  }
  if (group !== null) labelApplied(frame, group, y);
  if (app.filter.saved) drawSaved(frame, lane);
}

/** Snapshots below the band: an open box is given to Raft, a full one comes from it. */
function drawSnapshots(frame, lane) {
  const { context, colors, layout, model, first, last, xe } = frame;
  const { snapshots } = model.states[lane];
  const y = layout.y[lane] + BAND / 2;
  const conflict = model.verdict ? model.verdict.index : undefined;
  let skip = -Infinity;
  for (let k = lowerBound(snapshots, first); k < snapshots.length && snapshots[k] <= last; k++) {
    const event = model.events[snapshots[k]];
    const x = xe(snapshots[k]);
    const installs = model.kind[snapshots[k]] === K.installed;
    if (x - skip < 3 && !installs) continue;
    skip = x;
    context.fillStyle = installs ? colors.snapshot : colors.back;
    context.strokeStyle = colors.snapshot;
    context.lineWidth = 1.8;
    context.fillRect(x - 4, y + 1, 8, 7);
    context.strokeRect(x - 4, y + 1, 8, 7);
    const verb = !installs ? "snapshot" : event.term === undefined ? "begins with snapshot" : "installs";
    const spots = [19, 33, 8].flatMap((down) => [[x + 3, y + down], [x - 50, y + down]]);
    label(frame, installs || event.index === conflict ? WORTH.step : WORTH.apply + 0.5, `${verb} ≤${event.index}`,
      colors.snapshot, spots, { bold: true });
  }
}

function labelApplied(frame, { x, command, from, to, matters }, y) {
  const { context, colors } = frame;
  if (matters) {
    context.strokeStyle = colors.bad;
    context.lineWidth = 2;
    context.strokeRect(x - 3, y - 6, 6, 12);
  }
  const text = from === to ? `applies ${from}: ${shortCommand(command)}` : `applies ${from}–${to}`;
  const spots = [19, 33, 8].flatMap((down) => [[x + 3, y + down], [x - 50, y + down]]);
  label(frame, matters ? WORTH.step : WORTH.apply, text, matters ? colors.bad : colors.text, spots, { bold: matters });
}

function drawSaved(frame, lane) {
  const { context, colors, layout, model, first, last, xe } = frame;
  const { saved } = model.states[lane];
  const y = layout.y[lane] + BAND / 2;
  context.fillStyle = colors.dim;
  let skip = -Infinity;
  for (let k = lowerBound(saved, first); k < saved.length && saved[k] <= last; k++) {
    const x = xe(saved[k]);
    if (x - skip < 2) continue;
    skip = x;
    context.fillRect(x - 1.5, y - 2, 3, 3);
  }
}

/** Notes, failed calls and events that this page does not know. */
function drawMarks(frame, lane) {
  const { app, context, colors, layout, model, first, last, xe } = frame;
  const { marks } = model.states[lane];
  const [y, half] = [layout.y[lane], halfOf(model, lane)];
  let skip = -Infinity;
  for (let k = lowerBound(marks, first); k < marks.length && marks[k] <= last; k++) {
    const i = marks[k];
    const x = xe(i);
    if (model.kind[i] === K.failed) {
      if (!app.filter.lost || x - skip < 3) continue;
      skip = x;
      context.strokeStyle = colors.dim;
      context.lineWidth = 1;
      context.beginPath();
      context.arc(x, y + half, 2, 0, 7);
      context.stroke();
    } else if (app.filter.notes && x - skip >= 2) {
      skip = x;
      flag(context, x, y - half, colors.check);
      label(frame, WORTH.note, model.events[i].text || "?", colors.check, [[x + 9, y - half - 9]], { most: 170 });
    }
  }
}

function flag(context, x, y, color) {
  context.fillStyle = color;
  context.fillRect(x - 0.5, y - 12, 1.5, 13);
  context.beginPath();
  context.moveTo(x, y - 12); context.lineTo(x + 7, y - 9); context.lineTo(x, y - 6);
  context.fill();
}

/** What takes time, as its lane says: lines above a server's band, bars on the lane of a client. */
function drawUserSpans(frame, lane) {
  if (!frame.app.filter.notes) return;
  const { layout, model } = frame;
  for (const span of model.spans) {
    if (span.lane !== lane) continue;
    if (lane < model.servers) drawSpan(frame, span, layout.y[lane] - BAND / 2 - 6 - span.row % 2 * 5, 4, false);
    else drawSpan(frame, span, layout.y[lane] - BAND / 2 + span.row % 2 * 15, 14, true);
  }
}

function drawSpan(frame, span, y, height, named) {
  const { context, colors, model, xe, left, right } = frame;
  const [x1, x2] = [xe(span.begin), span.end < 0 ? right + 9 : xe(span.end)];
  if (x2 < left || x1 > right) return;
  const from = Math.max(left, x1);
  context.globalAlpha = named ? 0.2 : 0.7;
  context.fillStyle = colors.check;
  context.fillRect(x1, y, Math.max(2, x2 - x1), height);
  context.globalAlpha = 1;
  context.fillRect(x1, y, 2, height);
  if (span.end >= 0) context.fillRect(x2 - 1, y, 2, height);
  if (named) {
    label(frame, WORTH.step, model.events[span.begin].name, colors.text, [[from + 5, y + height / 2]],
      { inside: true, most: Math.min(right, x2) - from - 8 });
  }
}
