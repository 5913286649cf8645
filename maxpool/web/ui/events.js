// What happened: from the ledger where there is one, and what this page saw since it was opened.

import { h } from './dom.js';
import { wantKept } from './api.js';
import { duration, moment, words } from './format.js';
import { choice, empty, panel } from './parts.js';
import { changed, nameOf, now, state } from './store.js';

const view = { kind: '' };

const SAID = {
  started: 'The server started', stopped: 'The server stopped', config_loaded: 'The config was read', config_refused: 'The config file is wrong, the old one stays',
  account_added: 'was added', account_removed: 'was removed', login_dead: 'its login is over', login_renewed: 'its login was renewed',
  throttle_began: 'The upstream asked everybody to pause', throttle_ended: 'The pause of the upstream is over', ledger_trouble: 'The ledger cannot be written', ledger_mended: 'The ledger is written again',
};

function say(event) {
  if (event.text) return event;
  const told = event.detail || {};
  const name = event.name || event.account_name || (event.account ? nameOf(event.account) : '');
  const known = new Set(['before', 'now', 'until']);
  const more = Object.entries(told).filter(([k, v]) => !known.has(k) && v !== null && v !== '').map(([k, v]) => (k === 'reason' || k === 'error' ? words(v) : `${words(k)} ${v}`));
  if (told.until && told.until > event.at) more.push(`for ${duration(told.until - event.at)}`);
  const said = event.kind === 'account_state' ? `${words(told.before)} → ${words(told.now)}` : SAID[event.kind] || words(event.kind);
  return { at: event.at, kind: event.kind.split('_')[0], text: name ? `${name}: ${said}` : said, detail: more.join(', ') };
}

function listed() {
  const told = wantKept(`/admin/events?since=${Math.floor(now() / 3600) * 3600 - 7 * 86400}&limit=500`, 20).data;
  const live = state.happened.map(say);
  const from = live.length ? Math.min(...live.map((e) => e.at)) : Infinity;
  return [...live, ...(told?.events || []).filter((e) => e.at < from - 0.001).map(say)];
}

export function eventsScreen() {
  const all = listed();
  const kinds = [...new Set(all.map((e) => e.kind))].sort();
  const shown = all.filter((e) => !view.kind || e.kind === view.kind).slice(0, 300);
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' }, h('h1', null, 'Events'), h('p', null, h('span', null, 'state changes, resets, pauses, config'))),
    h('div', { class: 'tools' }, choice('Kind', view.kind, [['', 'all'], ...kinds.map((k) => [k, words(k)])], (to) => { view.kind = to; changed(); })),
    panel('What happened', state.config.ledger && !state.you.admin ? 'the latest; sign in for the last seven days' : null, shown.length ? h('ol', { class: 'story' }, shown.map((e, i) => h('li', { key: `${e.at} ${e.kind} ${e.text} ${i}` }, h('time', null, moment(e.at, now())), h('span', { class: 'kind' }, words(e.kind)), h('span', null, h('b', null, e.text), e.detail ? ` ${e.detail}` : '')))) : empty('Nothing yet. Quiet is good.')),
    state.refusals.length ? panel('Refused lately', 'requests that no account could serve', h('ol', { class: 'story' }, state.refusals.slice(0, 20).map((r) => h('li', { key: r.request_id }, h('time', null, moment(r.at, now())), h('span', { class: 'kind' }, words(r.reason)), h('span', null, h('b', null, r.model), ` ${Object.entries(r.unavailable).map(([k, n]) => `${n} ${words(k)}`).join(', ')}`))))) : null);
}
