// ---- Messages ----------------------------------------------------------------------------------

/** So many arrows can be told apart and drawn in a few milliseconds. */
const MOST_ARROWS = 1100;
const COLUMN = 3;

/** Classes of messages; the first ones say most about a run, so they are drawn one by one longest. */
const CLASSES = 7;

function classOf(one) {
  if (one.purpose === VOTE || one.purpose === SNAPSHOT) return 0;
  if (one.fate !== FINE) return 1;
  if (one.purpose === APPEND) return one.leg === REQUEST ? 2 : 4;
  if (one.purpose === OTHER) return 3;
  return one.leg === REQUEST ? 5 : 6;
}

function isShown(app, one) {
  if (app.hidden.has(one.from) || app.hidden.has(one.to)) return false;
  const { filter } = app;
  if (one.leg === REPLY && !filter.replies) return false;
  if ([DROPPED, CUT, GONE].includes(one.fate) && !filter.lost) return false;
  return [filter.votes, filter.appends, filter.heartbeats, filter.others, filter.snapshots][one.purpose];
}

function drawMessages(frame, faded) {
  const { app, model } = frame;
  frame.segments = [];
  frame.density = null;
  const counts = new Int32Array(CLASSES);
  eachMessage(model, frame.first, frame.last, (one) => {
    if (isShown(app, one)) counts[classOf(one)]++;
  });
  const single = [];
  let left = MOST_ARROWS;
  let [dense, bars] = [false, false];
  for (let c = 0; c < CLASSES; c++) {
    // Arrows of heartbeats among bars of appends would only hide what matters.
    single.push(counts[c] <= left && !(dense && c > 2));
    if (single[c]) left -= counts[c];
    dense = dense || c > 1 && !single[c];
    bars = bars || counts[c] > 0 && !single[c];
  }
  if (bars) drawDensity(frame, single, faded);
  const groups = new Map();
  eachMessage(model, frame.first, frame.last, (one, m) => {
    if (!isShown(app, one) || !single[classOf(one)]) return;
    const segment = segmentOf(frame, one, m);
    if (segment === null) return;
    frame.segments.push(segment);
    const past = faded && isPast(app, one);
    const key = `${one.purpose} ${one.leg} ${one.fate} ${past}`;
    if (!groups.has(key)) groups.set(key, { one, past, list: [] });
    groups.get(key).list.push(segment);
  });
  for (const { one, past, list } of groups.values()) {
    drawGroup(frame, one, list, !faded ? 1 : past ? 0.8 : 0.13);
  }
  frame.context.globalAlpha = 1;
  app.drawn = frame.segments.length;
}

/** Whether a message had arrived, or was lost, in the past of what is looked at. */
function isPast(app, one) {
  const { past, model } = app;
  if ([FINE, LATE, REFUSED].includes(one.fate)) return past[one.to] >= one.end;
  return past[one.from] >= one.start && model.place[one.start] >= 0;
}

/** Where a message is drawn: from the edge of one band to that of the other, or as far as it got. */
function segmentOf(frame, one, m) {
  const { layout, model, xe } = frame;
  const down = layout.y[one.to] > layout.y[one.from] ? 1 : -1;
  const y1 = layout.y[one.from] + down * (halfOf(model, one.from) + 1);
  const yEnd = layout.y[one.to] - down * (halfOf(model, one.to) + 1);
  const x1 = xe(one.start);
  let [x2, y2] = [one.end < 0 ? x1 : xe(one.end), yEnd];
  if (one.from === one.to) y2 = y1 - down * BAND;
  if (one.fate === DROPPED) {
    y2 = (y1 + yEnd) / 2;
    x2 = Math.max(x2, x1 + 5);
  } else if (one.fate === CUT || one.fate === OPEN || one.fate === GONE && one.start === one.end) {
    y2 = y1 + down * 13;
    x2 = x1 + 3;
  }
  return { x1, y1, x2, y2, m, one };
}

