// What was used and what it cost, by day, model, account, session, client or device; to look at and to take away.

import { h } from './dom.js';
import { wantKept } from './api.js';
import { askForKey } from './start.js';
import { count, money, percent, shortModel, shortSession } from './format.js';
import { bar, choice, empty, field, panel, table, tabs } from './parts.js';
import { accounts, changed, nameOf, now, state } from './store.js';

const view = { by: 'day', days: '30', account: '' };
const BY = [['day', 'Day'], ['week', 'Week'], ['month', 'Month'], ['model', 'Model'], ['account', 'Account'], ['client', 'Client'], ['session', 'Session'], ['device', 'Device']];
const SPAN = [['1', '24 hours'], ['7', '7 days'], ['30', '30 days'], ['90', '90 days'], ['', 'everything']];

const tokens = (u) => u.tokens_in + u.tokens_out + u.cache_read + u.cache_write;

// Without a ledger: what the accounts have counted since the server's start.
function sinceStart() {
  return accounts().map((a) => ({ key: a.id, ...a.total }));
}

function listed() {
  const since = view.days ? Math.floor(now() / 300) * 300 - Number(view.days) * 86400 : null;
  const query = new URLSearchParams({ by: view.by, limit: '500' });
  if (since) query.set('since', String(since));
  if (view.account) query.set('account', view.account);
  const told = wantKept(`/admin/usage?${query}`, 30);
  const kept = told.data?.usage || told.data?.lines || null;
  return { told, list: kept || (state.config.ledger && state.you.admin ? [] : sinceStart()), kept: !!kept };
}

const label = (u, by) => {
  if (u.name) return u.name;
  if (by === 'account') return nameOf(u.key);
  if (by === 'model') return shortModel(u.key);
  if (by === 'session') return shortSession(u.session || u.key);
  return u.key || { client: 'no key', device: 'this server' }[by] || '–';
};

export function usageScreen() {
  const { told, list, kept } = listed();
  const by = kept ? view.by : 'account';
  const sum = (pick) => list.reduce((all, u) => all + (pick(u) || 0), 0);
  if (!['day', 'week', 'month'].includes(by)) list.sort((a, b) => tokens(b) - tokens(a));
  const total = sum(tokens);
  const most = Math.max(...list.map(tokens), 1);
  const sent = sum((u) => u.tokens_in + u.cache_read + u.cache_write);
  const heads = [[BY.find(([k]) => k === by)[1], 'left'], ['', 'grow'], ['Tokens', 'num'], ['In', 'num'], ['Out', 'num'], ['Cached', 'num'], ['Written', 'num'], ['Requests', 'num'], ['Failed', 'num'], ['Cost', 'num']];
  const rows = list.map((u) => ({ key: `u ${u.key}`, cells: [label(u, by), bar(tokens(u) / most, '', null, `${label(u, by)}: ${percent(total ? tokens(u) / total : 0)} of all tokens`), h('b', null, count(tokens(u))), count(u.tokens_in), count(u.tokens_out), count(u.cache_read), count(u.cache_write), count(u.requests), u.failed ? h('span', { class: 'bad-text' }, count(u.failed)) : '0', u.cost_usd ? `${money(u.cost_usd)}${u.unpriced ? '+' : ''}` : '–'] }));
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' }, h('h1', null, `${count(total)} tokens`), h('p', null, h('span', null, h('b', null, count(sum((u) => u.requests))), ' requests'), h('span', null, h('b', null, sent ? percent(sum((u) => u.cache_read) / sent) : '–'), ' of what was sent came from the cache'), h('span', null, h('b', null, money(sum((u) => u.cost_usd))), ' by list prices'), sum((u) => u.unpriced) ? h('span', null, h('b', null, count(sum((u) => u.unpriced))), ' without a known price') : null)),
    kept || state.config.ledger ? null : h('p', { class: 'notice' }, h('b', null, 'Since the start only.'), ' The ledger is off, so days, models and sessions are not kept.'),
    state.config.ledger && !state.you.admin ? h('p', { class: 'notice' }, h('button', { onclick: askForKey }, 'Sign in'), ' to see days, models, clients and sessions.') : null,
    told.error ? h('p', { class: 'notice warn' }, told.error.message) : null,
    h('div', { class: 'tools' }, kept ? [tabs('By', view.by, BY, (to) => { view.by = to; changed(); }), choice('Time', view.days, SPAN, (to) => { view.days = to; changed(); }), choice('Account', view.account, [['', 'all'], ...accounts().map((a) => [a.id, a.name])], (to) => { view.account = to; changed(); })] : null,
      field('', h('span', { class: 'buttons' }, h('button', { onclick: () => save(list, by, 'csv') }, 'CSV'), h('button', { onclick: () => save(list, by, 'json') }, 'JSON')))),
    told.loading && !list.length ? empty('Asking the ledger') : panel('Use', kept ? null : 'by account, since the server started', table('Use', heads, rows, 'Nothing was used in this time.')));
}

const COLUMNS = ['requests', 'failed', 'tokens_in', 'tokens_out', 'cache_read', 'cache_write', 'cost_usd', 'unpriced'];

function save(list, by, format) {
  const quoted = (v) => (/[",\n]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v ?? ''));
  const text = format === 'json' ? JSON.stringify(list.map((u) => ({ ...u, name: label(u, by) })), null, 1)
    : [[by, 'name', ...COLUMNS].join(','), ...list.map((u) => [quoted(u.key), quoted(label(u, by)), ...COLUMNS.map((c) => quoted(u[c]))].join(','))].join('\n');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: format === 'json' ? 'application/json' : 'text/csv' }));
  link.download = `maxpool-usage-by-${by}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

