// The page: ask gw for its state each second -> remember rates for plots -> fill tables, whose rows keep their places.
// What comes from gw is only ever set as text. What is told to screen readers by itself is whether all is well, and what a
// search found.

import { History, draw, highest, round, slide, small, span } from './plot.js';

const every = 1000; // milliseconds between two questions
const few = 10000; // entries up to which the MAC tables are shown without being asked for

const byId = id => document.getElementById(id);
const histories = { packets: new History(), bits: new History() };
let state = null; // what gw said last
let unit = 'packets';
let paused = false;
let searches = 0;

// Texts.

function put(element, text) {
  text = String(text);
  if (element.textContent !== text) element.textContent = text;
}

// si is a number with three digits and a prefix.
function si(n) {
  if (n === undefined || n === null) return '–';
  if (n < 9.95 && n % 1 !== 0) return n < 0.05 ? '0' : n.toFixed(1);
  for (const prefix of ['', ' k', ' M', ' G']) {
    if (n < 999.5) return (prefix === '' || n >= 99.95 ? n.toFixed(0) : n < 9.995 ? n.toFixed(2) : n.toFixed(1)) + prefix;
    n /= 1000;
  }
  return n.toFixed(0) + ' T';
}

const whole = n => Number(n).toLocaleString('en');
const many = (n, one, more = one + 's') => `${whole(n)} ${n === 1 ? one : more}`;

function time(seconds) {
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']].map(([size, name], i, all) =>
    [Math.floor((i ? seconds % all[i - 1][0] : seconds) / size), name]);
  const from = Math.max(parts.findIndex(([n]) => n > 0), 0);
  return parts.slice(from, from + 2).map(([n, name]) => `${n} ${name}`).join(' ');
}

// rate is that of a row in the unit chosen.
const rate = (row, direction) => row.rates?.[direction + (unit === 'bits' ? '_bits' : '_packets')];

const unitName = () => unit === 'bits' ? 'bit/s' : 'packets/s';

// said is a plot in words.
const said = points => `At most ${si(highest(points, ['tx']))} ${unitName()} sent and ${si(highest(points, ['rx']))} received in two minutes`;

// Cells: each makes a function that fills a cell for a row.

const number = value => (cell, row) => {
  cell.className = 'number';
  put(cell, value(row) ?? '–');
};

// lines are a text with a softer one below it, either of which may be empty.
const lines = (main, sub = () => '') => (cell, row) => {
  if (!cell.firstChild) cell.append(document.createElement('span'), Object.assign(document.createElement('span'), { className: 'sub' }));
  put(cell.firstChild, main(row));
  put(cell.lastChild, sub(row));
};

// badge is a state in words, with a sign in front so that colour is not all there is.
const badge = (word, why) => (cell, row) => {
  const kind = { direct: 'ok', up: 'ok', idle: 'calm', resolving: 'calm' }[word(row)] ?? 'bad';
  lines(word, why)(cell, row);
  const name = `badge ${kind}`;
  if (cell.firstChild.className !== name) cell.firstChild.className = name;
};

// plot shows the last minutes of a series; what it says in words is its label.
const plot = key => (cell, row) => {
  const svg = cell.firstChild ?? cell.appendChild(small('spark', 40));
  const points = histories[unit].get(key(row));
  draw(svg, points, state.uptime, Math.max(highest(points), 1));
  svg.setAttribute('aria-label', said(points));
};

// load is a plot of one thing, from its lower end up.
const load = key => (cell, row) => {
  const svg = cell.firstChild ?? cell.appendChild(small('spark load', 40));
  const points = histories.packets.get(key(row)), most = highest(points, ['tx']);
  draw(svg, points, state.uptime, Math.max(most, 1), ['tx']);
  svg.setAttribute('aria-label', `At most ${si(most)} frames/s in two minutes`);
};

