// What the reader does.

function goTo(id) {
  const of = operations[id];
  if (view.object !== null && view.object !== of.object) selectObject(of.object);
  view.chosen = id;
  view.pointed = null;
  const middle = column((of.call + Math.min(of.shownEnd, of.call + 20)) / 2);
  scroll.scrollLeft = middle - (scroll.clientWidth - NAMES) / 2;
  const top = y(rowOf.get(of.client));
  if (top < scroll.scrollTop + HEAD || top + ROW > scroll.scrollTop + scroll.clientHeight) {
    scroll.scrollTop = top - scroll.clientHeight / 2;
  }
  tell();
  redraw();
}

function selectObject(object) {
  choose(object);
  byElement('object').value = object === null ? 'all' : String(object);
  redraw();
}

function setScale(scale, keep) {
  const middle = keep ?? (scroll.scrollLeft + (scroll.clientWidth - NAMES) / 2);
  const ratio = Math.min(mostScale(), Math.max(.02, scale)) / view.scale;
  view.scale *= ratio;
  draw();
  scroll.scrollLeft = middle * ratio - (scroll.clientWidth - NAMES) / 2;
  redraw();
}

function showAll() {
  setScale((scroll.clientWidth - NAMES - 60) / Math.max(1, events.length));
}

function find(text) {
  const wanted = text.toLowerCase();
  const found = wanted === '' ? [] : shown.filter((of) => of.text.toLowerCase().includes(wanted));
  view.found = new Set(found.map((of) => of.id));
  byElement('found').textContent = wanted === '' ? '' : found.length + ' found';
  redraw();
  return found;
}

// The next operation of this client, or the one of the next client that was called last.
function neighbour(id, key) {
  const of = operations[id];
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const own = shown.filter((other) => other.client === of.client);
    return own[own.findIndex((other) => other.id === id) + (key === 'ArrowRight' ? 1 : -1)];
  }
  const row = rows[rowOf.get(of.client) + (key === 'ArrowDown' ? 1 : -1)];
  if (!row || row.client === undefined) return undefined;
  const theirs = shown.filter((other) => other.client === row.client);
  return theirs.findLast((other) => other.call <= of.call) ?? theirs[0];
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches('input, select');
  if (event.key === 'Escape') {
    view.chosen = view.pointed = null;
    tell();
    redraw();
  } else if (typing) {
    return;
  } else if (event.key.startsWith('Arrow') && document.activeElement === scroll) {
    const next = view.chosen === null ? shown[0] : neighbour(view.chosen, event.key);
    if (next) goTo(next.id);
    event.preventDefault();
  } else if (event.key === '+') { setScale(view.scale * 1.4);
  } else if (event.key === '-') { setScale(view.scale / 1.4);
  } else if (event.key === '0') { showAll();
  } else if (event.key === 'v' && data.culprit !== null) { goTo(data.culprit);
  } else if (event.key === '/') { byElement('find').focus(); event.preventDefault(); }
}

function point(event) {
  const bar = event.target.closest('[data-operation]');
  const id = bar ? Number(bar.dataset.operation) : null;
  if (id === view.pointed) return;
  view.pointed = id;
  tell();
  redraw();
}

function start() {
  const select = byElement('object');
  select.append(new Option('all', 'all'));
  data.objects.forEach((object, number) => select.append(new Option(object, String(number))));
  select.parentElement.hidden = data.objects.length < 2;
  select.addEventListener('change', () => selectObject(select.value === 'all' ? null : Number(select.value)));
  byElement('axis').addEventListener('change', (event) => { view.axis = event.target.value; redraw(); if (view.chosen !== null) goTo(view.chosen); });
  byElement('in').addEventListener('click', () => setScale(view.scale * 1.4));
  byElement('out').addEventListener('click', () => setScale(view.scale / 1.4));
  byElement('all').addEventListener('click', showAll);
  byElement('jump').hidden = data.culprit === null;
  byElement('jump').addEventListener('click', () => goTo(data.culprit));
  byElement('find').addEventListener('input', (event) => find(event.target.value));
  byElement('find').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    const found = find(event.target.value);
    const next = found.find((of) => of.call > (operations[view.chosen]?.call ?? -1)) ?? found[0];
    if (next) goTo(next.id);
  });
  scroll.addEventListener('scroll', redraw);
  scroll.addEventListener('wheel', (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setScale(view.scale * Math.exp(-event.deltaY / 300));
  }, { passive: false });
  chart.addEventListener('mousemove', point);
  chart.addEventListener('mouseleave', () => { view.pointed = null; tell(); redraw(); });
  document.addEventListener('click', (event) => {
    const link = event.target.closest('[data-operation]');
    if (!link) return;
    if (chart.contains(link)) { view.chosen = Number(link.dataset.operation); tell(); redraw(); } else { goTo(Number(link.dataset.operation)); }
  });
  document.addEventListener('keydown', onKey);
  addEventListener('resize', redraw);
  choose(data.culprit === null ? null : operations[data.culprit].object);
  byElement('object').value = view.object === null ? 'all' : String(view.object);
  draw();
  // A link to the page may name an operation: #12.
  const linked = Number(location.hash.slice(1) || NaN);
  if (linked in operations) goTo(linked); else if (data.culprit !== null) goTo(data.culprit); else tell();
}

start();
