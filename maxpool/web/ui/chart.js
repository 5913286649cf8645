// Each account's use of a window against that account's own time: the diagonal is an even pace for all of
// them. Solid is what was read, dashed what comes if it goes on so.

import { h } from './dom.js';
import { wantKept } from './api.js';
import { NBSP, duration, percent, windowName } from './format.js';
import { elapsed, empty, panel, tabs } from './parts.js';
import { accounts, changed, now, state } from './store.js';

const MOST_LINES = 10;
const view = { window: '7d', off: new Set() };
const COLOURS = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8', '--c9', '--c10'];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// What the ledger has of this window since it began, else what was seen from here.
function points(a, w) {
  const began = w.reset_at - w.length_s;
  const told = wantKept(`/status/readings?since=${Math.floor((now() - 8 * 86400) / 3600) * 3600}&window=${view.window}`, 300).data;
  const kept = (told?.readings || []).filter((r) => (r.account_id ?? r.account) === a.id && r.window === w.window && r.at >= began).map((r) => [r.at, r.utilization]);
  const seen = (state.track.get(`${a.id} ${w.window}`) || []).filter((p) => p[0] >= began && Math.abs((p[2] ?? w.reset_at) - w.reset_at) < 120);
  const from = seen.length ? seen[0][0] : Infinity;
  const all = [...kept.filter((p) => p[0] < from), ...seen.map((p) => [p[0], p[1]])].sort((p, q) => p[0] - q[0]);
  return all.map(([at, share]) => [(at - began) / w.length_s, share]);
}

function lines() {
  const found = [];
  for (const a of accounts()) {
    const w = a.windows.find((x) => x.window === view.window);
    if (!w || w.utilization === null || !w.reset_at || !w.length_s || a.state === 'disabled') continue;
    found.push({ id: a.id, name: a.name, w, used: w.utilization });
  }
  found.sort((p, q) => q.used - p.used);
  const shown = found.slice(0, MOST_LINES);
  shown.sort((p, q) => p.name.localeCompare(q.name));
  shown.forEach((one, i) => { one.colour = COLOURS[i]; one.points = points({ id: one.id }, one.w); });
  return { shown, more: found.length - shown.length };
}

function data(shown) {
  const xs = new Set([0, 1]);
  const drawn = shown.filter((one) => !view.off.has(one.id)).map((one) => {
    const here = elapsed(one.w) ?? 0;
    const solid = new Map(one.points.map(([x, y]) => [x, y]));
    solid.set(here, one.used);
    const dashed = new Map([[here, one.used]]);
    const end = one.w.projected_at_reset;
    if (end !== null && end !== undefined && here < 1) {
      if (end > 1 && one.used < 1) { dashed.set(here + ((1 - one.used) / (end - one.used)) * (1 - here), 1); } else dashed.set(1, end);
    }
    for (const x of [...solid.keys(), ...dashed.keys()]) xs.add(x);
    return { one, here, solid, dashed };
  });
  const x = [...xs].sort((p, q) => p - q);
  const column = (map) => x.map((at) => (map.has(at) ? map.get(at) : undefined)); // undefined: drawn through
  return { drawn, table: [x, x.map((at) => at), ...drawn.flatMap((d) => [column(d.solid), column(d.dashed)])] };
}

let plot = null;
let drawnFor = '';

