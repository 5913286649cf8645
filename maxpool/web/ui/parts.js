// Pieces that several screens share: states, bars, tables, empty places.

import { h } from './dom.js';
import { copy } from './api.js';
import { NBSP, ago, duration, percent, windowName, words } from './format.js';
import { now } from './store.js';

// Each state has a colour and a shape of its own: nobody has to tell colours apart.
const SHAPES = {
  ready: ['ok', 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z'],
  busy: ['ok', 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1zm0 2a3 3 0 0 1 0 6z'],
  home: ['ok', 'M6 1 1 5.5V11h3.6V8h2.8v3H11V5.500z'],
  cooling: ['warn', 'M6 1l5.300 10H.700z'],
  draining: ['warn', 'M6 11L.700 1h10.600z'],
  benched: ['bad', 'M1.500 1.500h9v9h-9z'],
  locked_out: ['bad', 'M1 3l2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z'],
  closed: ['bad', 'M1 3l2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z'],
  disabled: ['off', 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1zm0 1.600a3.400 3.400 0 1 1 0 6.800 3.400 3.400 0 0 1 0-6.800z'],
};

export function shape(name) {
  const [tone, path] = SHAPES[name] || SHAPES.disabled;
  return h('svg', { class: `shape ${tone}`, viewBox: '0 0 12 12', 'aria-hidden': 'true' }, h('path', { d: path, 'fill-rule': 'evenodd' }));
}

export const tone = (name) => (SHAPES[name] || SHAPES.disabled)[0];

export function stateOf(account) {
  const block = account.unavailable;
  const left = block?.until ? block.until - now() : null;
  const back = left !== null && left > 0 ? `, back in ${duration(left)}` : '';
  return { word: words(account.state), why: block ? (block.detail || words(block.reason)) + back : '', back: left };
}

export function badge(account, brief) {
  const { word, back } = stateOf(account);
  const told = !brief && back !== null && back > 0 ? `${word} ${duration(back)}` : word;
  return h('span', { class: `state ${tone(account.state)}` }, shape(account.state), told);
}

// Share of the window's time that has passed.
export function elapsed(w) {
  if (!w.reset_at || !w.length_s) return null;
  return Math.min(Math.max(1 - (w.reset_at - now()) / w.length_s, 0), 1);
}

export function heat(w) {
  if (w.benched_until && w.benched_until > now()) return 'bad';
  const used = w.utilization ?? 0;
  const gone = elapsed(w);
  return gone !== null && used > 0.5 && used > gone * 1.2 ? 'warn' : '';
}

// How far from an even burn, in points: what people can act on.
export function paceText(w) {
  const gone = elapsed(w);
  if (gone === null || w.utilization === null) return '';
  const points = Math.round((w.utilization - gone) * 100);
  if (Math.abs(points) <= 2) return 'on pace';
  return points > 0 ? `${points}${NBSP}pts fast` : `${-points}${NBSP}pts spare`;
}

export function bar(share, kind, tick, label) {
  const width = Math.min(Math.max(share ?? 0, 0), 1) * 100;
  return h('div', { class: 'bar', role: 'meter', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': String(Math.round(width)) },
    h('div', { class: `fill ${kind}`, style: { width: `${width.toFixed(1)}%` } }),
    tick === null || tick === undefined ? null : h('div', { class: 'tick', style: { left: `${(tick * 100).toFixed(1)}%` } }));
}

export function quota(w, name) {
  const left = w.reset_at ? w.reset_at - now() : null;
  const ends = w.exhausts_at && !(w.benched_until > now()) && w.exhausts_at > now() && (!w.reset_at || w.exhausts_at < w.reset_at);
  return h('div', { class: 'quota', key: `w ${w.window}` },
    h('span', { class: 'length' }, windowName(w.window)),
    bar(w.utilization, heat(w), elapsed(w), `${name}, ${windowName(w.window)}: ${percent(w.utilization)} used`),
    h('b', { class: 'share' }, percent(w.utilization)),
    h('span', { class: 'under' },
      h('span', null, left === null ? 'not begun' : left > 0 ? `resets in ${duration(left)}` : 'begins anew'),
      h('span', { class: ends ? 'warn-text' : '' }, ends ? `empty in ${duration(w.exhausts_at - now())}` : paceText(w))));
}

export const panel = (title, note, ...inside) => h('section', { class: 'panel' },
  h('header', null, h('h2', null, title), note ? h('p', { class: 'note' }, note) : null), ...inside);

export const empty = (text, ...more) => h('div', { class: 'empty' }, h('p', null, text), ...more);

// heads: [text, class]; rows: {key, cells, open, onclick, label, below}
export function table(label, heads, rows, none) {
  if (!rows.length) return empty(none || 'Nothing yet.');
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
    h('table', null,
      h('thead', null, h('tr', null, heads.map(([text, kind]) => h('th', { class: kind, scope: 'col' }, text)))),
      h('tbody', null, rows.map((row) => [
        h('tr', { key: row.key, class: `${row.onclick ? 'can' : ''} ${row.open ? 'open' : ''} ${row.kind || ''}`, onclick: row.onclick ? (e) => { if (!e.target.closest('button,a,select')) row.onclick(); } : undefined },
          row.cells.map((cell, i) => h('td', { class: heads[i][1] },
            i === 0 && row.onclick ? h('button', { class: 'plain', 'aria-expanded': String(!!row.open), 'aria-label': row.label, onclick: row.onclick }, cell) : cell))),
        row.open ? h('tr', { key: `${row.key} below`, class: 'below' }, h('td', { colspan: String(heads.length) }, row.below())) : null,
      ]))));
}

export function code(text) {
  return h('div', { class: 'code' }, h('code', null, text), h('button', { class: 'small', onclick: () => copy(text), 'aria-label': `Copy: ${text}` }, 'Copy'));
}

export const field = (label, control) => h('label', { class: 'field' }, h('span', null, label), control);

export function choice(label, value, options, onchange) {
  return field(label, h('select', { value, onchange: (e) => onchange(e.target.value) },
    options.map(([key, text]) => h('option', { value: key, key: `o ${key}`, selected: key === value }, text))));
}

export function tabs(label, value, options, onchoose) {
  return h('div', { class: 'tabs', role: 'group', 'aria-label': label },
    options.map(([key, text]) => h('button', { key, 'aria-pressed': String(key === value), onclick: () => onchoose(key) }, text)));
}

export const facts = (pairs) => h('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, value, kind]) => h('div', { key: name }, h('dt', null, name), h('dd', { class: kind }, value))));

export const since = (at) => (at ? ago(now() - at) : '–');

// Of a choice: the terms that made it, the largest first.
export function why(request) {
  if (request.refusal && !request.account) return words(request.refusal);
  if (request.rebind === 'need') return 'moved: its home could not serve';
  if (request.rebind === 'choice') return 'moved by choice';
  const terms = Object.entries(request.terms || {});
  if (!terms.length) return request.account ? 'first free' : '–';
  const best = terms.reduce((a, b) => (b[1] < a[1] ? b : a));
  if (best[0] === 'warm' && best[1] < 0) return 'cache is warm there';
  if (best[0] === 'parent' && best[1] < 0) return 'near its parent';
  if (best[0] === 'prefix' && best[1] < 0) return 'same prefix is warm';
  if (best[0] === 'opening' && best[1] < 0) return 'opens its window';
  return 'cheapest now';
}

export function verdictOf(request) {
  if (request.ended_at === null && request.status === null) return { text: request.account ? 'running' : 'waiting', kind: 'run' };
  if (request.status === 0) return { text: 'client left', kind: 'off' };
  if (request.status >= 400) return { text: String(request.status), kind: 'bad' };
  return { text: String(request.status), kind: 'ok' };
}
