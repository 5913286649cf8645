// How the server runs: its config as it holds, what is wrong with it, and the switches of the whole pool.

import { h } from './dom.js';
import { act, signOut, want } from './api.js';
import { askForKey } from './start.js';
import { notices } from './pool.js';
import { clock, duration, moment, words } from './format.js';
import { empty, facts, panel } from './parts.js';
import { changed, nameOf, now, state } from './store.js';

const view = { find: '', all: false };

export function settingsScreen() {
  const { config, more, summary } = state;
  const rules = more.scheduler || {};
  return h('div', { class: 'screen' },
    h('div', { class: 'verdict' }, h('h1', null, 'Settings'), h('p', null, h('span', null, `maxpool ${state.version}`), h('span', null, 'up for ', h('b', null, duration(now() - state.started_at))))),
    notices(),
    h('div', { class: 'pair' },
      panel('Config', null, facts([['file', config.path || 'none'], ['read', config.loaded_at ? moment(config.loaded_at, now()) : '–'], ['state', config.error ? 'wrong, the old one stays' : 'in order', config.error ? 'bad-text' : ''], ['ledger', config.ledger ? 'on' : 'off']]), config.error ? h('pre', { class: 'why' }, config.error) : null,
        state.you.admin ? h('div', { class: 'buttons' }, h('button', { onclick: () => act('/admin/reload', {}, (told) => `Read at ${clock(told.loaded_at, true)}.`) }, 'Read it again')) : null),
      panel('Pool', null, facts([['strategy', words(rules.strategy)], ['preferred', rules.preferred ? nameOf(rules.preferred) : 'none'], ['plan slots in use', `${rules.slots_total_used ?? 0} of ${rules.slots_total ?? '–'}`], ['queue', `${summary.queued} of ${rules.queue_limit ?? '–'}`], ['longest wait', rules.queue_max_wait_s ? duration(rules.queue_max_wait_s) : '–'], ['paid keys serve', rules.key_price === 'after' ? `after ${duration(rules.key_price_after_s)} of waiting` : words(rules.key_price)]]),
        state.you.admin ? h('div', { class: 'buttons' },
          summary.paused ? h('button', { class: 'main', onclick: () => act('/admin/resume', {}, 'Requests are sent again.') }, 'Resume') : h('button', { onclick: () => act('/admin/pause', {}, 'Nothing new is sent; what runs may finish.') }, 'Pause'),
          summary.preferred ? h('button', { onclick: () => act('/admin/automatic', {}, 'The pool chooses by itself again.') }, 'Choose automatically') : null,
          h('button', { onclick: () => act('/admin/probes', {}, (told) => `${told.probes.length} accounts were asked.`) }, 'Ask all for usage')) : null)),
    panel('Signed in', null, state.you.admin ? h('div', { class: 'buttons' }, h('span', null, 'With the admin key, for a week at most.'), h('button', { onclick: signOut }, 'Sign out')) : state.you.can_sign_in ? h('div', { class: 'buttons' }, h('span', null, 'Only looking. '), h('button', { class: 'main', onclick: askForKey }, 'Sign in to act')) : h('p', { class: 'note' }, 'This server has no admin key: nobody can act from here.')),
    resolved());
}

function resolved() {
  if (!state.you.admin) return null;
  const told = want('/admin/config', 30);
  if (!told.data) return panel('Resolved config', null, empty(told.error ? told.error.message : 'Asking'));
  const wanted = view.find.toLowerCase();
  const tables = told.data.tables.map((t) => ({ ...t, settings: t.settings.filter((s) => (view.all || s.origin !== 'default' || wanted) && (!wanted || `${t.name}.${s.key} ${s.value}`.toLowerCase().includes(wanted))) })).filter((t) => t.settings.length);
  return panel('Resolved config', 'every key as it holds; secrets are references',
    h('div', { class: 'tools' }, h('input', { type: 'search', placeholder: 'Find a key', 'aria-label': 'Find a key', value: view.find, oninput: (e) => { view.find = e.target.value; changed(); } }), h('label', { class: 'check' }, h('input', { type: 'checkbox', checked: view.all, onchange: (e) => { view.all = e.target.checked; changed(); } }), ' defaults too')),
    tables.length ? h('div', { class: 'config' }, tables.map((t, i) => h('section', { key: `${t.name} ${i}` }, h('h3', null, t.name ? (t.entry ? `[[${t.name}]]` : `[${t.name}]`) : 'top'),
      t.settings.map((s) => h('p', { key: s.key, class: s.origin === 'default' ? 'is-default' : '' }, h('code', null, s.key), h('code', { class: 'value' }, s.value ?? 'not set'), h('small', null, s.origin)))))) : empty(wanted ? 'No key is called like that.' : 'Nothing but defaults.'));
}
