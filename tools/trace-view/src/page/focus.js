// ---- What is looked at -------------------------------------------------------------------------

function drawFocus(frame, i) {
  const { app, context, colors, layout, model, xe, left, right } = frame;
  const m = model.messageOf[i];
  context.fillStyle = colors.back;
  context.globalAlpha = 0.6;
  // All of a lane up to here happened before; behind it nothing can have mattered.
  for (const lane of layout.shown) {
    const x = Math.max(left, app.past[lane] < 0 ? left : xe(app.past[lane]) + 1);
    const half = isClient(model, lane) ? BAR + 3 : BAND / 2 + 20;
    context.fillRect(x, layout.y[lane] - half, right - x, half * 2);
  }
  context.globalAlpha = 1;
  for (const lane of layout.shown) frontierMark(frame, lane);
  if (m >= 0) drawLink(frame, model.messages[m]);
  const chain = chainOf(model, i);
  drawChain(frame, chain);
  if (m >= 0) {
    const one = model.messages[m];
    if (layout.y[one.from] >= 0 && layout.y[one.to] >= 0) bold(frame, segmentOf(frame, one, m));
  }
  const [x, y] = spotOf(frame, i);
  if (y < 0) return;
  ring(context, x, y, 8, colors.text, 2.5);
  ring(context, x, y, 11, colors.back, 1.5);
  labelChain(frame, chain);
}

/** As many causes are named in the diagram; the panel has all of them. */
const MOST_NAMED = 6;

/** The selected event and what led to it, in words. The two ends of a message are named once. */
function labelChain(frame, chain) {
  const { colors, layout, model, left, right } = frame;
  const named = new Set();
  const seen = chain.filter((i) => {
    const key = model.messageOf[i] >= 0 ? `m${model.messageOf[i]}` : i;
    const isNew = !named.has(key);
    named.add(key);
    return isNew;
  });
  seen.slice(0, MOST_NAMED).forEach((i, step) => {
    const [x, y] = middleOf(frame, i);
    if (y < 0 || x < left || x > right) return;
    const guilty = step === 0 && i === model.guilty;
    const text = (step === 0 ? "" : `${step === 1 ? "because" : "before that"}: `) + plainEvent(model, i);
    const spots = [[x + 10, y], [x - 10 - measure(frame, text), y], [x + 10, y - 14], [x + 10, y + 14]];
    label(frame, step === 0 ? WORTH.guilty : WORTH.chain - step / 10, text, guilty ? colors.back : colors.text, spots,
      { bold: true, must: true, at: [x, y], box: guilty ? colors.bad : step === 0 ? colors.line : undefined,
        most: layout.narrow ? 230 : 420 });
  });
}

/** Where the words about an event belong: at the middle of a message. */
function middleOf(frame, i) {
  const m = frame.model.messageOf[i];
  if (m < 0) return spotOf(frame, i);
  const one = frame.model.messages[m];
  if (frame.layout.y[one.from] < 0 || frame.layout.y[one.to] < 0) return spotOf(frame, i);
  const s = segmentOf(frame, one, m);
  return [(s.x1 + s.x2) / 2, (s.y1 + s.y2) / 2];
}

function frontierMark(frame, lane) {
  const { app, context, colors, layout, model, xe, left, right } = frame;
  const x = app.past[lane] < 0 ? -1 : xe(app.past[lane]);
  if (x < left || x > right) return;
  context.fillStyle = colors.text;
  context.globalAlpha = 0.5;
  const half = halfOf(model, lane) + 5;
  context.fillRect(x, layout.y[lane] - half, 1.5, 2 * half);
  context.globalAlpha = 1;
}

function ring(context, x, y, radius, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
}

/** The point of an event. */
function spotOf(frame, i) {
  const { layout, model, xe } = frame;
  const lane = model.place[i];
  if (lane < 0) return [xe(i), AXIS + 7];
  const y = layout.y[lane];
  const m = model.messageOf[i];
  if (m < 0 || y < 0) return [xe(i), y];
  const s = segmentOf(frame, model.messages[m], m);
  if (i === s.one.start) return [s.x1, s.y1];
  return i === s.one.end ? [s.x2, s.y2] : [xe(i), y];
}

/** The chain of causes: along lanes and along messages. */
function drawChain(frame, chain) {
  const { context, colors, model, left, right } = frame;
  context.lineCap = "round";
  for (let k = 0; k + 1 < chain.length; k++) {
    const [to, from] = [chain[k], chain[k + 1]];
    const [x2, y2] = spotOf(frame, to);
    const [x1, y1] = spotOf(frame, from);
    if (y1 < 0 || y2 < 0) continue;
    const [a, b] = clip({ x1, x2 }, left - 20, right + 20);
    if (a > b) continue;
    context.strokeStyle = colors.text;
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(x1 + (x2 - x1) * a, y1 + (y2 - y1) * a);
    context.lineTo(x1 + (x2 - x1) * b, y1 + (y2 - y1) * b);
    context.stroke();
  }
  context.lineCap = "butt";
  for (const i of chain.slice(1)) {
    const [x, y] = spotOf(frame, i);
    if (y < 0 || x < left || x > right) continue;
    context.fillStyle = colors.text;
    context.beginPath();
    context.arc(x, y, 3.5, 0, 7);
    context.fill();
  }
}

function bold(frame, s) {
  const { context, colors, left, right } = frame;
  const [a, b] = clip(s, left - 20, right + 20);
  if (a > b) return;
  context.strokeStyle = colors.purpose[s.one.purpose];
  context.lineWidth = 3.5;
  context.beginPath();
  context.moveTo(s.x1 + (s.x2 - s.x1) * a, s.y1 + (s.y2 - s.y1) * a);
  context.lineTo(s.x1 + (s.x2 - s.x1) * b, s.y1 + (s.y2 - s.y1) * b);
  context.stroke();
  drawEnds(frame, s.one, [s], colors.purpose[s.one.purpose], 10);
}

/** When the sender of a message could reach its receiver: a strip along both of their lanes. */
function drawLink(frame, one) {
  const { context, colors, layout, model, xe, left, right, patterns } = frame;
  const downs = linkDowns(model, one.from, one.to);
  for (const [lane, other] of [[one.from, one.to], [one.to, one.from]]) {
    if (layout.y[lane] < 0) continue;
    const side = layout.y[other] > layout.y[lane] ? 1 : -1;
    const y = layout.y[lane] + side * (halfOf(model, lane) + 5) - 2.5;
    context.fillStyle = colors.leader;
    context.fillRect(left, y + 1.5, right - left, 2);
    for (const [from, to] of downs) {
      const [x1, x2] = [Math.max(left, xe(from)), Math.min(right, xe(to))];
      if (x2 <= x1) continue;
      context.fillStyle = colors.back;
      context.fillRect(x1, y, x2 - x1, 5);
      context.fillStyle = patterns.cut;
      context.fillRect(x1, y, x2 - x1, 5);
      context.strokeStyle = colors.cut;
      context.lineWidth = 1;
      context.strokeRect(x1, y, x2 - x1, 5);
    }
    label(frame, WORTH.note, `link ${laneShort(model, one.from)}→${laneShort(model, one.to)}`, colors.dim,
      [[left + 4, y + side * 9 + 2]]);
  }
}
