// The first screen: how much is left, until when, on which account, and what runs now.

import { h } from './dom.js';
import { burnChart } from './chart.js';
import { NBSP, clock, count, duration, many, milliseconds, percent, planName, shortModel, shortSession, when, windowName, words } from './format.js';
import { badge, bar, empty, facts, heat, elapsed, panel, quota, stateOf, table, tabs, verdictOf, why } from './parts.js';
import { account, accounts, changed, nameOf, now, state } from './store.js';
import { act } from './api.js';

const MANY = 12; // more accounts than that are rows, unless somebody wants cards
const view = { look: null, find: '', sort: 'given' };
try { view.look = localStorage.getItem('maxpool.look'); } catch { /* storage may be forbidden */ }

export function poolScreen() {
  const s = state.summary;
  const [first, ...rest] = s.verdict.split(', ');
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' },
      h('h1', null, first),
      h('p', null, rest.map((part, i) => h('span', { key: String(i) }, strong(part))), h('span', { key: 'rate' }, h('b', null, rate()), ' requests/min'))),
    notices(),
    h('div', { class: 'meters' }, meter('5h', '5-hour capacity'), meter('7d', 'Weekly capacity'), tally()),
    accountList(),
    h('div', { class: 'pair' }, burnChart(), resets()),
    waiting(),
    live());
}

const strong = (text) => {
  const found = /^(\d+\s?%|\d[\d:]*)(.*)$/.exec(text);
  return found ? [h('b', null, found[1].replace(' ', NBSP)), found[2]] : text;
};

function rate() {
  const from = now() - 60;
  let n = 0;
  for (const one of state.requests.values()) if (one.at > from) n += 1;
  return count(n);
}

export function notices() {
  const told = [];
  const { config, throttle, summary } = state;
  if (config.error) told.push(['bad', 'The config file is wrong; the old one stays.', config.error]);
  for (const text of config.notices || []) told.push(['warn', text, '']);
  if (summary.paused) told.push(['warn', 'Paused by hand: no request is sent until somebody resumes.', '']);
  for (const p of throttle.open) told.push(['warn', `The upstream asked to pause (${p.scope}).`, `${p.until > now() ? `For ${duration(p.until - now())} more.` : 'A trial is on its way.'}`]);
  if (!told.length) return null;
  return h('div', { class: 'notices' }, told.map(([kind, text, more]) => h('p', { key: text, class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : undefined }, h('b', null, text), more ? ` ${more}` : '')));
}

function meter(name, title) {
  const free = state.summary.headroom[name];
  const burn = state.summary.burn[name];
  const left = burn.empty_at ? burn.empty_at - now() : null;
  const relief = burn.next_relief_at ? burn.next_relief_at - now() : null;
  let told = 'Not known yet: no plan has told its numbers.';
  if (free !== null) {
    told = !state.summary.accounts_ready ? 'Nobody can use it now: no account is ready.' : free <= 0.001 ? 'Used up.' : left !== null && left > 0 ? ['Empty in ', h('b', null, duration(left)), `, ${when(burn.empty_at, now())}, if it goes on like this.`]
      : burn.per_hour > 0.0005 ? 'Lasts beyond the next resets at this pace.' : 'Nothing burns it now.';
  }
  const kind = free === null ? 'off' : free <= 0.02 || !state.summary.accounts_ready ? 'bad' : left !== null && left > 0 ? 'warn' : '';
  return h('section', { class: 'meter', 'aria-label': title },
    h('header', null, h('h2', null, title), h('b', { class: 'big' }, percent(free), h('small', null, ' free'))),
    bar(free, `free ${kind}`, null, `${title}: ${percent(free)} free`),
    h('p', { class: 'note' }, told, relief !== null && relief > 0 ? [' Next relief in ', h('b', null, duration(relief)), '.'] : null));
}

function tally() {
  const { summary: s, harm, totals, sessions } = state;
  const errors = Object.values(harm.client_errors || {}).reduce((a, b) => a + b, 0);
  return h('section', { class: 'meter tally', 'aria-label': 'Since the start' }, facts([
    ['in flight', count(s.requests_in_flight)],
    ['waiting', count(s.queued), s.queued ? 'warn-text' : ''],
    ['sessions', count(sessions.bound)],
    ['requests', count(totals.requests)],
    ['failovers nobody saw', count(totals.failovers)],
    ['errors clients saw', count(errors), errors ? 'bad-text' : ''],
  ]));
}

