'use strict';

// What the page holds, as objects, and which part of it is shown.

const data = JSON.parse(document.getElementById('data').textContent);
const operations = data.operations.map(([client, object, call, end, callTime, endTime, order, text], id) => (
  { id, client, object, call, end, callTime: Number(callTime), endTime: endTime === null ? null : Number(endTime), order, text }));
const core = new Set(data.core);
const byElement = (id) => document.getElementById(id);

// The times of all events, by their places.
const times = [];
for (const of of operations) {
  times[of.call] = of.callTime;
  if (of.end !== null) times[of.end] = of.endTime;
}
// Where the chart ends: one step after the last event.
const LAST = times.length;

// Where something of this time stands among the events: before all that happened later.
function placeOfTime(time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1; else high = middle;
  }
  return low;
}

// What never returned is drawn up to its client's next call.
const nextCalls = new Map();
for (const of of [...operations].sort((one, other) => other.call - one.call)) {
  of.shownEnd = of.end ?? nextCalls.get(of.client) ?? LAST;
  nextCalls.set(of.client, of.call);
}

// Where in time each operation of an order takes place: as early as the order allows. Several that do
// so between two events share the step between them.
const pointsOf = new Map();
function points(order) {
  if (!pointsOf.has(order)) {
    const placed = data.orders[order].map(([id]) => id);
    let moment = 0;
    const moments = placed.map((id) => (moment = Math.max(moment, operations[id].call)));
    const counts = new Map();
    for (const of of moments) counts.set(of, (counts.get(of) ?? 0) + 1);
    const used = new Map();
    pointsOf.set(order, placed.map((id, number) => {
      const of = moments[number];
      used.set(of, (used.get(of) ?? 0) + 1);
      return { id, number: number + 1, place: of + used.get(of) / (counts.get(of) + 1) };
    }));
  }
  return pointsOf.get(order);
}

// The order that belongs to an operation: the longest with it, or else the longest of all.
function orderOf(of) {
  if (of === undefined || data.orders.length === 0) return null;
  return of.order ?? (core.has(of.id) ? 0 : null);
}

// How far apart events may be drawn, in pixels. Browsers draw nothing as wide as it is told to be from 17 millions of them on:
// behind that nobody could scroll.
const WIDEST = 15e6;
const mostScale = () => Math.min(200, WIDEST / Math.max(1, events.length));

// What is shown. `chosen` was clicked at, `pointed` is under the pointer.
const view = { object: null, axis: 'place', scale: 40, chosen: null, pointed: null, found: new Set() };

// The rows: lanes of notes, then clients with something to show. And the places of all events shown,
// with, for each place, how many of them are before it.
let shown, rows, rowOf, events, ranks;
function choose(object) {
  view.object = object;
  shown = operations.filter((of) => object === null || of.object === object);
  shown.sort((one, other) => one.call - other.call);
  events = shown.flatMap((of) => of.end === null ? [of.call] : [of.call, of.end]).sort((one, other) => one - other);
  ranks = new Array(LAST + 2).fill(0);
  for (const place of events) ranks[place + 1] = 1;
  for (let place = 1; place < ranks.length; place++) ranks[place] += ranks[place - 1];
  const lanes = [...new Set(data.notes.map(([lane]) => lane))];
  const clients = [...new Set(shown.map((of) => of.client))].sort((one, other) => one - other);
  rows = [...lanes.map((lane) => ({ name: lane, lane })), ...clients.map((client) => ({ name: 'client ' + client, client }))];
  rowOf = new Map(rows.map((row, number) => [row.lane ?? row.client, number]));
  view.scale = Math.min(view.scale, mostScale());
}
