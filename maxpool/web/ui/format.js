// Numbers, times and words as people read them; the same words as in the terminal.

export const NBSP = '\u00a0';

export function duration(seconds) {
  const left = Math.ceil(Math.min(Math.max(seconds, 0), 366 * 86400));
  if (left < 60) return `${left}${NBSP}s`;
  const minutes = Math.ceil(left / 60);
  if (minutes < 60) return `${minutes}${NBSP}min`;
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  if (hours < 24) return rest ? `${hours}${NBSP}h ${rest}${NBSP}min` : `${hours}${NBSP}h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days}${NBSP}d ${hours % 24}${NBSP}h` : `${days}${NBSP}d`;
}

export const ago = (seconds) => (seconds < 1.5 ? 'now' : `${duration(seconds)} ago`);

export const percent = (share, digits = 0) => (share === null || share === undefined ? '–' : `${(share * 100).toFixed(digits)}${NBSP}%`);

export function count(number) {
  if (number === null || number === undefined) return '–';
  const size = Math.abs(number);
  if (size >= 1e9) return `${(number / 1e9).toFixed(2)}${NBSP}G`;
  if (size >= 1e6) return `${(number / 1e6).toFixed(size >= 1e7 ? 1 : 2)}${NBSP}M`;
  if (size >= 1e4) return `${(number / 1e3).toFixed(size >= 1e5 ? 0 : 1)}${NBSP}k`;
  return new Intl.NumberFormat('en').format(Math.round(number));
}

export const many = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 950) return `${Math.round(ms)}${NBSP}ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(1)}${NBSP}s` : duration(ms / 1000);
}

export const money = (usd) => (usd === null || usd === undefined ? '–' : `$${usd >= 100 ? usd.toFixed(0) : usd >= 0.1 || usd === 0 ? usd.toFixed(2) : usd.toFixed(4)}`);

const two = (n) => String(n).padStart(2, '0');

export function clock(at, seconds = false) {
  const date = new Date(at * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ''}`;
}

// A time that is still to come: with its day when that is not today.
export function when(at, now) {
  const date = new Date(at * 1000);
  const today = new Date(now * 1000).toDateString() === date.toDateString();
  return today ? clock(at) : `${date.toLocaleDateString('en', { weekday: 'short' })} ${clock(at)}`;
}

export function moment(at, now) {
  const date = new Date(at * 1000);
  const same = new Date(now * 1000).toDateString() === date.toDateString();
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return same ? clock(at, Math.abs(now - at) < 600) : `${day} ${clock(at)}`;
}

export const words = (text) => String(text ?? '').replaceAll('_', ' ');

export function windowName(name) {
  const [length, family] = String(name).split(':');
  const told = length.replace(/^(\d+)([hd])$/, `$1${NBSP}$2`);
  return family ? `${told} ${family}` : told;
}

export function planName(account) {
  const kind = { api_key: 'API key', subscription: 'subscription', oauth: 'login', provider: 'provider', client: 'client login', home: 'home' }[account.kind] || words(account.kind);
  if (!account.plan) return kind;
  const told = { max_20x: 'Max 20x', max_5x: 'Max 5x', pro: 'Pro', team: 'Team' }[account.plan];
  return told || words(account.plan);
}

export function shortSession(session) {
  if (!session) return '–';
  const [own, agent] = session.split('/');
  return own.slice(0, 8) + (agent ? `/${agent.slice(0, 6)}` : '');
}

export const shortModel = (model) => String(model || '').replace(/^claude-/, '');
