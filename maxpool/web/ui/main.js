// The page: where one is, what stands there, and when it is drawn.

import { h, render } from './dom.js';
import { accountDrawer } from './account.js';
import { notes, signOut } from './api.js';
import { percent } from './format.js';
import { eventsScreen } from './events.js';
import { poolScreen } from './pool.js';
import { providersScreen } from './providers.js';
import { requestsScreen } from './requests.js';
import { sessionsScreen } from './sessions.js';
import { settingsScreen } from './settings.js';
import { askForKey, asksForKey, closeKeyForm, firstRun, goneBanner, lockedScreen, signInDialog } from './start.js';
import { follow, onChange, state } from './store.js';
import { usageScreen } from './usage.js';

const SCREENS = { pool: ['Pool', poolScreen], sessions: ['Sessions', sessionsScreen], requests: ['Requests', requestsScreen], usage: ['Usage', usageScreen], providers: ['Providers', providersScreen], events: ['Events', eventsScreen], settings: ['Settings', settingsScreen] };

let behind = 'pool'; // the screen under the drawer
let from = null; // what had the focus before something opened over the page

function place() {
  const [, name, id] = location.hash.split('/');
  if (name === 'account' && id) return { screen: behind, account: decodeURIComponent(id) };
  behind = SCREENS[name] ? name : 'pool';
  return { screen: behind, account: null };
}

const LINK = { live: ['ok', 'live'], connecting: ['off', 'connecting'], gone: ['bad', 'gone'], busy: ['warn', 'too many'], locked: ['off', 'locked'] };
const THEMES = { auto: ['◐', 'as the system'], dark: ['☾', 'dark'], light: ['☀', 'light'] };

function theme() { return document.documentElement.dataset.theme || 'auto'; }

function nextTheme() {
  const to = { auto: 'dark', dark: 'light', light: 'auto' }[theme()];
  if (to === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = to;
  try { localStorage.setItem('maxpool.theme', to); } catch { /* then it holds for this page */ }
  draw();
}

function head(at) {
  const [kind, word] = LINK[state.link];
  return h('header', { class: 'top' },
    h('a', { class: 'brand', href: '#/pool', 'aria-label': 'maxpool' }, h('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, h('rect', { x: '1', y: '9', width: '3.4', height: '6', rx: '1' }), h('rect', { x: '6.3', y: '5.5', width: '3.4', height: '9.5', rx: '1' }), h('rect', { x: '11.6', y: '1', width: '3.4', height: '14', rx: '1' })), h('b', null, 'maxpool')),
    h('nav', { 'aria-label': 'Screens' }, Object.entries(SCREENS).map(([name, [title]]) => h('a', { key: name, href: `#/${name}`, 'aria-current': at.screen === name ? 'page' : undefined }, title))),
    h('div', { class: 'right' },
      h('span', { class: `link ${kind}`, role: 'status' }, h('i', { 'aria-hidden': 'true' }), word),
      state.ready && state.you.can_sign_in ? h('button', { class: 'quiet', onclick: state.you.admin ? signOut : askForKey }, state.you.admin ? 'Sign out' : 'Sign in') : null,
      h('button', { class: 'quiet icon', onclick: nextTheme, 'aria-label': `Theme: ${THEMES[theme()][1]}`, title: `Theme: ${THEMES[theme()][1]}` }, THEMES[theme()][0])));
}

function body(at) {
  if (!state.ready) return state.link === 'locked' ? lockedScreen() : state.link === 'connecting' ? h('p', { class: 'loading' }, 'Looking at the pool') : h('div', { class: 'screen start' }, h('h1', null, 'Nobody answers'), h('p', { class: 'lead' }, 'The page is here, the server behind it is not.'));
  if (!state.order.length && at.screen === 'pool') return firstRun();
  return SCREENS[at.screen][1]();
}

function view() {
  const at = place();
  const over = at.account && state.ready;
  return h('div', { class: `page ${state.link === 'gone' && state.ready ? 'stale' : ''}` },
    h('div', { key: 'under', inert: over || asksForKey() ? true : undefined }, head(at), goneBanner(), h('main', { key: at.screen, id: 'main' }, body(at))),
    over ? accountDrawer(at.account, closeDrawer) : null, signInDialog(),
    h('div', { class: `toast ${notes.text ? 'shown' : ''} ${notes.bad ? 'bad' : ''}`, key: 'toast', role: 'status', 'aria-live': 'polite' }, notes.text));
}

function closeDrawer() { location.hash = `#/${behind}`; }

let asked = false;
function draw() {
  if (asked) return;
  asked = true;
  const go = () => {
    asked = false;
    const s = state.summary;
    document.title = state.ready && state.link === 'live' ? `${s.accounts_ready}/${s.accounts_total} ready${s.headroom['5h'] === null ? '' : ` · ${percent(s.headroom['5h'])} free`} · maxpool` : 'maxpool';
    const over = place().account || asksForKey();
    if (over && !from) from = document.activeElement;
    render(document.getElementById('app'), view());
    if (!over && from) { if (from.isConnected) from.focus(); from = null; }
  };
  if (document.hidden) setTimeout(go, 250);
  else requestAnimationFrame(go);
}

// What is open over the page keeps the focus; Escape closes it.
addEventListener('keydown', (event) => {
  const open = [...document.querySelectorAll('[data-trap]')].pop();
  if (!open) return;
  if (event.key === 'Escape') { event.preventDefault(); if (asksForKey()) closeKeyForm(); else closeDrawer(); return; }
  if (event.key !== 'Tab') return;
  const stops = [...open.querySelectorAll('a[href],button:not([disabled]),input,select,[tabindex="0"]')].filter((n) => n.offsetParent !== null);
  if (!stops.length) { event.preventDefault(); return; }
  const at = stops.indexOf(document.activeElement);
  if (event.shiftKey && at <= 0) { event.preventDefault(); stops[stops.length - 1].focus(); } else if (!event.shiftKey && at === stops.length - 1) { event.preventDefault(); stops[0].focus(); }
});

addEventListener('hashchange', () => { scrollTo(0, 0); draw(); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
onChange(draw);
setInterval(() => { if (!document.hidden) draw(); }, 1000);
draw();
follow();