// search is a link that searches the MAC tables.
const search = (text, words) => (cell, row) => {
  cell.className = 'number';
  let link = cell.firstChild;
  if (!link) cell.append(link = document.createElement('a'));
  put(link, text(row));
  const address = '?' + new URLSearchParams(words(row)) + '#fdb';
  if (link.getAttribute('href') !== address) {
    link.href = address;
    link.dataset.search = JSON.stringify(words(row));
    link.setAttribute('aria-label', `${text(row)} MAC addresses of VNI ${words(row).vni}: list them`);
  }
};

const sent = number(row => si(rate(row, 'tx')));
const received = number(row => si(rate(row, 'rx')));
const dropped = number(row => si(row.rates?.dropped));

const where = row => {
  const places = row.where.map(p => `${p.direction === 'rx' ? 'from' : 'to'} ${p.interface}` + (row.where.length > 1 ? ` ${whole(p.packets)}` : ''));
  return places.join(', ') + (row.elsewhere ? `, and ${row.elsewhere} more` : '');
};

const tables = {
  vnis: [row => row.vni, lines(row => row.vni, row => row.name), plot(row => `vni ${row.vni}`), sent, received, dropped,
    search(row => whole(row.fdb), row => ({ vni: row.vni })),
    lines(row => [row.group && `group ${row.group}`, row.remotes && many(row.remotes, 'remote'), row.ports && many(row.ports, 'port')].filter(Boolean).join(', ') || 'nobody')],
  remotes: [row => row.remote, lines(row => row.remote, row => row.configured ? 'configured' : 'spoke first'), badge(row => row.state, row => row.reason ?? ''),
    plot(row => `remote ${row.remote}`), sent, received, lines(row => row.nexthop ?? '–', row => row.mac ?? ''), number(row => row.mtu)],
  drops: [row => row.reason, lines(row => row.reason, row => row.sentence), number(row => si(row.rate)), number(row => whole(row.frames + row.copies)), lines(where)],
  losses: [row => `${row.event} ${row.interface} ${row.queue}`, lines(row => row.event, row => row.sentence), number(row => si(row.rate)), number(row => whole(row.count)),
    lines(row => row.interface ?? '', row => row.queue === undefined ? '' : `queue ${row.queue}`)],
  interfaces: [row => `${row.interface} ${row.vni}`, lines(row => row.interface, row => row.role + (row.vni ? ` of VNI ${row.vni}` : row.vlans ? `, ${many(row.vlans, 'VLAN')}` : '')),
    badge(row => row.state, row => row.reason ?? ''), plot(row => `interface ${row.interface} ${row.vni}`), sent, received, dropped,
    lines(row => [row.mode, row.xdp].filter(Boolean).join(', '), row => [row.driver, row.queue_count && many(row.queue_count, 'queue')].filter(Boolean).join(', ')), number(row => row.mtu || '–')],
  workers: [row => row.id, lines(row => row.id, row => row.cpu < 0 ? '' : `CPU ${row.cpu}`), load(row => `worker ${row.id}`), number(row => si(row.frames)), number(row => si(row.rounds)),
    number(row => row.rounds ? (row.frames / row.rounds).toFixed(1) : '–'), number(row => si(row.sleeps))],
  fdb: [(row, i) => i, lines(row => row.mac, row => row.mac === '00:00:00:00:00:00' ? 'flooded frames' : ''), number(row => row.src_vni ?? row.vni), lines(behind),
    lines(row => [row.state || 'learned', row.flags.includes('extern_learn') && 'external', row.frozen && 'frozen'].filter(Boolean).join(', ')), number(row => row.age)],
};

function behind(row) {
  if (!row.dst) return row.ifname + (row.vlan ? `, VLAN ${row.vlan}` : '');
  return row.dst + (row.port ? ` port ${row.port}` : '') + (row.src_vni ? ` VNI ${row.vni}` : '');
}

