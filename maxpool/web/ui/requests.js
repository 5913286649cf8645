// The latest requests, and for each of them who stood for choice at what cost.

import { h } from './dom.js';
import { want, wantKept } from './api.js';
import { askForKey } from './start.js';
import { latest } from './pool.js';
import { count, milliseconds, moment, money, shortModel, shortSession, words } from './format.js';
import { choice, empty, field, panel, table, verdictOf, why } from './parts.js';
import { accounts, changed, nameOf, now, state } from './store.js';

const view = { open: null, account: '', model: '', status: '', source: 'live' };

const SHOWN = 100;
const OK = { '': () => true, ok: (r) => r.status >= 200 && r.status < 400, failed: (r) => r.status >= 400, running: (r) => r.status === null, gone: (r) => r.status === 0, moved: (r) => !!r.rebind, retried: (r) => (r.count ?? r.tries) > 1 };

function fromDecisions(d) {
  const last = d.tries.at(-1) || {};
  return { id: d.request_id, at: d.at, model: d.model, session: d.session, client: d.client_key, program: d.program, status: d.status, ended_at: d.ended_at, tries: d.tries.length, account: last.account_id, name: last.account, rebind: last.rebind, terms: last.cost, outcome: last.outcome, refusal: d.refusal?.reason, waited_s: d.waited_s };
}

function fromLedger(r) {
  return { id: r.request_id, at: r.at, model: r.model, session: r.session, client: r.client, program: r.program, status: r.status, ended_at: r.at, took_ms: r.total_ms, tries: r.attempts, account: r.account_id ?? r.account, name: r.account_name ?? r.account, outcome: r.outcome, cost: r.cost_usd, refusal: r.account ? null : r.outcome };
}

function listed() {
  if (view.source === 'ledger') {
    const query = new URLSearchParams({ limit: String(SHOWN) });
    for (const key of ['account', 'model']) if (view[key]) query.set(key, view[key]);
    if (['ok', 'failed', 'gone'].includes(view.status)) query.set('status', view.status);
    const told = wantKept(`/admin/requests?${query}`, 15);
    return { error: told.error, list: (told.data?.requests || []).map(fromLedger) };
  }
  const query = new URLSearchParams({ limit: String(view.account || view.status || view.model ? 1000 : SHOWN) });
  if (view.account) query.set('account', view.account);
  const told = want(`/admin/decisions?${query}`, 2);
  const list = told.data ? told.data.decisions.filter((d) => d.kind !== 'count_tokens').map(fromDecisions) : latest(SHOWN);
  return { error: told.error, list };
}

export function requestsScreen() {
  const { list, error } = listed();
  const shown = list.filter((r) => (!view.account || r.account === view.account) && (!view.model || r.model === view.model) && OK[view.status](r)).slice(0, SHOWN);
  const models = [...new Set(list.map((r) => r.model))].sort();
  const pick = (key) => (to) => { view[key] = to; changed(); };
  const ended = list.filter((r) => r.status !== null);
  const bad = ended.filter((r) => r.status >= 400).length;
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' }, h('h1', null, 'Requests'), h('p', null, h('span', null, h('b', null, count(state.totals.requests)), ' since the start'), h('span', null, h('b', null, count(state.totals.failovers)), ' failovers nobody saw'), h('span', { class: bad ? 'bad-text' : '' }, h('b', null, count(bad)), ' of these failed'))),
    h('div', { class: 'tools' }, choice('Account', view.account, [['', 'all'], ...accounts().map((a) => [a.id, a.name])], pick('account')), choice('Model', view.model, [['', 'all'], ...models.map((m) => [m, shortModel(m)])], pick('model')),
      choice('Status', view.status, [['', 'all'], ['ok', 'answered'], ['failed', 'failed'], ['running', 'running'], ['retried', 'tried again'], ['moved', 'moved'], ['gone', 'client left']], pick('status')),
      state.you.admin && !state.config.ledger ? null : state.you.admin ? choice('From', view.source, [['live', 'memory'], ['ledger', 'the ledger']], pick('source')) : field('', h('button', { onclick: askForKey }, 'Sign in for costs and history'))),
    error && view.source === 'ledger' ? h('p', { class: 'notice warn' }, error.message) : null,
    panel('Latest', 'open one to see who stood for choice, and at what cost', table('Requests', [['Time', 'num left'], ['Model', ''], ['Account', ''], ['Why there', ''], ['Session', 'mono'], ['Client', ''], ['Tries', 'num'], ['Took', 'num'], ['Status', 'num']],
      shown.map(line), 'Nothing like that.')));
}

