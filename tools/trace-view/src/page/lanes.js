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
      if (x2 - Math.max(x1, left) > 90) {
        halo(frame, "cut off", Math.max(x1, left) + 6, y - half + 6, colors.cut, "10px");
      }
    }
  }
}

/** Text that can be read on anything. */
function halo(frame, text, x, y, color, size, weight = "") {
  const { context, colors } = frame;
  context.font = `${weight} ${size} system-ui, sans-serif`;
  context.textAlign = "left";
  context.lineWidth = 3;
  context.strokeStyle = colors.back;
  context.strokeText(text, x, y);
  context.fillStyle = color;
  context.fillText(text, x, y);
}

function drawLane(frame, lane) {
  const { context, colors, layout, model, left, right, app } = frame;
  const y = layout.y[lane];
  context.fillStyle = colors.line;
  context.fillRect(left, y - 0.5, right - left, 1);
  const isServer = lane < model.servers;
  if (isServer && app.filter.state) drawRoles(frame, lane);
  if (isServer) drawDowns(frame, lane);
  drawUserSpans(frame, lane);
  if (isServer && app.filter.state) drawCommit(frame, lane);
  if (app.filter.apply) drawApplied(frame, lane);
  drawMarks(frame, lane);
}

/** The higher the band the more a server is: a leader can be told in black and white. */
const HEIGHTS = [10, 16, 23, BAND, 0];
const LETTERS = ["", "F", "C", "L", ""];

function drawRoles(frame, lane) {
  const { context, colors, layout, model, first, xe, left, right, patterns } = frame;
  const { at, role, term, inferred } = model.states[lane].roles;
  const bottom = layout.y[lane] + BAND / 2;
  const labels = [];
  let room = left;
  for (let s = Math.max(0, lastAtMost(at, first - 1)); s < at.length; s++) {
    const x1 = Math.max(left - 9, xe(at[s]));
    if (x1 > right) break;
    const x2 = Math.min(right + 9, s + 1 < at.length ? xe(at[s + 1]) : xe(model.count));
    const height = HEIGHTS[role[s]];
    if (x2 < left || height === 0) continue;
    context.globalAlpha = inferred[s] ? 0.65 : 1;
    context.fillStyle = colors.role[role[s]];
    context.fillRect(x1, bottom - height, Math.max(1, x2 - x1), height);
    context.globalAlpha = 1;
    if (role[s] === CANDIDATE) stripe(frame, patterns.candidate, x1, bottom - height, x2, height, 0.35);
    if (inferred[s]) stripe(frame, patterns.inferred, x1, bottom - height, x2, height, 0.8);
    if (role[s] === LEADER) {
      context.fillStyle = colors.text;
      context.fillRect(x1, bottom - height, Math.max(1, x2 - x1), 2);
    }
    if (x1 > left) {
      context.fillStyle = colors.back;
      context.fillRect(x1 - 0.5, bottom - height, 1, height);
    }
    const label = `${LETTERS[role[s]]} ${term[s] === null ? "" : term[s]}${inferred[s] ? "?" : ""}`.trim();
    labels.push([label, Math.max(x1, left) + 4, x2, role[s]]);
  }
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "left";
  for (const [label, x, end, kind] of labels) {
    const wide = context.measureText(label).width;
    if (x < room || end - x < wide + 2 && end < right) continue;
    context.fillStyle = kind === LEADER ? colors["on-leader"] : colors.text;
    context.fillText(label, x, bottom - (kind === LEADER ? 21 : 9));
    room = x + wide;
  }
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
    if (from >= 0 && x2 - Math.max(x1, left) > 80) {
      context.fillStyle = colors["on-down"];
      context.font = "11px system-ui, sans-serif";
      context.textAlign = "left";
      context.fillText("crashed", Math.max(x1, left) + 12, y);
    }
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

/** The commit index: a step line under the band, and its number where there is room. */
function drawCommit(frame, lane) {
  const { context, colors, layout, model, first, xe, left, right } = frame;
  const { commitAt, commit } = model.states[lane];
  const y = layout.y[lane] + BAND / 2 + 7;
  let [skip, room] = [-Infinity, -Infinity];
  const dense = lastAtMost(commitAt, frame.last) - lowerBound(commitAt, first) > layout.plot / 8;
  for (let s = Math.max(0, lastAtMost(commitAt, first - 1)); s < commitAt.length; s++) {
    const at = xe(commitAt[s]);
    if (at > right) break;
    const x = Math.max(left, at);
    if (x - skip < 2 && s + 1 < commitAt.length) continue;
    skip = x;
    if (commit[s] === null) continue;
    if (at > left && !dense) {
      context.fillStyle = colors.append;
      context.fillRect(x - 0.5, y - 6, 1.5, 5);
    }
    const text = at > left ? `c${commit[s]}` : `commit ${commit[s]}`;
    context.font = "10px system-ui, sans-serif";
    if (x < room || commit[s] === 0) continue;
    halo(frame, text, x + 3, y, colors.append, "10px");
    room = x + context.measureText(text).width + (dense ? 60 : 10);
  }
}

/** Applied commands as ticks; those too close to be named one by one share a label. */
function drawApplied(frame, lane) {
  const { app, context, colors, layout, model, first, last, xe } = frame;
  const { appliedAt } = model.states[lane];
  const y = layout.y[lane] + BAND / 2;
  const conflict = model.verdict ? model.verdict.index : undefined;
  let skip = -Infinity;
  let label = null;
  const from = lowerBound(appliedAt, first);
  const dense = lastAtMost(appliedAt, last) - from > layout.plot / 4;
  context.font = "10px system-ui, sans-serif";
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
    if (label !== null && !matters && !label.matters && x < label.x + label.room) {
      label.to = event.index;
      continue;
    }
    if (label !== null) appliedLabel(frame, label, y);
    const text = `${event.index}: ${shortCommand(event.command)}`;
    label = { x, text, from: event.index, to: event.index, matters, room: context.measureText(text).width + 8 };
  }
  if (label !== null) appliedLabel(frame, label, y);
  if (app.filter.saved) drawSaved(frame, lane);
}