// fill makes the rows of a table be those, and leaves rows that were there in the document, with focus and selection.
function fill(name, rows) {
  const [key, ...cells] = tables[name];
  const body = byId(name + '-table').tBodies[0];
  const old = new Map([...body.rows].map(row => [row.dataset.key, row]));
  rows.forEach((row, i) => {
    const id = String(key(row, i));
    let line = old.get(id);
    old.delete(id);
    if (!line) {
      line = document.createElement('tr');
      line.dataset.key = id;
      line.append(...cells.map((_, i) => Object.assign(document.createElement(i ? 'td' : 'th'), i ? {} : { scope: 'row' })));
    }
    if (body.rows[i] !== line) body.insertBefore(line, body.rows[i] ?? null);
    cells.forEach((cell, i) => cell(line.cells[i], row));
  });
  for (const line of old.values()) line.remove();
}

function more(name, text) {
  byId(name + '-more').hidden = !text;
  put(byId(name + '-more'), text);
}

// What gw says.

function remember(s) {
  if (!s.interval) return;
  const add = (key, row) => {
    if (!row.rates) return;
    histories.packets.add(key, s.uptime, row.rates.tx_packets, row.rates.rx_packets);
    histories.bits.add(key, s.uptime, row.rates.tx_bits, row.rates.rx_bits);
  };
  add('total', s.total);
  for (const row of s.vnis.rows) add(`vni ${row.vni}`, row);
  for (const row of s.remotes.rows) add(`remote ${row.remote}`, row);
  for (const row of s.interfaces.rows) add(`interface ${row.interface} ${row.vni}`, row);
  for (const row of s.workers.rows) if (row.frames !== undefined) histories.packets.add(`worker ${row.id}`, s.uptime, row.frames, 0);
  for (const history of Object.values(histories)) history.forget(s.uptime - span);
}

function feel(kind, text) {
  byId('health').className = 'health ' + kind;
  put(byId('health'), text);
}

function health(s) {
  const n = s.problems.rows.length + s.problems.more;
  const under = s.interfaces.rows.find(row => row.role === 'underlay'), name = under?.interface;
  if (!s.ready) feel('bad', 'gw is stopping');
  else if (under && under.state !== 'up') feel('bad', `The underlay is down: ${many(n, 'problem')}`);
  else if (n) feel('warn', `Running, with ${many(n, 'problem')}`);
  else feel('ok', 'Frames flow, no problems');
  put(document.querySelector('h1'), name ? `gw on ${name}` : 'gw');
  document.title = (n ? `(${n}) ` : '') + (name ? `gw on ${name}` : 'gw');
  put(byId('about'), [`version ${s.version}`, (s.local ?? []).map(a => `${a.includes(':') ? `[${a}]` : a}:${s.dstport}`).join(' '),
    under && [under.mode, under.xdp].filter(Boolean).join(', '), `up ${time(s.uptime)}`].filter(Boolean).join(' · '));
  list('problems', s.problems, 'trouble');
  list('notes-list', s.notes, 'notes');
  more('problems', s.problems.more ? `and ${whole(s.problems.more)} more (gw status lists all)` : '');
}

function list(id, { rows }, around) {
  byId(around).hidden = rows.length === 0;
  const element = byId(id);
  rows.forEach((text, i) => put(element.children[i] ?? element.appendChild(document.createElement('li')), text));
  while (element.children.length > rows.length) element.lastChild.remove();
}

function traffic(s, moved) {
  put(byId('total-tx'), si(rate(s.total, 'tx')));
  put(byId('total-rx'), si(rate(s.total, 'rx')));
  put(byId('total-drops'), s.interval ? si(s.drop_rate) : '–');
  put(byId('total-dropped'), `${whole(s.dropped)} since the start`);
  put(byId('fdb-entries'), whole(s.fdb.entries));
  put(byId('fdb-moves'), `${whole(s.fdb.moves)} moved, ${whole(s.fdb.aged)} aged out, ${whole(s.fdb.refused)} refused`);
  put(byId('memory-free'), s.memory.frames ? `${Math.round(100 * s.memory.free / s.memory.frames)} %` : '–');
  put(byId('memory-frames'), `of ${whole(s.memory.frames)} frames of ${whole(s.memory.frame_size)} bytes`);

  const points = histories[unit].get('total');
  const top = round(highest(points)), svg = byId('plot');
  draw(svg, points, s.uptime, top);
  if (moved) slide(svg, s.interval);
  for (const end of ['high', 'low']) put(byId('mark-' + end), `${si(top).replace(/\.0+/, '')} ${unitName()}`);
  svg.setAttribute('aria-label', said(points));
}