function line(r) {
  const end = verdictOf(r);
  const open = view.open === r.id;
  const took = r.took_ms ?? ((r.ended_at ?? now()) - r.at) * 1000;
  return { key: r.id, open, kind: end.kind, label: `Request ${r.id}`, onclick: () => { view.open = open ? null : r.id; changed(); }, below: () => detail(r),
    cells: [moment(r.at, now()), shortModel(r.model), r.name || nameOf(r.account), why(r), shortSession(r.session), r.client || r.program || '', r.tries > 1 ? h('b', null, String(r.tries)) : String(r.tries), milliseconds(took), h('span', { class: `status ${end.kind}` }, end.text)] };
}

function detail(r) {
  if (!state.you.admin) return h('p', { class: 'sign' }, h('button', { onclick: askForKey }, 'Sign in'), ' to see the candidates and their costs');
  const told = want(`/admin/decisions/${encodeURIComponent(r.id)}`, r.status === null ? 2 : 1e9);
  if (!told.data) return told.error ? empty(told.error.status === 404 ? 'The server remembers its last requests only; of this one it knows no candidates any more.' : told.error.message) : empty('Asking');
  const d = told.data;
  return h('div', { class: 'detail' }, h('p', { class: 'note' }, h('span', { class: 'mono' }, d.request_id), ` · ${count(d.input_tokens)} tokens in · ${d.stream ? 'stream' : 'JSON'}${d.waited_s > 0.05 ? ` · waited ${milliseconds(d.waited_s * 1000)}` : ''}${r.cost ? ` · ${money(r.cost)}` : ''}`),
    d.refusal ? h('p', { class: 'why' }, `Refused: ${words(d.refusal.reason)}. ${d.refusal.detail || ''}`) : null,
    d.tries.map((t, i) => attempt(t, i, d.tries.length)));
}

function attempt(t, i, of) {
  if (t.forgotten) return empty('This try is no longer remembered.');
  const candidates = t.candidates || [];
  const terms = [...new Set(candidates.flatMap((c) => Object.entries(c.cost).filter(([, v]) => Math.abs(v) >= 0.005).map(([k]) => k)))];
  const closed = Object.entries(t.unavailable || {});
  return h('section', { key: t.lease, class: 'attempt' },
    h('h3', null, of > 1 ? `Try ${i + 1}: ` : '', t.account, t.outcome ? h('small', null, ` ${words(t.outcome)}`) : h('small', null, ' running')),
    t.rebind ? h('p', { class: 'warn-text' }, t.rebind === 'need' ? 'The session moved: its home could not serve.' : 'The session moved by choice.', t.lost_tokens ? ` ${count(t.lost_tokens)} cached tokens were left behind, worth ${t.move_cost}.` : '') : null,
    table(`Candidates of try ${i + 1}`, [['Candidate', ''], ...terms.map((k) => [words(k), 'num']), ['Cost', 'num']],
      candidates.map((c) => ({ key: c.account_id, kind: c.chosen ? 'chosen' : '', cells: [c.chosen ? h('b', null, c.account) : c.account, ...terms.map((k) => (Math.abs(c.cost[k] ?? 0) < 0.005 ? '·' : c.cost[k].toFixed(2))), h('b', null, c.total.toFixed(2))] })), 'No candidate is remembered.'),
    closed.length ? h('p', { class: 'note' }, `Could not serve: ${closed.map(([reason, n]) => `${n} ${words(reason)}`).join(', ')}`) : null);
}