function appliedLabel(frame, { x, text, from, to, matters }, y) {
  const { context, colors } = frame;
  if (matters) {
    context.strokeStyle = colors.bad;
    context.lineWidth = 2;
    context.strokeRect(x - 3, y - 6, 6, 12);
  }
  const color = matters ? colors.bad : colors.text;
  halo(frame, from === to ? text : `${from}–${to}`, x + 3, y + (matters ? 29 : 18), color, "10px", matters ? "bold" : "");
  context.font = "10px system-ui, sans-serif";
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
  const y = layout.y[lane];
  let [skip, room] = [-Infinity, -Infinity];
  for (let k = lowerBound(marks, first); k < marks.length && marks[k] <= last; k++) {
    const i = marks[k];
    const x = xe(i);
    if (model.kind[i] === K.failed) {
      if (!app.filter.lost || x - skip < 3) continue;
      skip = x;
      context.strokeStyle = colors.dim;
      context.lineWidth = 1;
      context.beginPath();
      context.arc(x, y + BAND / 2, 2, 0, 7);
      context.stroke();
    } else if (app.filter.notes && x - skip >= 2) {
      flag(context, x, y - BAND / 2, colors.check);
      if (x < room) continue;
      const text = cut(model.events[i].text || "?", 30);
      halo(frame, text, x + 8, y - BAND / 2 - 8, colors.check, "10px");
      room = x + context.measureText(text).width + 12;
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

function drawUserSpans(frame, lane) {
  if (!frame.app.filter.notes) return;
  for (const span of frame.model.spans) {
    if (span.lane !== lane) continue;
    const y = frame.layout.y[lane] - BAND / 2 - 6 - span.row % 2 * 5;
    drawSpan(frame, span, y, 4, false);
  }
}

function drawSpan(frame, span, y, height, named) {
  const { context, colors, model, xe, left, right } = frame;
  const [x1, x2] = [xe(span.begin), span.end < 0 ? right + 9 : xe(span.end)];
  if (x2 < left || x1 > right) return -Infinity;
  const from = Math.max(left, x1);
  context.globalAlpha = named ? 0.25 : 0.7;
  context.fillStyle = colors.check;
  context.fillRect(x1, y, Math.max(2, x2 - x1), height);
  context.globalAlpha = 1;
  context.fillRect(x1, y, 2, height);
  if (span.end >= 0) context.fillRect(x2 - 1, y, 2, height);
  if (named && Math.min(right, x2) - from > 50) {
    context.save();
    context.beginPath();
    context.rect(from, y, Math.min(right, x2) - from, height);
    context.clip();
    context.fillStyle = colors.text;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "left";
    context.fillText(String(model.events[span.begin].name), from + 5, y + height / 2 + 0.5);
    context.restore();
  }
  return x2;
}

// ---- Tester ------------------------------------------------------------------------------------

function drawTester(frame) {
  const { app, context, colors, layout, model, first, last, xe, left, right } = frame;
  context.fillStyle = colors.line;
  context.fillRect(left, AXIS + TESTER - 4, right - left, 1);
  if (!app.filter.tester) return;
  for (const span of model.spans) {
    if (span.lane < 0) drawSpan(frame, span, AXIS + (span.row % 2) * 16, 14, true);
  }
  let skip = -Infinity;
  for (const i of model.testerMarks.slice(lowerBound(model.testerMarks, first))) {
    if (i > last) break;
    const x = xe(i);
    if (x - skip < 2) continue;
    skip = x;
    flag(context, x, AXIS + 14, colors.check);
  }
  drawOffers(frame);
}

function drawOffers(frame) {
  const { context, colors, layout, model, first, last, xe, app } = frame;
  const { offers } = model;
  const [from, to] = [lowerBound(offers, first), lastAtMost(offers, last)];
  const dense = to - from > 300;
  const top = AXIS + TESTER - 8;
  let [skip, room] = [-Infinity, -Infinity];
  for (let k = from; k <= to; k++) {
    const i = offers[k];
    const lane = model.lane[i];
    const x = xe(i);
    const event = model.events[i];
    const taken = event.index !== undefined;
    if (!taken && !app.filter.refusals) continue;
    if (lane < 0 || app.hidden.has(lane) || x - skip < 1) continue;
    skip = x;
    context.globalAlpha = dense ? 0.25 : 0.5;
    context.strokeStyle = taken ? colors.check : colors.dim;
    context.lineWidth = 1;
    context.setLineDash(taken ? [] : [2, 3]);
    context.beginPath();
    // What was refused led to nothing: a short mark at the server is enough.
    const edge = layout.y[lane] - BAND / 2 - 2;
    context.moveTo(x, taken || dense ? top : edge - 9);
    context.lineTo(x, dense ? top + 8 : edge);
    context.stroke();
    context.setLineDash([]);
    if (!dense && taken) {
      triangle(context, x, layout.y[lane] - BAND / 2 - 5, Math.PI / 2, 4, colors.check);
    }
    context.globalAlpha = 1;
    if (taken && x > room && to - from < 60) {
      const text = shortCommand(event.command);
      halo(frame, text, x + 3, top - 3, colors.check, "10px");
      room = x + context.measureText(text).width + 8;
    }
  }
}