function draw(node) {
  if (typeof uPlot === 'undefined') return;
  const { shown } = lines();
  const { drawn, table } = data(shown);
  const width = node.clientWidth;
  const shape = `${width} ${view.window} ${document.documentElement.dataset.theme} ${matchMedia('(prefers-color-scheme: dark)').matches} ${drawn.map((d) => d.one.id)}`;
  if (plot && shape === drawnFor) { plot.setData(table); return; }
  plot?.destroy();
  drawnFor = shape;
  const axis = { stroke: css('--dim'), font: '12px system-ui, sans-serif', grid: { stroke: css('--line'), width: 1 }, ticks: { show: false } };
  const length = drawn[0]?.one.w.length_s ?? 604800;
  const days = length === 604800;
  const tick = days ? Array.from({ length: 8 }, (_, i) => i / 7) : [0, 0.2, 0.4, 0.6, 0.8, 1];
  plot = new uPlot({
    width, height: 240, cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } }, legend: { show: false }, padding: [10, 22, 0, 0],
    scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } },
    axes: [
      { ...axis, size: 30, splits: () => tick, values: (_, list) => list.map((v) => (v === 0 ? 'begin' : v === 1 ? 'reset' : days ? `day ${Math.round(v * 7)}` : `${Math.round(v * 100)} %`)) },
      { ...axis, size: 50, splits: () => [0, 0.25, 0.5, 0.75, 1], values: (_, list) => list.map((v) => `${Math.round(v * 100)} %`) }],
    series: [{},
      { label: 'even pace', stroke: css('--dim'), width: 1, dash: [3, 5], points: { show: false } },
      ...drawn.flatMap(({ one }) => [
        { label: one.name, stroke: css(one.colour), width: 2, spanGaps: true, points: { show: false } },
        { label: `${one.name}, projected`, stroke: css(one.colour), width: 1.5, dash: [5, 5], spanGaps: true, points: { show: false } }])],
    hooks: { draw: [(u) => { for (const [i, d] of data(lines().shown).drawn.entries()) dot(u, d.here, d.one.used, css(d.one.colour), i); }] },
  }, table, node);
}

function dot(u, x, y, colour) {
  const { ctx } = u;
  ctx.save();
  ctx.fillStyle = colour;
  ctx.beginPath();
  ctx.arc(u.valToPos(x, 'x', true), u.valToPos(y, 'y', true), 4 * (window.devicePixelRatio || 1), 0, Math.PI * 2);
  ctx.fill();
  ctx.restore();
}

function mounted(node) {
  plot = null;
  draw(node);
  const watch = new ResizeObserver(() => { if (node.isConnected) draw(node); });
  watch.observe(node);
  node.__watch = watch;
}

function leaving(node) {
  node.__watch?.disconnect();
  plot?.destroy();
  plot = null;
  drawnFor = '';
}

export function burnChart() {
  const names = [...new Set(accounts().flatMap((a) => a.windows.map((w) => w.window)))].filter((n) => n === '5h' || n === '7d').sort().reverse();
  if (names.length && !names.includes(view.window)) [view.window] = names;
  const { shown, more } = lines();
  const pick = names.length > 1 ? tabs('Window', view.window, names.map((n) => [n, n === '7d' ? 'Week' : windowName(n)]), (to) => { view.window = to; changed(); }) : null;
  if (!shown.length) return panel('Burn', null, empty(accounts().some((a) => a.windows.length) ? 'No window of a plan is open.' : 'Only plans have quota windows; keys have rate limits.'));
  const toggle = (id) => { if (view.off.has(id)) view.off.delete(id); else view.off.add(id); changed(); };
  return panel('Burn', 'each account against its own window; the diagonal is an even pace', pick,
    h('div', { class: 'chart', key: `chart ${view.window}`, opaque: true, mounted, updated: draw, leaving, role: 'img', 'aria-label': told(shown) }),
    h('ul', { class: 'legend' }, shown.map((one) => h('li', { key: one.id }, h('button', { 'aria-pressed': String(!view.off.has(one.id)), onclick: () => toggle(one.id) },
      h('i', { style: { background: `var(${one.colour})` } }), one.name, h('b', null, percent(one.used)), h('small', null, ends(one.w))))),
    more > 0 ? h('li', { class: 'note' }, `and ${more} with less in use`) : null));
}

function ends(w) {
  if (w.utilization >= 1 || (w.benched_until && w.benched_until > now())) return 'used up';
  if (w.exhausts_at && w.exhausts_at < w.reset_at && w.exhausts_at > now()) return `empty in ${duration(w.exhausts_at - now())}`;
  return w.projected_at_reset === null || w.projected_at_reset === undefined ? '' : `→${NBSP}${percent(Math.min(w.projected_at_reset, 1))}`;
}

const told = (shown) => `Use of the ${windowName(view.window)} window: ${shown.map((one) => `${one.name} ${percent(one.used)} after ${percent(elapsed(one.w))} of its time`).join('; ')}`;
