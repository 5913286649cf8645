// What the page knows of the pool, kept up by the live feed. Reads the stream by itself, so that a refusal
// is known from a server that is gone, and every reconnect begins with the whole picture.

import { windowName } from './format.js';

export const state = {
  link: 'connecting', // connecting | live | gone | busy | locked
  since: Date.now() / 1000,
  tries: 0,
  skew: 0,
  ready: false,
  you: { admin: false, csrf: null, can_sign_in: true },
  version: '', started_at: 0,
  accounts: new Map(),
  order: [],
  summary: null, harm: {}, totals: {}, money: null,
  sessions: { bound: 0, protected: 0, list: [] },
  queue: [], throttle: { open: [], count: 0 }, config: { error: null, notices: [] },
  refusals: [], requests: new Map(), more: {},
  track: new Map(), // account id and window -> [[at, utilization, reset_at], ...] as seen from here
  happened: [], // newest first
};

const MOST_TRACK = 720;
const MOST_HAPPENED = 200;
const MOST_REQUESTS = 120;
const RETRY_S = [1, 1, 2, 3, 5];
const SILENCE_S = 40; // the server says something every 15 seconds

const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);
export function changed() { for (const one of listeners) one(); }

export const now = () => Date.now() / 1000 + state.skew;
export const account = (id) => state.accounts.get(id);
export const nameOf = (id) => state.accounts.get(id)?.name ?? id ?? '–';
export const accounts = () => state.order.map((id) => state.accounts.get(id)).filter(Boolean);

// What only this page can know; the rest is told by the server.
function happened(kind, text, detail = '') {
  state.happened.unshift({ at: now(), kind, text, detail });
  state.happened.length = Math.min(state.happened.length, MOST_HAPPENED);
}

function track(one) {
  for (const w of one.windows) {
    if (w.utilization === null || w.read_at === null) continue;
    const key = `${one.id} ${w.window}`;
    const line = state.track.get(key) || [];
    if (!state.track.has(key)) state.track.set(key, line);
    const last = line[line.length - 1];
    if (last && last[0] === w.read_at) last[1] = w.utilization;
    else line.push([w.read_at, w.utilization, w.reset_at]);
    if (line.length > MOST_TRACK) line.splice(0, line.length - MOST_TRACK);
  }
}

function takeAccount(one) {
  if (one.removed) {
    state.accounts.delete(one.id);
    state.order = state.order.filter((id) => id !== one.id);
    return;
  }
  const before = account(one.id);
  for (const w of before?.windows || []) {
    const then = one.windows.find((x) => x.window === w.window);
    if (then && w.reset_at && then.reset_at && then.reset_at - w.reset_at > 60 && (w.utilization ?? 0) > (then.utilization ?? 0)) {
      happened('reset', `${one.name}: the ${windowName(w.window)} window began anew`, `${Math.round((w.utilization ?? 0) * 100)} % were used`);
    }
  }
  state.accounts.set(one.id, one);
  if (!state.order.includes(one.id)) state.order.push(one.id);
  track(one);
}

function takeRequest(one) {
  if (one.removed) return;
  state.requests.set(one.id, one);
  if (state.requests.size > MOST_REQUESTS) {
    const old = [...state.requests.values()].sort((a, b) => a.at - b.at);
    for (const gone of old.slice(0, state.requests.size - MOST_REQUESTS)) state.requests.delete(gone.id);
  }
}

const TAKE = {
  hello(data) {
    state.skew = data.now - Date.now() / 1000;
    Object.assign(state, { version: data.version, started_at: data.started_at, you: data.you });
    state.accounts = new Map();
    const ready = state.ready;
    state.ready = false;
    state.requests = new Map();
    for (const one of data.accounts) takeAccount(one);
    for (const one of data.requests) takeRequest(one);
    state.happened = [...data.happened, ...state.happened.filter((e) => e.text)].sort((a, b) => b.at - a.at).slice(0, MOST_HAPPENED);
    const known = new Set(['schema', 'version', 'started_at', 'now', 'you', 'accounts', 'requests', 'happened']);
    for (const name in data) if (!known.has(name)) (TAKE[name] || ((part) => { state.more[name] = part; }))(data[name]);
    state.ready = true;
    if (ready && state.link === 'gone') happened('server', 'The server answers again');
    link('live');
  },
  summary(data) {
    Object.assign(state, { summary: data.summary, harm: data.harm, totals: data.totals, money: data.money ?? null, order: data.order });
    for (const id of state.accounts.keys()) if (!data.order.includes(id)) state.accounts.delete(id);
  },
  account: takeAccount,
  request: takeRequest,
  queue(data) { state.queue = data; },
  throttle(data) {
    state.throttle = data;
  },
  sessions(data) { state.sessions = data; },
  refusals(data) { state.refusals = data; },
  config(data) {
    state.config = data;
  },
  event(data) {
    state.happened.unshift(data);
    state.happened.length = Math.min(state.happened.length, MOST_HAPPENED);
  },
};

function link(to) {
  if (state.link === to) return;
  if (to === 'gone' && state.link === 'live') happened('server', 'The server is gone');
  state.link = to;
  state.since = Date.now() / 1000;
  changed();
}

export async function follow() {
  for (;;) {
    const was = state.link;
    try {
      const found = await listen();
      link(found);
      if (found === 'live') { state.tries = 0; link('gone'); }
    } catch {
      link('gone');
    }
    if (was === 'live') state.tries = 0;
    const wait = state.link === 'busy' || state.link === 'locked' ? 5 : RETRY_S[Math.min(state.tries, RETRY_S.length - 1)];
    state.tries += 1;
    state.nextTry = Date.now() / 1000 + wait;
    changed();
    await new Promise((done) => { wake = done; setTimeout(done, wait * 1000); });
  }
}

let wake = null;
let abort = null;
export function again() { abort?.abort(); wake?.(); }

// One connection: 'busy' when too many listen, 'locked' when a key is asked for, else until it ends.
async function listen() {
  abort = new AbortController();
  const mine = abort;
  let silence = setTimeout(() => mine.abort(), 10000);
  try {
    const answer = await fetch('/events', { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal: mine.signal });
    if (answer.status === 401 || answer.status === 403) return 'locked';
    if (answer.status === 429) return 'busy';
    if (!answer.ok) return 'gone';
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return 'gone';
      clearTimeout(silence);
      silence = setTimeout(() => mine.abort(), SILENCE_S * 1000);
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) take(block);
      changed();
    }
  } finally {
    clearTimeout(silence);
  }
}

function take(block) {
  let name = 'message';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  if (!data) return;
  const value = JSON.parse(data);
  if (TAKE[name]) TAKE[name](value);
  else state.more[name] = value;
}
