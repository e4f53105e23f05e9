// What is known of one operation, in words.

const panel = byElement('panel');

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function facts(of) {
  const list = element('dl');
  const pairs = [
    ['client', of.client], ['called', of.callTime], ['returned', of.end === null ? 'never' : of.endTime],
    ['object', data.objects[of.object]],
  ];
  for (const [name, value] of pairs) {
    if (value !== '()') list.append(element('dt', name), element('dd', String(value)));
  }
  return list;
}

function standing(of) {
  if (of.id === data.culprit) return 'When it returned it was certain: no order has it and all that returned before.';
  if (core.has(of.id)) return 'It cannot be ordered with the others that are marked like it.';
  return null;
}

// How many operations of an order are listed before and after the one in question, or its end.
const AROUND = 60;

function step([id, state, text], number, here) {
  const item = element('li', undefined, id === here ? 'here' : '');
  item.value = number + 1;
  const link = element('button', 'client ' + operations[id].client + ': ' + (text ?? operations[id].text), 'link');
  link.dataset.operation = id;
  item.append(link);
  if (state !== '') item.append(element('div', 'now ' + state, 'state'));
  return item;
}

function orderList(of) {
  const order = data.orders[orderOf(of)];
  const found = order.findIndex(([id]) => id === of.id);
  const here = found < 0 ? order.length - 1 : found;
  const [from, to] = [Math.max(0, here - AROUND), Math.min(order.length, here + AROUND + 1)];
  const list = element('ol');
  list.append(...order.slice(from, to).map((placed, number) => step(placed, from + number, of.id)));
  const parts = [list];
  if (from > 0) parts.unshift(element('p', from + ' more before', 'dim'));
  if (to < order.length) parts.push(element('p', order.length - to + ' more after', 'dim'));
  return parts;
}

function tell() {
  const of = operations[view.pointed ?? view.chosen];
  if (of === undefined) {
    panel.replaceChildren(element('p', 'Point at an operation.', 'dim'));
    return;
  }
  const parts = [element('h2', of.text), facts(of)];
  const words = standing(of);
  if (words) parts.push(element('p', words, 'mark'));
  const order = orderOf(of);
  if (order !== null) {
    const kind = data.culprit === null ? 'The order' : of.order === null ? 'No order contains it. The longest without it' : 'The longest order with it';
    parts.push(element('h3', kind + ': ' + data.orders[order].length + ' operations'), ...orderList(of));
  } else if (data.culprit !== null) {
    parts.push(element('h3', 'It is in no order that was looked for'));
  }
  panel.replaceChildren(...parts);
}
