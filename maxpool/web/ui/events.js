// What happened: from the ledger where there is one, and what this page saw since it was opened.

import { h } from './dom.js';
import { wantKept } from './api.js';
import { moment, words } from './format.js';
import { choice, empty, panel } from './parts.js';
import { changed, nameOf, now, state } from './store.js';

const view = { kind: '' };

function detailOf(detail) {
  if (!detail) return '';
  let told = detail;
  if (typeof detail === 'string') { try { told = JSON.parse(detail); } catch { return detail; } }
  if (typeof told !== 'object' || told === null) return String(told);
  return Object.entries(told).filter(([, v]) => v !== null && v !== '').map(([k, v]) => `${words(k)} ${typeof v === 'object' ? JSON.stringify(v) : v}`).join(', ');
}

function listed() {
  const told = wantKept(`/admin/events?since=${Math.floor(now() / 3600) * 3600 - 7 * 86400}&limit=500`, 20).data;
  const kept = (told?.events || []).map((e) => ({ at: e.at, kind: e.kind, text: `${e.account ? `${e.account_name || nameOf(e.account)}: ` : ''}${words(e.kind)}`, detail: detailOf(e.detail) }));
  const from = kept.length ? kept[0].at : 0;
  return [...state.happened.filter((e) => e.at > from + 0.5), ...kept];
}

export function eventsScreen() {
  const all = listed();
  const kinds = [...new Set(all.map((e) => e.kind))].sort();
  const shown = all.filter((e) => !view.kind || e.kind === view.kind).slice(0, 300);
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' }, h('h1', null, 'Events'), h('p', null, h('span', null, 'state changes, resets, pauses, config'))),
    h('div', { class: 'tools' }, choice('Kind', view.kind, [['', 'all'], ...kinds.map((k) => [k, words(k)])], (to) => { view.kind = to; changed(); })),
    panel('What happened', state.config.ledger && state.you.admin ? null : 'since this page was opened', shown.length ? h('ol', { class: 'story' }, shown.map((e, i) => h('li', { key: `${e.at} ${e.kind} ${e.text} ${i}` }, h('time', null, moment(e.at, now())), h('span', { class: 'kind' }, words(e.kind)), h('span', null, h('b', null, e.text), e.detail ? ` ${e.detail}` : '')))) : empty('Nothing yet. Quiet is good.')),
    state.refusals.length ? panel('Refused lately', 'requests that no account could serve', h('ol', { class: 'story' }, state.refusals.slice(0, 20).map((r) => h('li', { key: r.request_id }, h('time', null, moment(r.at, now())), h('span', { class: 'kind' }, words(r.reason)), h('span', null, h('b', null, r.model), ` ${Object.entries(r.unavailable).map(([k, n]) => `${n} ${words(k)}`).join(', ')}`))))) : null);
}
