// ---- One placer for all labels ------------------------------------------------------------------
//
// Whoever draws something says what should stand beside it, and where that could be. When all is
// drawn, the labels are placed by their worth, each at the first of its spots that is free. So no two
// of them lie on each other, whatever they belong to. A label that must be seen is moved further away
// if need be, with a line to what it names; and if the whole view is full, it is counted by a last one.

/** What a label is worth. */
const WORTH = { verdict: 9, guilty: 8, fact: 7, chain: 6, step: 5, role: 4, apply: 3, message: 2, note: 1 };

/**
 * Asks for a label. `spots` are the left ends of its middle line, in order of preference; `most` cuts
 * the text off in pixels. Options: `bold`, `size`, `box` (a filled box in this colour), `inside` (it may
 * stand on bands), `must` (it is moved about until it finds room, or counted), `at` (what it names).
 */
function label(frame, worth, text, color, spots, options = {}) {
  frame.labels.push({ worth, text: String(text), color, spots, ...options });
}

/** Keeps labels away from a place. */
function reserve(frame, x, y, width, height) {
  frame.taken.push({ x, y, width, height });
}

function fontOf({ bold, size = 11 }) {
  return `${bold ? "bold " : ""}${size}px system-ui, sans-serif`;
}

function placeLabels(frame) {
  const { context, layout } = frame;
  frame.placed = [];
  frame.bands = layout.shown.map((lane) => ({ x: frame.left, width: layout.plot,
    y: layout.y[lane] - topOf(frame.app, lane) - 1, height: topOf(frame.app, lane) + halfOf(frame.model, lane) + 2 }));
  const sorted = frame.labels.map((one, order) => ({ one, order }))
    .sort((a, b) => b.one.worth - a.one.worth || a.order - b.order).map(({ one }) => one);
  placeNeeded(frame, sorted.filter((one) => one.must));
  sorted.filter((one) => !one.must).forEach((one) => placeLabel(frame, one, one.spots));
  for (const { one, spot } of frame.placed) drawLabel(frame, one, spot);
  context.textAlign = "left";
}

/** Places what must be seen. If that is more than there is room for, the rest is one label. */
function placeNeeded(frame, needed) {
  const { left, right, colors, layout } = frame;
  const taken = [...frame.taken];
  if (needed.every((one) => placeNeededLabel(frame, one))) return;
  // Once more, with room for how many are missing: in the corner, whatever badges there are.
  const fold = { worth: WORTH.step, text: `+${needed.length} more`, color: colors.back, box: colors.bad, bold: true };
  const size = sizeOf(frame, fold);
  const corner = { x: Math.max(left, right - size.width - 1), y: layout.height - size.height - 1, ...size };
  frame.taken = [...taken, corner];
  frame.placed = [];
  let at = 0;
  // They are sorted by their worth: what comes behind the first one that has no room is worth no more.
  while (at < needed.length && placeNeededLabel(frame, needed[at])) at++;
  // Moved away from the corner, they may leave more room to each other.
  if (at === needed.length) {
    frame.taken.splice(frame.taken.indexOf(corner), 1);
    return;
  }
  fold.text = `+${needed.length - at} more`;
  put(frame, fold, corner);
}

/** False if there is no room in the whole view. */
function placeNeededLabel(frame, one) {
  if (placeLabel(frame, one, withFurther(one.spots, sizeOf(frame, one).width, frame))) return true;
  if (one.text === "") return true;
  const rect = anyRoom(frame, one);
  if (rect === null) return false;
  frame.taken.push(rect);
  put(frame, one, rect);
  return true;
}

/** Places a label at the first of some spots that is free; false if none is. */
function placeLabel(frame, one, spots) {
  const { width, height } = sizeOf(frame, one);
  if (one.text === "") return false;
  const pad = padOf(one);
  for (const [x, y] of spots) {
    const rect = { x: x - pad, y: y - height / 2, width, height };
    if (!isFree(frame, rect, one)) continue;
    frame.taken.push(rect);
    put(frame, one, rect);
    return true;
  }
  return false;
}

const padOf = (one) => (one.box ? 4 : 1);