// -- accounts -------------------------------------------------------------------------------------

const RANK = { ready: 3, busy: 3, home: 3, cooling: 1, draining: 1, benched: 1, locked_out: 0, closed: 0, disabled: 4 };
const used = (a, name) => a.windows.find((w) => w.window === name)?.utilization ?? -1;
const SORTS = {
  given: () => 0,
  attention: (a, b) => (RANK[a.state] ?? 2) - (RANK[b.state] ?? 2) || used(b, '7d') - used(a, '7d'),
  week: (a, b) => used(b, '7d') - used(a, '7d'),
  load: (a, b) => b.in_flight - a.in_flight || b.last_hour.requests - a.last_hour.requests,
  name: (a, b) => a.name.localeCompare(b.name),
};

function accountList() {
  const all = accounts();
  const look = view.look || (all.length > MANY ? 'rows' : 'cards');
  const wanted = view.find.toLowerCase();
  const shown = all.filter((a) => !wanted || `${a.name} ${a.kind} ${a.plan} ${a.provider} ${a.state}`.toLowerCase().includes(wanted)).sort(SORTS[view.sort]);
  const tools = all.length > 4 ? h('div', { class: 'tools' },
    h('input', { type: 'search', placeholder: 'Find an account', 'aria-label': 'Find an account', value: view.find, oninput: (e) => { view.find = e.target.value; changed(); } }),
    h('select', { 'aria-label': 'Sort accounts', value: view.sort, onchange: (e) => { view.sort = e.target.value; changed(); } },
      [['given', 'as configured'], ['attention', 'in need first'], ['week', 'by week used'], ['load', 'by load'], ['name', 'by name']].map(([k, t]) => h('option', { key: k, value: k }, t))),
    tabs('Look', look, [['cards', 'Cards'], ['rows', 'Rows']], (to) => { view.look = to; try { localStorage.setItem('maxpool.look', to); } catch { /* as above */ } changed(); }),
    shown.length < all.length ? h('span', { class: 'note' }, `${shown.length} of ${all.length}`) : null) : null;
  const inside = look === 'rows' ? h('div', { class: 'rows', key: 'rows' }, rowHeads(), shown.map(row)) : h('div', { class: `cards ${shown.length < 3 ? 'few' : ''}`, key: 'cards' }, shown.map(card));
  return h('section', { class: 'accounts', 'aria-label': 'Accounts' }, tools, shown.length ? inside : empty('No account is called like that.'));
}

function card(a) {
  const { why: reason } = stateOf(a);
  return h('a', { class: `card ${a.state}`, key: a.id, href: `#/account/${encodeURIComponent(a.id)}`, 'aria-label': `${a.name}, ${words(a.state)}` },
    h('header', null, h('h3', null, a.name), h('span', { class: 'plan' }, planName(a)),
      state.summary.preferred === a.id ? h('span', { class: 'plan accent' }, 'preferred') : null, badge(a, true)),
    reason && a.state !== 'ready' ? h('p', { class: 'why' }, reason) : null,
    a.windows.length ? a.windows.slice(0, 3).map((w) => quota(w, a.name)) : keyLines(a),
    h('footer', null,
      h('span', null, h('b', null, String(a.in_flight)), ' in flight'),
      h('span', null, h('b', null, count(a.sessions)), a.sessions === 1 ? ' session' : ' sessions'),
      h('span', null, h('b', null, count(a.last_hour.requests)), ' this hour'),
      a.last_hour.failed ? h('span', { class: 'bad-text' }, h('b', null, count(a.last_hour.failed)), ' failed') : null));
}

