// Who is reached where, what they speak, and which models are kept warm.

import { h } from './dom.js';
import { want } from './api.js';
import { askForKey } from './start.js';
import { count, duration, many, milliseconds, planName, shortModel, words } from './format.js';
import { badge, empty, panel, table } from './parts.js';
import { accounts, account, now, state } from './store.js';

export function providersScreen() {
  const told = want('/admin/providers', 5);
  const rows = told.data ? told.data.providers : accounts();
  const names = [...new Set(accounts().map((a) => a.provider))].sort();
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' }, h('h1', null, many(names.length, 'provider')), h('p', null, names.map((n) => h('span', { key: n }, n)))),
    told.error ? h('p', { class: 'notice warn' }, told.error.message) : null,
    names.map((name) => panel(name, null, table(`Accounts of ${name}`, [['Account', 'left'], ['State', ''], ['Speaks', ''], ['Reached at', 'mono'], ['Models', ''], ['Warm', ''], ['Median', 'num'], ['This hour', 'num']],
      rows.filter((p) => p.provider === name).map((p) => { const a = account(p.id) || p; return { key: p.id, cells: [h('a', { href: `#/account/${encodeURIComponent(p.id)}` }, p.name, ' ', h('small', null, planName(a))), badge(a), p.format || '–', p.base_url || '–', Object.entries(p.models || {}).filter(([, v]) => typeof v === 'string').slice(0, 3).map(([k, v]) => (k === v ? k : `${k} → ${v}`)).join(', ') || 'all', p.warmth ? words(p.warmth) : '–', milliseconds(a.last_hour.p50_ms), count(a.last_hour.requests)] }; })))),
    state.you.admin ? warmth(told.data?.warmth) : h('p', { class: 'sign' }, h('button', { onclick: askForKey }, 'Sign in'), ' to see where each is reached and what is kept warm'));
}

function warmth(report) {
  if (!report) return null;
  const entries = report.entries || [];
  return panel('Kept warm', `checks: ${report.mode || 'off'}`, table('Targets in focus', [['Target', 'left'], ['State', ''], ['Age', 'num'], ['Failures', 'num']], entries.map((e) => ({ key: `${e.account_id} ${e.model}`, cells: [`${account(e.account_id)?.name ?? e.account_id} / ${shortModel(e.model)}`, h('span', { class: { warm: 'ok-text', failed: 'bad-text' }[e.state] || '' }, words(e.state)), e.age_s !== undefined && e.age_s !== null ? duration(e.age_s) : e.checked_at ? duration(now() - e.checked_at) : '–', count(e.failures ?? 0)] })), 'No model is in focus: nothing is kept warm.'));
}