/** How large a label is, whose text is cut off if need be. */
function sizeOf(frame, one) {
  frame.context.font = fontOf(one);
  one.text = fitText(frame.context, one.text, one.most);
  const width = frame.context.measureText(one.text).width + 2 * padOf(one);
  return { width, height: (one.size || 11) + (one.box ? 6 : 2) };
}

function put(frame, one, rect) {
  frame.placed.push({ one, spot: { ...rect, text: rect.x + padOf(one), middle: rect.y + rect.height / 2 } });
}

/** The free place that is nearest in height to where a label should be, also on bands; null if there is none. */
function anyRoom(frame, one) {
  const { left, right, layout, taken } = frame;
  // In whole pixels, so that no rounding makes neighbours touch.
  const { height, width: exact } = sizeOf(frame, one);
  const width = Math.ceil(exact);
  const [[wishedX, middle]] = one.spots;
  const wishedY = middle - height / 2;
  const rows = [];
  for (let y = 0; y + height <= layout.height; y++) rows.push(y);
  rows.sort((a, b) => Math.abs(a - wishedY) - Math.abs(b - wishedY));
  for (const y of rows) {
    const inRow = taken.filter((other) => y < other.y + other.height && other.y < y + height);
    inRow.sort((a, b) => a.x - b.x);
    let best = null;
    let from = left;
    for (const { x, width: length } of [...inRow, { x: right, width: 0 }]) {
      const to = Math.floor(x);
      if (to - from >= width) {
        const at = Math.max(from, Math.min(to - width, Math.round(wishedX) - padOf(one)));
        if (best === null || Math.abs(at - wishedX) < Math.abs(best - wishedX)) best = at;
      }
      from = Math.max(from, Math.ceil(x + length));
    }
    if (best !== null) return { x: best, y, width, height };
  }
  return null;
}

function isFree(frame, rect, one) {
  const { left, right, layout } = frame;
  if (rect.x < left || rect.x + rect.width > right || rect.y < 0 || rect.y + rect.height > layout.height) return false;
  if (!one.inside && frame.bands.some((band) => touch(rect, band))) return false;
  return !frame.taken.some((other) => touch(rect, other));
}

const touch = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width &&
  a.y < b.y + b.height && b.y < a.y + a.height;

/** The spots, and others around them, further and further away. */
function withFurther(spots, width, frame) {
  const all = [...spots];
  for (let away = 14; away < frame.layout.height; away += 12) {
    for (const [x, y] of spots) {
      for (const shift of [0, -width / 2, -width - 8, width / 3]) {
        all.push([x + shift, y - away], [x + shift, y + away]);
      }
    }
  }
  // Near the edge of the view there is room on one side only.
  return all.map(([x, y]) => [Math.max(frame.left + 5, Math.min(frame.right - width - 1, x)), y]);
}

/** A text as far as it fits into so many pixels; nothing if only a letter or two would be left. */
function fitText(context, text, most = Infinity) {
  if (context.measureText(text).width <= most) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(text.slice(0, middle) + "…").width <= most) low = middle; else high = middle - 1;
  }
  return low < 3 ? "" : text.slice(0, low).trimEnd() + "…";
}

function drawLabel(frame, one, spot) {
  const { context, colors } = frame;
  if (one.at) drawLeader(frame, one, spot);
  if (one.box) {
    context.fillStyle = one.box;
    context.fillRect(spot.x, spot.y, spot.width, spot.height);
  }
  context.font = fontOf(one);
  context.textAlign = "left";
  if (!one.box && !one.inside) {
    // So that it can be read on anything.
    context.lineWidth = 3;
    context.strokeStyle = colors.back;
    context.strokeText(one.text, spot.text, spot.middle + 0.5);
  }
  context.fillStyle = one.color;
  context.fillText(one.text, spot.text, spot.middle + 0.5);
}

/** A line from a label to what it names, if that is not right beside it. */
function drawLeader(frame, { at: [x, y], box, color }, spot) {
  const { context } = frame;
  const nearX = Math.max(spot.x, Math.min(spot.x + spot.width, x));
  const nearY = y < spot.y ? spot.y : y > spot.y + spot.height ? spot.y + spot.height : spot.middle;
  if (Math.hypot(nearX - x, nearY - y) < 9) return;
  context.strokeStyle = box || color;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(nearX, nearY);
  context.stroke();
}