function keyLines(a) {
  const lines = (a.buckets || []).filter((b) => b.limit && b.remaining !== null).slice(0, 3).map((b) => h('div', { class: 'quota', key: b.name },
    h('span', { class: 'length wide' }, words(b.name)), bar(1 - b.remaining / b.limit, '', null, `${words(b.name)} used`), h('b', { class: 'share' }, `${count(b.remaining)}`), h('span', { class: 'under' }, h('span', null, `of ${count(b.limit)} left`))));
  if (lines.length) return lines;
  if (a.kind === 'subscription' || a.kind === 'oauth') return h('p', { class: 'paid' }, 'Its windows show with its first answer.');
  const hour = a.last_hour;
  return h('div', { class: 'paid' }, h('b', null, hour.cost_usd ? `$${hour.cost_usd.toFixed(2)}` : count(hour.tokens_in + hour.tokens_out + hour.cache_read + hour.cache_write)),
    h('span', null, hour.cost_usd ? ' spent this hour' : ' tokens this hour'));
}

const rowHeads = () => h('div', { class: 'line heads', key: 'heads', 'aria-hidden': 'true' }, ['Account', 'State', '5 hours', 'Week'].map((t) => h('span', { key: t }, t)), ['Next reset', 'Runs', 'Hour'].map((t) => h('span', { key: t, class: 'num' }, t)));

function row(a) {
  const five = a.windows.find((w) => w.window === '5h');
  const week = a.windows.find((w) => w.window === '7d');
  const slim = (w, title) => h('span', { class: 'slim' }, w ? [bar(w.utilization, heat(w), elapsed(w), `${a.name}, ${title}: ${percent(w.utilization)} used`), h('b', null, percent(w.utilization))] : h('span', { class: 'note' }, '–'));
  const next = Math.min(...a.windows.map((w) => w.reset_at || Infinity));
  return h('a', { class: 'line', key: a.id, href: `#/account/${encodeURIComponent(a.id)}`, 'aria-label': `${a.name}, ${words(a.state)}` },
    h('span', { class: 'name' }, h('b', null, a.name), h('small', null, planName(a))), badge(a), slim(five, '5 h'), slim(week, '7 d'),
    h('span', { class: 'num' }, next < Infinity && next > now() ? duration(next - now()) : '–'),
    h('span', { class: 'num' }, String(a.in_flight)), h('span', { class: 'num' }, count(a.last_hour.requests)));
}

// -- what comes and what runs -----------------------------------------------------------------------

function resets() {
  const list = state.summary.next_resets.filter((r) => r.at > now()).slice(0, 8);
  return panel('Next resets', null, list.length ? h('ul', { class: 'resets' }, list.map((r) => h('li', { key: `${r.account} ${r.window}` },
    h('span', null, r.account, ' ', h('small', null, windowName(r.window))), h('b', { title: clock(r.at) }, duration(r.at - now()))))) : empty('No window is open.'));
}

function waiting() {
  if (!state.queue.length) return null;
  return panel('Waiting', `${many(state.queue.length, 'request')} in the queue`, table('Waiting requests', [['#', 'num'], ['Model', ''], ['Waiting', 'num'], ['Because of', ''], ['Expected', 'num']],
    state.queue.slice(0, 20).map((q) => ({ key: `q ${q.position}`, cells: [String(q.position), shortModel(q.class), duration(now() - q.since), words(q.cause), q.expected_at ? `in ${duration(q.expected_at - now())}` : '–'] }))));
}

export function latest(limit, only = () => true) {
  return [...state.requests.values()].filter(only).sort((a, b) => b.at - a.at).slice(0, limit);
}

function live() {
  const rows = latest(12).map((r) => {
    const end = verdictOf(r);
    return { key: r.id, kind: end.kind, cells: [clock(r.at, true), shortModel(r.model), account(r.account) ? h('a', { href: `#/account/${encodeURIComponent(r.account)}` }, nameOf(r.account)) : '–', why(r), shortSession(r.session),
      r.tries > 1 ? `${r.tries} tries` : '', milliseconds(((r.ended_at ?? now()) - r.at) * 1000), h('span', { class: `status ${end.kind}` }, end.text)] };
  });
  return panel('Now', 'in flight and just finished', table('Latest requests', [['Time', 'num left'], ['Model', ''], ['Account', ''], ['Why there', ''], ['Session', 'mono'], ['', ''], ['Took', 'num'], ['Status', 'num']], rows, 'No request since the start. Point a client at this address: maxpool env'));
}

export const refresh = () => act('/admin/probes', {}, 'Every account that can be asked was asked.');
