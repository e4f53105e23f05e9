// ---- One placer for all labels ------------------------------------------------------------------
//
// Whoever draws something says what should stand beside it, and where that could be. When all is
// drawn, the labels are placed by their worth, each at the first of its spots that is free. So no two
// of them lie on each other, whatever they belong to. A label that must be seen is moved further away
// if need be, with a line to what it names.

/** What a label is worth. */
const WORTH = { verdict: 9, guilty: 8, fact: 7, chain: 6, step: 5, role: 4, apply: 3, message: 2, note: 1 };

/**
 * Asks for a label. `spots` are the left ends of its middle line, in order of preference; `most` cuts
 * the text off in pixels. Options: `bold`, `size`, `box` (a filled box in this colour), `inside` (it may
 * stand on bands), `must` (it is moved about until it finds room), `at` (what it names).
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
  frame.labels.map((one, order) => ({ one, order }))
    .sort((a, b) => b.one.worth - a.one.worth || a.order - b.order)
    .forEach(({ one }) => placeLabel(frame, one));
  for (const { one, spot } of frame.placed) drawLabel(frame, one, spot);
  context.textAlign = "left";
}

function placeLabel(frame, one) {
  const { context } = frame;
  context.font = fontOf(one);
  one.text = fitText(context, one.text, one.most);
  if (one.text === "") return;
  const pad = one.box ? 4 : 1;
  const width = context.measureText(one.text).width + 2 * pad;
  const height = (one.size || 11) + (one.box ? 6 : 2);
  const spots = one.must ? withFurther(one.spots, width, frame) : one.spots;
  for (const [x, y] of spots) {
    const rect = { x: x - pad, y: y - height / 2, width, height };
    if (!isFree(frame, rect, one)) continue;
    frame.taken.push(rect);
    frame.placed.push({ one, spot: { ...rect, text: x, middle: y } });
    return;
  }
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
