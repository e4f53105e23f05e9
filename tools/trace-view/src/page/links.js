// ---- Who reaches whom --------------------------------------------------------------------------
//
// A server can be cut off from all others, which its own lane tells. The rest is told by the tester: it splits a
// group into parts, cuts the way from one server to another, and cuts a server off from another group.

/** What is said of a split: whose it is, and the numbers of the servers in each part; null if nothing is. */
function splitOf({ topic, text }) {
  const said = topic === "partition" ? /^(?:group (.+?): )?([\d, |]*)$/.exec(text) : null;
  if (said === null) return null;
  const numbers = (part) => part.split(",").map((number) => number.trim()).filter((number) => number !== "");
  return { group: said[1] || "", parts: said[2].split("|").map(numbers) };
}

/** What is said of a server and another group; null if nothing is. */
function crossingOf(model, { topic, text }) {
  const said = topic === "crossing" ? /^(.+) (is cut off from|reaches) group (.+)$/.exec(text) : null;
  return said && { lane: model.lanes.indexOf(said[1]), group: said[3], cut: said[2] !== "reaches" };
}

const numberInGroup = (model, lane) => (/(\d+)$/.exec(model.lanes[lane]) || [])[1];

/** When groups were split, and when ways were cut: each with its first event and the one behind its last. */
function indexLinks(model) {
  model.splits = [];
  model.oneWays = [];
  model.crossings = [];
  const parts = new Map();
  for (let i = 0; i < model.count; i++) {
    const event = model.events[i];
    const lane = model.lane[i];
    if (model.kind[i] === K.note && lane < 0) {
      const [split, crossing] = [splitOf(event), crossingOf(model, event)];
      if (split) {
        parts.set(split.group, split.parts);
        splitAt(model, i, split.group, split.parts);
      }
      if (crossing) cutAt(model.crossings, i, crossing);
    } else if (model.kind[i] === K.one_way) {
      cutAt(model.oneWays, i, { lane, to: event.to, cut: event.cut });
    } else if (model.kind[i] === K.connected && lane >= 0 && lane < model.servers) {
      comesBack(model, i, lane, parts.get(model.groupOf[lane]));
    }
  }
  for (const one of [...model.splits, ...model.oneWays, ...model.crossings]) if (one.end < 0) one.end = model.count;
}

/** From an event on, a group is split like this, if it is at all. */
function splitAt(model, i, group, parts) {
  const before = model.splits.filter((one) => one.group === group).pop();
  if (before && before.end < 0) before.end = i;
  const some = parts.filter((part) => part.length > 0);
  if (some.length < 2) return;
  const partOf = new Map(parts.flatMap((part, k) => part.map((number) => [number, k])));
  const text = `${group === "" ? "" : `group ${group} `}split: ${some.map((part) => part.join(", ")).join(" | ")}`;
  model.splits.push({ begin: i, end: -1, group, partOf, text });
}

/** Who is connected comes to the first part. */
function comesBack(model, i, lane, parts) {
  const number = numberInGroup(model, lane);
  if (parts === undefined || parts[0].includes(number)) return;
  parts.forEach((part, k) => { parts[k] = part.filter((other) => other !== number); });
  parts[0].push(number);
  splitAt(model, i, model.groupOf[lane], parts);
}

/** A way is cut from an event on, or whole again. */
function cutAt(list, i, { cut, ...way }) {
  const is = (one) => Object.keys(way).every((name) => one[name] === way[name]);
  const before = list.filter(is).pop();
  const open = before !== undefined && before.end < 0;
  if (cut && !open) list.push({ ...way, begin: i, end: -1 });
  if (!cut && open) before.end = i;
}

/** When nothing that the one sends reaches the other: pairs of events, merged. */
function linkDowns(model, from, to) {
  const all = [];
  for (const lane of [from, to]) {
    if (lane >= 0 && lane < model.servers) {
      all.push(...model.states[lane].cuts, ...model.states[lane].downs);
    }
  }
  all.push(...waysCut(model, from, to).map((one) => [one.begin, one.end]));
  all.sort((one, two) => one[0] - two[0]);
  const merged = [];
  for (const [begin, end] of all) {
    const last = merged[merged.length - 1];
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end); else merged.push([begin, end]);
  }
  return merged;
}

/** What is between two servers. */
function waysCut(model, from, to) {
  if (Math.min(from, to) < 0 || Math.max(from, to) >= model.servers) return [];
  const [group, other] = [from, to].map((lane) => model.groupOf[lane]);
  const [number, peer] = [from, to].map((lane) => numberInGroup(model, lane));
  const apart = ({ group: of, partOf }) => of === group && group === other && partOf.has(number) && partOf.has(peer) &&
    partOf.get(number) !== partOf.get(peer);
  const crosses = (one) => one.lane === from && one.group === other || one.lane === to && one.group === group;
  return [...model.splits.filter(apart), ...model.oneWays.filter((one) => one.lane === from && one.to === to),
    ...model.crossings.filter(crosses)];
}
