// Where each conversation lives, how warm its cache is there, and how often it had to move.

import { h } from './dom.js';
import { act, want, wantKept } from './api.js';
import { askForKey } from './start.js';
import { clock, count, duration, many, percent, shortModel, shortSession, words } from './format.js';
import { empty, panel, table, verdictOf } from './parts.js';
import { accounts, changed, nameOf, now, state } from './store.js';

const view = { open: null, find: '' };

function listed() {
  const told = want('/admin/sessions?limit=1000', 5).data;
  if (!told) return state.sessions.list.map((s) => ({ ...s, home: nameOf(s.account), idle: now() - s.since, warm: Object.entries(s.warm).map(([id, until]) => ({ account: nameOf(id), until })) }));
  return told.sessions.map((s) => ({ ...s, account: s.account_id, home: s.account, idle: s.idle_s }));
}

function share(session) {
  const told = wantKept('/admin/usage?by=session&limit=1000', 30).data;
  const found = (told?.usage || told?.lines || []).find((u) => (u.session ?? u.key) === session);
  if (!found) return null;
  const sent = found.tokens_in + found.cache_read + found.cache_write;
  return sent ? found.cache_read / sent : null;
}

export function sessionsScreen() {
  const wanted = view.find.toLowerCase();
  const all = listed();
  const shown = all.filter((s) => !wanted || `${s.session} ${s.home}`.toLowerCase().includes(wanted)).slice(0, 300);
  const rows = shown.map((s) => {
    const warm = (s.warm || []).filter((w) => w.until > now());
    const at = warm.find((w) => w.account === s.home) || warm[0];
    const open = view.open === s.session;
    return { key: s.session, open, label: `Session ${s.session}`, onclick: () => { view.open = open ? null : s.session; changed(); }, below: () => detail(s),
      cells: [h('span', { class: 'mono' }, shortSession(s.session)), s.home, at ? `${duration(at.until - now())}${at.tokens ? `, ${count(at.tokens)} tokens` : ''}${at.account === s.home ? '' : ` on ${at.account}`}` : 'cold', percent(share(s.session)), count(s.turns), s.moves ? h('b', { class: 'warn-text' }, count(s.moves)) : '0', s.protected ? 'stays' : '', duration(s.idle)] };
  });
  return h('div', { class: 'screen' }, h('div', { class: 'verdict' }, h('h1', null, many(state.sessions.bound, 'session')), h('p', null, h('span', null, h('b', null, count(state.sessions.protected)), ' must stay where they are'), h('span', null, h('b', null, count(state.harm.moves)), ' moves'), h('span', null, h('b', null, count(state.harm.cache_tokens_lost)), ' cached tokens left behind'))),
    h('div', { class: 'tools' }, h('input', { type: 'search', placeholder: 'Find a session or account', 'aria-label': 'Find a session or account', value: view.find, oninput: (e) => { view.find = e.target.value; changed(); } }), h('span', { class: 'note' }, all.length < state.sessions.bound ? `the latest ${all.length}` : '')),
    panel('Bound sessions', 'a session stays where its prompt cache is warm',
      table('Sessions', [['Session', 'left'], ['At home on', ''], ['Warm for', ''], ['From cache', 'num'], ['Turns', 'num'], ['Moves', 'num'], ['', ''], ['Idle', 'num']], rows, 'No session yet. Clients that name one are kept where their cache is warm.')));
}

function detail(s) {
  const path = `/admin/decisions?session=${encodeURIComponent(s.session)}&limit=30`;
  const told = want(path, 5);
  const others = accounts().filter((a) => a.id !== s.account && a.enabled);
  return h('div', { class: 'detail' }, h('p', { class: 'mono wrap' }, s.session),
    state.you.admin ? h('p', { class: 'buttons' }, h('span', null, 'Move to '), others.length ? others.slice(0, 12).map((a) => h('button', { key: a.id, onclick: () => act(`/admin/sessions/${s.session.split('/').map(encodeURIComponent).join('/')}/move`, { account: a.name }, `The session goes on at ${a.name}.`) }, a.name)) : 'nowhere: there is no other account') : h('p', { class: 'sign' }, h('button', { onclick: askForKey }, 'Sign in'), ' to see its requests and to move it'),
    told.data ? table('Requests of this session', [['Time', 'num left'], ['Model', ''], ['Account', ''], ['Moved', ''], ['Left behind', 'num'], ['Status', 'num']], told.data.decisions.map((d) => {
      const t = d.tries.at(-1) || {};
      const end = verdictOf({ ...d, account: t.account });
      return { key: d.request_id, cells: [clock(d.at, true), shortModel(d.model), t.account || '–', { need: 'its home could not serve', choice: 'by choice, it was cheaper' }[t.rebind] || (t.rebind ? words(t.rebind) : ''), t.lost_tokens ? `${count(t.lost_tokens)} tokens` : '', h('span', { class: `status ${end.kind}` }, end.text)] };
    }), 'None of its requests are remembered any more.') : told.error ? empty(told.error.message) : null);
}
