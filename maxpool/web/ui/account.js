// Everything of one account, and what can be done with it.

import { h } from './dom.js';
import { act, want } from './api.js';
import { askForKey } from './start.js';
import { latest } from './pool.js';
import { NBSP, clock, count, duration, milliseconds, moment, money, percent, planName, shortModel, windowName, words } from './format.js';
import { badge, code, empty, facts, quota, since, stateOf, table, verdictOf, why } from './parts.js';
import { account, now, state } from './store.js';

const part = (title, ...inside) => h('section', { key: title }, h('h3', null, title), ...inside);

export function accountDrawer(id, close) {
  const a = account(id);
  return h('div', { class: 'veil', key: 'drawer', onclick: (e) => { if (e.target === e.currentTarget) close(); } },
    h('aside', { class: 'drawer', role: 'dialog', 'aria-modal': 'true', 'aria-label': a ? `Account ${a.name}` : 'Account', 'data-trap': true, tabindex: '-1', mounted: (node) => node.focus() },
      h('header', null, h('div', null, h('h2', null, a ? a.name : 'Unknown account'), a ? h('p', { class: 'note' }, `${planName(a)} · ${a.provider}${a.runtime ? ' · added at run time' : ''}`) : null),
        a ? badge(a) : null, h('button', { class: 'close', onclick: close, 'aria-label': 'Close' }, '✕')),
      a ? inside(a) : empty('There is no account with this id any more.')));
}

function inside(a) {
  const { why: reason } = stateOf(a);
  return h('div', { class: 'parts' },
    reason ? h('p', { class: `why ${a.state}` }, reason) : null,
    actions(a), windows(a), limits(a), tokens(a), login(a), probes(a), requests(a));
}

function actions(a) {
  if (!state.you.admin) {
    return state.you.can_sign_in ? h('p', { class: 'sign' }, h('button', { onclick: askForKey }, 'Sign in to act'), h('span', { class: 'note' }, ' enable, drain, prefer, ask for usage')) : null;
  }
  const path = `/admin/accounts/${encodeURIComponent(a.id)}`;
  const button = (text, action, said, kind = '') => h('button', { key: action, class: kind, onclick: () => act(`${path}/${action}`, {}, said) }, text);
  const preferred = state.summary.preferred === a.id;
  return h('div', { class: 'buttons', role: 'group', 'aria-label': 'Actions' },
    a.enabled ? null : button('Enable', 'enable', `${a.name} is enabled.`, 'main'),
    a.enabled && !preferred ? button('Prefer', 'prefer', `${a.name} is preferred.`) : null,
    preferred ? h('button', { key: 'automatic', onclick: () => act('/admin/automatic', {}, 'The pool chooses by itself again.') }, 'No longer prefer') : null,
    a.kind === 'api_key' || a.kind === 'provider' ? null : button('Ask for usage', 'probe', (told) => told.result || 'Asked.'),
    a.kind === 'oauth' ? button('Renew login', 'refresh', (told) => told.result || 'Renewed.') : null,
    a.unavailable && a.enabled ? button('Reset', 'reset', `${a.name}: benches and cooldowns are gone.`) : null,
    a.enabled && a.state !== 'draining' ? button('Drain', 'drain', `${a.name} takes nothing new; what runs may finish.`) : null,
    a.enabled ? button('Disable', 'disable', `${a.name} is disabled.`, 'danger') : null);
}

function windows(a) {
  if (!a.windows.length) return null;
  const benched = Object.entries(a.models || {});
  return part('Quota windows', a.windows.map((w) => h('div', { class: 'window', key: w.window }, quota(w, a.name),
    facts([
      ['burns', w.burn_per_hour ? `${percent(w.burn_per_hour, 1)} per hour` : '–'],
      ['at the reset', w.projected_at_reset === null ? '–' : `${percent(Math.max(w.projected_at_reset, 0))} by ${w.n} readings`],
      ['read', `${since(w.read_at)}, ${words(w.source)}`],
      w.benched_until && w.benched_until > now() ? ['benched', `${duration(w.benched_until - now())} more`, 'bad-text'] : null,
      w.reset_at && w.reset_at > now() ? ['reset', moment(w.reset_at, now())] : null]))),
  benched.length ? h('ul', { class: 'plainlist' }, benched.map(([model, b]) => h('li', { key: model }, h('b', null, shortModel(model)), ` ${words(b.reason)}${b.until > now() ? `, ${duration(b.until - now())} more` : ''}`))) : null);
}

