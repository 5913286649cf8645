// The admin API, by the cookie of the sign-in; what changes something carries the page's own word.

import { again, changed, state } from './store.js';

export const asked = new Map(); // path -> {data, error, at, loading}
export const notes = { text: '', bad: false, at: 0 };

export function say(text, bad = false) {
  Object.assign(notes, { text, bad, at: Date.now() });
  changed();
  setTimeout(() => { if (Date.now() - notes.at >= 5900) { notes.text = ''; changed(); } }, 6000);
}

async function read(answer) {
  let body = null;
  try { body = await answer.json(); } catch { /* not ours */ }
  if (answer.ok) return body;
  const error = new Error(body?.error?.message || `The server answered ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

export async function get(path) {
  return read(await fetch(path, { headers: { accept: 'application/json' }, cache: 'no-store' }));
}

export async function post(path, body = {}) {
  const headers = { 'content-type': 'application/json', 'x-maxpool-csrf': state.you.csrf || '' };
  return read(await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }));
}

export async function signIn(key) {
  const headers = { 'content-type': 'application/json', 'x-maxpool-admin-key': key };
  const told = await read(await fetch('/admin/login', { method: 'POST', headers, body: '{}' }));
  state.you = { admin: true, csrf: told.csrf, can_sign_in: true };
  asked.clear();
  if (state.link !== 'live') again();
  changed();
}

export async function signOut() {
  try { await post('/admin/logout'); } catch { /* the cookie has ended already */ }
  state.you = { ...state.you, admin: false, csrf: null };
  asked.clear();
  changed();
  again();
}

// What a screen needs besides the feed: asked once, and again when older than `fresh` seconds.
export function want(path, fresh = 1e9) {
  if (!state.you.admin && !path.startsWith('/status/')) return { data: null, error: null, loading: false };
  let found = asked.get(path);
  const old = found && Date.now() / 1000 - found.at > fresh;
  if ((!found || old) && !found?.loading && state.link === 'live') {
    found = { ...(found || { data: null, error: null, at: 0 }), loading: true };
    asked.set(path, found);
    if (asked.size > 60) asked.delete(asked.keys().next().value);
    get(path).then(
      (data) => asked.set(path, { data, error: null, at: Date.now() / 1000, loading: false }),
      (error) => {
        if (error.status === 401) { state.you = { ...state.you, admin: false }; asked.clear(); }
        asked.set(path, { data: null, error, at: Date.now() / 1000, loading: false });
      },
    ).then(changed);
  }
  return found || { data: null, error: null, loading: true };
}

// The same of what the ledger keeps; nothing is asked where there is none.
export const wantKept = (path, fresh) => (state.config.ledger ? want(path, fresh) : { data: null, error: null, loading: false });

export function forget(prefix) {
  for (const path of [...asked.keys()]) if (path.startsWith(prefix)) asked.delete(path);
}

// Do something and say how it went.
export async function act(path, body, done) {
  try {
    const told = await post(path, body);
    forget('/admin/');
    say(typeof done === 'function' ? done(told) : done);
    return told;
  } catch (error) {
    if (error.status === 401) state.you = { ...state.you, admin: false, csrf: null };
    say(error.message, true);
    return null;
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    say('Copying is not allowed here; mark the text instead.', true);
  }
}
