// The chart. Only what can be seen is drawn, so it does not matter how long a history is.

const [NAMES, HEAD, ROW, BAR] = [120, 24, 34, 22];
const scroll = byElement('scroll');
const chart = byElement('chart');
const SVG = 'http:' + '//www.w3.org/2000/svg';

function add(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  chart.append(element);
  return element;
}

const span = () => Math.max(1, times[LAST - 1] - times[0]);
const width = () => events.length * view.scale + 40;

// From a place, which may lie between two events, to a column of the whole chart.
function column(place) {
  const before = Math.min(Math.floor(place), LAST);
  if (view.axis === 'place') return (ranks[before] + (place - before) * (ranks[before + 1] - ranks[before])) * view.scale;
  const [from, to] = [times[before] ?? 0, times[before + 1] ?? times[LAST - 1] ?? 0];
  const time = from + (to - from) * (place - before);
  return (time - times[0]) / span() * events.length * view.scale;
}

// From a place to where it is drawn now.
const x = (place) => NAMES + column(place) - scroll.scrollLeft;
const y = (row) => HEAD + row * ROW;

function cut(text, room) {
  const most = Math.floor((room - 10) / 7.3);
  if (most < 2) return '';
  return text.length <= most ? text : text.slice(0, most - 1) + '…';
}

function classOf(of, inOrder) {
  const classes = ['bar'];
  if (inOrder) classes.push(inOrder.has(of.id) ? 'in' : 'out');
  if (of.end === null) classes.push('pending');
  if (core.has(of.id)) classes.push('core');
  if (of.id === data.culprit) classes.push('culprit');
  if (view.found.has(of.id)) classes.push('found');
  if (of.id === view.chosen) classes.push('chosen');
  return classes.join(' ');
}

function drawAxis(visible) {
  for (let row = 0; row < rows.length; row += 2) {
    add('rect', { class: 'stripe', x: 0, y: y(row), width: visible, height: ROW });
  }
  const step = view.axis === 'place' ? Math.max(1, Math.ceil(90 / view.scale)) : 1;
  let last = -Infinity;
  for (let number = 0; number < events.length; number += step) {
    const at = x(events[number]);
    if (at > visible) break;
    if (at < NAMES - 1 || at - last < 80) continue;
    last = at;
    add('line', { class: 'rule', x1: at, x2: at, y1: HEAD, y2: y(rows.length) });
    add('text', { class: 'tick', x: at + 3, y: HEAD / 2 }, String(times[events[number]]));
  }
}

function drawNotes(visible) {
  for (const [lane, from, to, text] of data.notes) {
    const at = Math.max(NAMES, x(placeOfTime(Number(from))));
    const end = Math.max(at + 6, to === null ? 0 : x(placeOfTime(Number(to))));
    if (at > visible || end <= NAMES + 6 && to !== null) continue;
    const top = y(rowOf.get(lane));
    add('rect', { class: 'band', x: at, y: top, width: end - at, height: y(rows.length) - top });
    add('rect', { class: 'note', x: at, y: top + 6, width: end - at, height: BAR, rx: 3 });
    const title = document.createElementNS(SVG, 'title');
    title.textContent = text;
    chart.lastChild.append(title);
    add('text', { x: at + 5, y: top + 6 + BAR / 2 }, cut(text, to === null ? 160 : end - at));
  }
}

function drawBars(visible, inOrder) {
  for (const of of shown) {
    const from = x(of.call);
    const to = Math.max(from + 5, x(of.shownEnd));
    if (from > visible) { if (view.axis === 'place') break; else continue; }
    if (to < NAMES) continue;
    const top = y(rowOf.get(of.client)) + (ROW - BAR) / 2;
    const left = Math.max(from, NAMES);
    add('rect', { class: classOf(of, inOrder), x: from, y: top, width: to - from, height: BAR, rx: of.end === null ? 0 : 4, 'data-operation': of.id });
    add('text', { x: left + 5, y: top + BAR / 2 }, cut(of.text, Math.min(to, visible) - left));
  }
}

function drawOrder(visible, placed) {
  const at = (point) => [x(point.place), y(rowOf.get(operations[point.id].client)) + ROW / 2];
  const near = placed.filter((point) => {
    const place = x(point.place);
    return place > NAMES - 300 && place < visible + 300;
  });
  add('polyline', { class: 'way', points: near.map((point) => at(point).join(',')).join(' ') });
  for (const point of near) {
    const [left, middle] = at(point);
    if (left < NAMES || left > visible) continue;
    const half = 4 + 3.2 * String(point.number).length;
    add('line', { class: 'point', x1: left, x2: left, y1: middle - BAR / 2, y2: middle + BAR / 2 });
    add('rect', { class: 'number', x: left - half, y: middle - ROW / 2 - 1, width: 2 * half, height: 13, rx: 6 });
    add('text', { x: left, y: middle - ROW / 2 + 6 }, String(point.number));
  }
}

function drawNames() {
  add('rect', { class: 'names', x: 0, y: 0, width: NAMES - 4, height: y(rows.length) });
  add('text', { class: 'tick', x: 6, y: HEAD / 2 }, 'time');
  rows.forEach((row, number) => add('text', { x: 6, y: y(number) + ROW / 2 }, cut(row.name, NAMES)));
  add('line', { class: 'rule', x1: NAMES - 4, x2: NAMES - 4, y1: 0, y2: y(rows.length) });
}

function draw() {
  const visible = scroll.clientWidth;
  byElement('wide').style.width = NAMES + width() + 'px';
  chart.setAttribute('width', visible);
  chart.setAttribute('height', y(rows.length) + 4);
  chart.replaceChildren();
  const order = orderOf(operations[view.pointed ?? view.chosen]);
  const placed = order === null ? null : points(order);
  drawAxis(visible);
  drawNotes(visible);
  drawBars(visible, placed && new Set(placed.map((point) => point.id)));
  if (placed?.length && operations[placed[0].id].object === (view.object ?? operations[placed[0].id].object)) drawOrder(visible, placed);
  drawNames();
}

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}