function show(s, moved) {
  health(s);
  traffic(s, moved);
  for (const name of ['vnis', 'remotes', 'interfaces', 'workers', 'losses']) fill(name, s[name].rows);
  fill('drops', s.drops);
  const less = (name, none = '') => more(name, s[name].more ? `and ${whole(s[name].more)} more with less traffic (gw stats -j has them)` : s[name].rows.length ? '' : none);
  less('vnis', 'There is no VNI.');
  less('remotes', 'No other VTEP is known yet.');
  less('interfaces');
  less('workers');
  less('losses');
  byId('losses').hidden = s.losses.rows.length === 0;
  more('drops', s.drops.length ? '' : 'gw dropped nothing.');
  for (const element of document.querySelectorAll('.unit')) put(element, unitName());
}

async function ask() {
  try {
    if (!paused && !document.hidden) take(await get());
  } finally {
    setTimeout(ask, every);
  }
}

// get is what gw says, or null if it does not.
async function get() {
  try {
    const answer = await fetch('state', { signal: AbortSignal.timeout(5 * every) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function take(s) {
  if (!s) {
    feel('bad', 'gw does not answer: what you see is old');
    return;
  }
  if (state && (s.pid !== state.pid || s.uptime < state.uptime)) Object.values(histories).forEach(h => h.clear()); // it is another one
  const moved = s.uptime !== state?.uptime;
  state = s;
  if (moved) remember(s);
  show(s, moved && s.interval > 0);
  if (!searches && (location.search || s.fdb.entries <= few)) find();
}

// Searches.

async function find() {
  const mine = ++searches;
  const words = new URLSearchParams([...new FormData(byId('search'))].filter(([, text]) => text.trim()));
  let result;
  try {
    result = await (await fetch('fdb?' + words)).json();
  } catch {
    result = { error: 'gw does not answer' };
  }
  if (mine !== searches) return; // somebody looks for something else by now
  const { entries = [], more = 0, error } = result;
  fill('fdb', entries);
  byId('fdb-scroll').hidden = entries.length === 0;
  put(byId('found'), error ? `${error}.` : more ? `${many(entries.length + more, 'entry', 'entries')}, of which these are the first ${entries.length}; ${whole(more)} more are not shown.`
    : entries.length ? `${many(entries.length, 'entry', 'entries')}.` : 'No entry.');
}

// enter puts words into the form, and into the address so that the search can be shown to somebody else.
function enter(words) {
  for (const input of byId('search').querySelectorAll('input')) input.value = words[input.name] ?? '';
  const filled = Object.fromEntries(Object.entries(words).filter(([, text]) => text));
  history.replaceState(null, '', '?' + new URLSearchParams(filled) + '#fdb');
}

byId('search').addEventListener('submit', event => {
  event.preventDefault();
  enter(Object.fromEntries(new FormData(event.target)));
  find();
});

document.addEventListener('click', event => {
  const link = event.target.closest('a[data-search]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  enter(JSON.parse(link.dataset.search));
  find();
  byId('fdb').scrollIntoView();
  byId('mac').focus({ preventScroll: true });
});

byId('unit').addEventListener('change', event => {
  unit = event.target.value;
  if (state) show(state, false);
});

byId('pause').addEventListener('click', event => {
  paused = !paused;
  event.target.setAttribute('aria-pressed', paused);
});

document.documentElement.classList.add('live');
for (const [name, text] of new URLSearchParams(location.search)) {
  const input = byId('search').elements.namedItem(name);
  if (input instanceof HTMLInputElement) input.value = text;
}
ask();