function limits(a) {
  const told = (a.buckets || []).filter((b) => b.limit);
  const balance = Object.entries(a.balance || {}).filter(([, v]) => v !== null && typeof v !== 'object');
  if (!told.length && !balance.length) return null;
  return part('Rate limits and balance', facts([...told.map((b) => [words(b.name), `${count(b.remaining)} of ${count(b.limit)} left`]), ...balance.map(([k, v]) => [words(k), typeof v === 'number' && k.endsWith('usd') ? money(v) : String(v)])]));
}

function tokens(a) {
  const line = (title, c) => ({ key: title, cells: [title, count(c.requests), count(c.failed), count(c.tokens_in), count(c.tokens_out), count(c.cache_read), count(c.cache_write), c.cost_usd ? money(c.cost_usd) : '–'] });
  return part('Requests and tokens', table('Requests and tokens', [['', ''], ['Requests', 'num'], ['Failed', 'num'], ['In', 'num'], ['Out', 'num'], ['Cached', 'num'], ['Written', 'num'], ['Cost', 'num']],
    [line('15 min', a.last_15_min), line('hour', a.last_hour), line('in all', a.total)]),
  facts([['load', `${a.in_flight} of ${a.slots} slots`], ['sessions', count(a.sessions)], ['median', milliseconds(a.last_hour.p50_ms)], ['priority', String(a.priority)], a.failures_in_a_row ? ['failures in a row', count(a.failures_in_a_row), 'bad-text'] : null, a.last_status ? ['last answer', `${a.last_status}, ${since(a.last_status_at)}`] : null]),
  a.last_error ? h('p', { class: 'why' }, `${words(a.last_error.class)}, ${since(a.last_error.at)}${a.last_error.message ? `: ${a.last_error.message}` : ''}`) : null);
}

function login(a) {
  const c = a.credential;
  const dates = [
    c.refreshed_at ? ['renewed', since(c.refreshed_at)] : null,
    c.expires_at ? ['token ends', c.expires_at > now() ? `in ${duration(c.expires_at - now())}` : 'over', c.expires_at > now() ? '' : 'bad-text'] : null,
    c.grant_expires_at ? ['login ends', c.grant_expires_at > now() ? `in ${duration(c.grant_expires_at - now())}` : 'over', c.grant_expires_at - now() < 7 * 86400 ? 'warn-text' : ''] : null,
    ['kind', words(c.kind)]];
  const again = { oauth: '--oauth PROFILE', api_key: '--api-key', subscription: '', home: '--home', provider: '' }[a.kind];
  return part('Login', c.dead ? h('p', { class: 'why' }, c.dead) : null, c.ending ? h('p', { class: 'warn-text' }, c.ending) : null, facts(dates),
    again === undefined || (a.kind === 'api_key' && !c.dead) ? null : code(`maxpool login ${/^[\w.-]+$/.test(a.name) ? a.name : `'${a.name.replaceAll("'", "'\\''")}'`}${again ? ` ${again}` : ''}`));
}

function probes(a) {
  const p = a.probe;
  if (!p.last_at && !p.next_at && !p.barred) return null;
  return part('Asking for usage', facts([['last', p.last_at ? `${since(p.last_at)}${p.last_result ? `, ${words(p.last_result)}` : ''}` : 'never'], ['next', p.next_at ? (p.next_at > now() ? `in ${duration(p.next_at - now())}` : 'due') : '–'], p.paused_until && p.paused_until > now() ? ['paused', `${duration(p.paused_until - now())} more`] : null, p.barred ? ['not asked', words(p.barred)] : null]));
}

function requests(a) {
  const told = want(`/admin/decisions?account=${encodeURIComponent(a.id)}&limit=12`, 10).data?.decisions;
  const rows = told ? told.map((d) => ({ id: d.request_id, at: d.at, model: d.model, status: d.status, ended_at: d.ended_at, account: a.id, rebind: d.tries.at(-1)?.rebind, terms: d.tries.at(-1)?.cost, refusal: d.refusal?.reason })) : latest(12, (r) => r.account === a.id);
  return part('Latest requests', table('Latest requests of this account', [['Time', 'num left'], ['Model', ''], ['Why here', ''], ['Took', 'num'], ['Status', 'num']],
    rows.map((r) => { const end = verdictOf(r); return { key: r.id, cells: [clock(r.at, true), shortModel(r.model), why(r), milliseconds(((r.ended_at ?? now()) - r.at) * 1000), h('span', { class: `status ${end.kind}` }, end.text)] }; }), `None since ${NBSP}${clock(state.started_at)}.`));
}