const WIDTHS = [1.9, 1.6, 1, 1.3, 3];

function drawGroup(frame, one, list, alpha) {
  const { context, colors, left, right } = frame;
  const color = one.fate === LATE ? colors.late : one.fate === REFUSED ? colors.refused
    : colors.purpose[one.purpose];
  const light = one.leg === REPLY ? 0.7 : 1;
  context.globalAlpha = alpha * light;
  context.strokeStyle = color;
  context.lineWidth = WIDTHS[one.purpose] * (one.leg === REPLY ? 0.65 : 1);
  context.setLineDash(one.fate === LATE ? [7, 3] : [DROPPED, GONE, OPEN].includes(one.fate) ? [3, 2] : []);
  context.beginPath();
  for (const s of list) {
    const [from, to] = clip(s, left - 40, right + 40);
    if (from > to) continue;
    context.moveTo(s.x1 + (s.x2 - s.x1) * from, s.y1 + (s.y2 - s.y1) * from);
    context.lineTo(s.x1 + (s.x2 - s.x1) * to, s.y1 + (s.y2 - s.y1) * to);
  }
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = alpha;
  drawEnds(frame, one, list, color);
}

/** The part of a line between two verticals: far beyond them a canvas is slow and inexact. */
function clip(s, left, right) {
  if (Math.abs(s.x2 - s.x1) < 1e-6) return s.x1 < left || s.x1 > right ? [1, 0] : [0, 1];
  const a = (left - s.x1) / (s.x2 - s.x1), b = (right - s.x1) / (s.x2 - s.x1);
  return [Math.max(0, Math.min(a, b)), Math.min(1, Math.max(a, b))];
}

/** The end tells what became of it: head, open head, diamond, cross or bar. */
function drawEnds(frame, one, list, color, small = list.length > 400 ? 4 : 6) {
  const { context, colors, left, right } = frame;
  for (const s of list) {
    if (s.x2 < left - 10 || s.x2 > right + 10) continue;
    const angle = Math.atan2(s.y2 - s.y1, s.x2 - s.x1);
    if (one.fate === DROPPED || one.fate === GONE) {
      cross(context, s.x2, s.y2, small * 0.7, colors.lost, 1.8);
    } else if (one.fate === CUT) {
      context.strokeStyle = colors.lost;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(s.x2 - 4, s.y2); context.lineTo(s.x2 + 4, s.y2);
      context.stroke();
    } else if (one.fate === REFUSED) {
      diamond(context, s.x2, s.y2 - Math.sign(s.y2 - s.y1) * 4, small * 0.75, color, colors.back);
    } else if (one.fate !== OPEN && one.leg === REQUEST) {
      const back = small * 0.5;
      triangle(context, s.x2 - Math.cos(angle) * back, s.y2 - Math.sin(angle) * back, angle, small, color);
    } else if (one.fate !== OPEN) {
      openHead(context, s.x2, s.y2, angle, small, color);
    }
  }
}

function diamond(context, x, y, size, color, inside) {
  context.strokeStyle = color;
  context.fillStyle = inside;
  context.lineWidth = 1.6;
  context.beginPath();
  context.moveTo(x, y - size); context.lineTo(x + size, y);
  context.lineTo(x, y + size); context.lineTo(x - size, y);
  context.closePath();
  context.fill();
  context.stroke();
}

function openHead(context, x, y, angle, size, color) {
  context.strokeStyle = color;
  context.lineWidth = size / 6 + 0.2;
  context.beginPath();
  for (const side of [-0.45, 0.45]) {
    context.moveTo(x - Math.cos(angle + side) * size, y - Math.sin(angle + side) * size);
    context.lineTo(x, y);
  }
  context.stroke();
}

