// What stands here while there is nothing else to show: no account yet, no server, no key.

import { h } from './dom.js';
import { code } from './parts.js';
import { say, signIn } from './api.js';
import { duration } from './format.js';
import { again, changed, state } from './store.js';

const step = (n, title, text, ...lines) => h('li', { key: String(n) }, h('span', { class: 'step', 'aria-hidden': 'true' }, String(n)), h('div', null, h('h2', null, title), h('p', null, text), ...lines));

export function firstRun() {
  return h('div', { class: 'screen start' },
    h('h1', null, 'Three steps, and the pool is yours'),
    h('p', { class: 'lead' }, 'maxpool runs and has no account yet. Everything stays on this machine; this page follows by itself.'),
    h('ol', { class: 'steps' },
      step(1, 'Add an account', 'A plan, an API key, or any service that speaks the API. Secrets go into your keyring.', code('maxpool login work --plan max_20x'), code('maxpool login console --api-key')),
      step(2, 'Point your client at it', 'Claude Code starts behind the pool; other tools get the address and key.', code('maxpool run'), code('eval "$(maxpool env)"')),
      step(3, 'Ask something', 'The first answer shows here within a second.', code(`curl -N ${location.origin}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' -d '{"model":"claude-sonnet-5-5","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}'`))),
    h('p', { class: 'note' }, 'Something in the way? ', h('code', null, 'maxpool doctor'), ' looks at config, keyring, clock and network, and says what to do.'));
}

export function goneBanner() {
  if (state.link === 'live' || state.link === 'connecting') return null;
  const left = Math.max(Math.ceil((state.nextTry ?? 0) - Date.now() / 1000), 0);
  const busy = state.link === 'busy';
  return h('div', { class: 'gone', role: 'alert' },
    h('div', null, h('b', null, busy ? 'Too many pages follow this server.' : 'The server does not answer.'),
      h('span', null, busy ? ' Close one of them, or raise [server] max_listeners.' : ` ${state.ready ? `What you see is ${duration(Date.now() / 1000 - state.since)} old. ` : ''}Start it with `, busy ? null : h('code', null, 'maxpool serve'), busy ? null : '.')),
    h('button', { onclick: again }, left > 0 ? `Try now (${left})` : 'Trying'));
}

const form = { open: false, wrong: '', busy: false };
export const askForKey = () => { form.open = true; form.wrong = ''; changed(); };
export const asksForKey = () => form.open;

async function send(event) {
  event.preventDefault();
  const input = event.target.elements.key;
  form.busy = true;
  changed();
  try {
    await signIn(input.value.trim());
    Object.assign(form, { open: false, wrong: '' });
    input.value = '';
    say('Signed in.');
  } catch (error) {
    form.wrong = error.status === 401 ? 'That is not the admin key.' : error.message;
  }
  form.busy = false;
  changed();
}

function keyForm(title, text, cancel) {
  return h('form', { class: 'sign-in', onsubmit: send, autocomplete: 'off' },
    h('h2', { id: 'sign-in-title' }, title), h('p', null, text),
    h('label', { class: 'field' }, h('span', null, 'Admin key'), h('input', { name: 'key', type: 'password', required: true, spellcheck: 'false', autocomplete: 'off', mounted: (node) => setTimeout(() => node.focus(), 0), 'aria-describedby': 'sign-in-wrong' })),
    h('p', { class: 'bad-text', id: 'sign-in-wrong', role: 'alert' }, form.wrong),
    h('p', { class: 'note' }, 'It stands in the file ', h('code', null, 'admin.key'), ' of the state folder: ', h('code', null, 'maxpool config show'), ' names that.'),
    h('div', { class: 'buttons' }, h('button', { class: 'main', type: 'submit', disabled: form.busy }, 'Sign in'),
      cancel ? h('button', { type: 'button', onclick: () => { form.open = false; changed(); } }, 'Cancel') : null));
}

export const signInDialog = () => (form.open ? h('div', { class: 'veil', key: 'sign-in', onclick: (e) => { if (e.target === e.currentTarget) { form.open = false; changed(); } } },
  h('div', { class: 'dialog', role: 'dialog', 'aria-modal': 'true', 'aria-labelledby': 'sign-in-title', 'data-trap': true }, keyForm('Sign in to act', 'Looking is free on this machine; enabling, moving and asking needs the admin key.', true))) : null);

export const closeKeyForm = () => { form.open = false; changed(); };

export const lockedScreen = () => h('div', { class: 'screen start' }, h('div', { class: 'panel narrow' }, keyForm('This server asks for a key', 'Sign in with the admin key to see the pool.', false)));