/** What is written at messages: most of them if there are few, else those that matter. */
function labelMessages(frame, faded) {
  if (frame.density || frame.segments.length > 160) return;
  const { app, colors, model } = frame;
  const sorted = [...frame.segments].sort((a, b) => classOf(a.one) - classOf(b.one));
  for (const s of sorted) {
    const color = s.one.fate === LATE ? colors.late : s.one.fate === REFUSED ? colors.refused
      : colors.purpose[s.one.purpose];
    // What can have led to what is looked at comes first.
    const worth = WORTH.message + (faded && isPast(app, s.one) ? 0.5 : 0) - classOf(s.one) / 100;
    label(frame, worth, messageLabel(model, s.one), color, labelSpots(s));
  }
}

/** Points beside a message. Stubs have one such point. */
function labelSpots(s) {
  const shares = s.one.fate === CUT ? [1] : [0.3, 0.5, 0.15, 0.7, 0.85];
  return shares.map((share) => [s.x1 + (s.x2 - s.x1) * share + 4, s.y1 + (s.y2 - s.y1) * share]);
}

// ---- Too many to be drawn one by one -----------------------------------------------------------

/** The parts of a bar: one for each purpose, and one for what was lost. */
const PARTS = PURPOSES.length + 1;

/** Bars on each lane: how many messages it sent, by purpose, in each few pixels. */
function drawDensity(frame, single, faded) {
  const { app, context, colors, layout, model, left, xe } = frame;
  const columns = Math.ceil(layout.plot / COLUMN);
  const counts = new Uint16Array(model.lanes.length * columns * PARTS);
  const heights = new Uint16Array(model.lanes.length * columns);
  let most = 1;
  eachMessage(model, frame.first, frame.last, (one) => {
    if (!isShown(app, one) || single[classOf(one)]) return;
    const column = Math.floor((xe(one.start) - left) / COLUMN);
    if (column < 0 || column >= columns) return;
    const cell = one.from * columns + column;
    const lost = [DROPPED, CUT, GONE].includes(one.fate);
    counts[cell * PARTS + (lost ? PARTS - 1 : one.purpose)]++;
    most = Math.max(most, ++heights[cell]);
  });
  frame.density = { columns, counts, heights };
  const room = Math.min(34, layout.pitch / 2 - BAND / 2 - 2);
  const tints = [...colors.purpose, colors.lost];
  context.globalAlpha = faded ? 0.3 : 0.75;
  for (let part = 0; part < PARTS; part++) {
    context.fillStyle = tints[part];
    for (const lane of layout.shown) {
      const base = layout.y[lane] - halfOf(model, lane) - 1;
      for (let column = 0; column < columns; column++) {
        const cell = lane * columns + column;
        if (counts[cell * PARTS + part] === 0) continue;
        const scale = barHeight(heights[cell], most, room) / heights[cell];
        let below = 0;
        for (let p = 0; p < part; p++) below += counts[cell * PARTS + p];
        const height = counts[cell * PARTS + part] * scale;
        context.fillRect(left + column * COLUMN, base - below * scale - height, COLUMN - 0.5, height);
      }
    }
  }
  context.globalAlpha = 1;
}

/** By the root, since a single message beside a burst of hundreds must be seen too. */
function barHeight(count, most, room) {
  return Math.max(2, Math.sqrt(count / most) * room);
}

/** What the bar at a point of the diagram counts, or null. */
function densityAt(frame, x, y) {
  const { density, layout, left, model } = frame;
  if (!density || x < left) return null;
  const column = Math.floor((x - left) / COLUMN);
  for (const lane of layout.shown) {
    const base = layout.y[lane] - halfOf(model, lane);
    if (y > base || y < base - 36 || column >= density.columns) continue;
    const cell = lane * density.columns + column;
    if (density.heights[cell] === 0) return null;
    const parts = Array.from(density.counts.subarray(cell * PARTS, (cell + 1) * PARTS));
    return { lane, total: density.heights[cell], parts };
  }
  return null;
}
