// Elements as plain values, and the least change that makes the page show them. Text is always text:
// nothing here can turn a string into markup.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'rect', 'circle', 'line', 'g', 'polyline', 'text', 'title']);
const AS_PROPERTY = new Set(['value', 'checked', 'disabled', 'open', 'hidden', 'selected']);

export function h(tag, props, ...children) {
  return { tag, props: props || {}, key: props?.key ?? null, children: flat(children, []), node: null };
}

function flat(list, into) {
  for (const one of list) {
    if (Array.isArray(one)) flat(one, into);
    else if (one === null || one === undefined || one === false || one === true) continue;
    else if (typeof one === 'object') into.push(one);
    else into.push({ tag: '', text: String(one), key: null, node: null });
  }
  return into;
}

export function render(into, view) {
  const before = into.__view;
  if (!before) into.replaceChildren(create(view, false));
  else if (alike(before, view)) update(before, view);
  else { leave(before); into.replaceChildren(create(view, false)); }
  into.__view = view;
}

const alike = (a, b) => a.tag === b.tag && a.key === b.key;

function create(view, inSvg) {
  if (!view.tag) return (view.node = document.createTextNode(view.text));
  const svg = inSvg || view.tag === 'svg' || (SVG_TAGS.has(view.tag) && view.tag !== 'text' && view.tag !== 'title');
  const node = view.node = svg ? document.createElementNS(SVG, view.tag) : document.createElement(view.tag);
  view.svg = svg;
  for (const child of view.children) node.append(create(child, svg));
  for (const name in view.props) set(node, name, view.props[name], undefined);
  view.props.mounted?.(node);
  return node;
}

function leave(view) {
  if (!view.tag) return;
  view.props.leaving?.(view.node);
  for (const child of view.children) leave(child);
}

function update(old, view) {
  const node = view.node = old.node;
  if (!view.tag) {
    if (old.text !== view.text) node.data = view.text;
    return;
  }
  view.svg = old.svg;
  if (!view.props.opaque) children(node, old.children, view.children, view.svg);
  for (const name in old.props) if (!(name in view.props)) set(node, name, undefined, old.props[name]);
  for (const name in view.props) {
    if (view.props[name] !== old.props[name] || AS_PROPERTY.has(name)) set(node, name, view.props[name], old.props[name]);
  }
  view.props.updated?.(node);
}

function children(parent, before, after, svg) {
  const keyed = new Map();
  const loose = [];
  for (const one of before) (one.key === null ? loose.push(one) : keyed.set(one.key, one));
  let at = 0;
  const kept = new Set();
  for (const view of after) {
    let match;
    if (view.key !== null) match = keyed.get(view.key);
    else { match = loose[at]; at += 1; }
    if (match && alike(match, view)) { update(match, view); kept.add(match); } else create(view, svg);
  }
  for (const one of before) if (!kept.has(one)) { leave(one); one.node.remove(); }
  let here = parent.firstChild;
  for (const view of after) {
    if (view.node === here) here = here.nextSibling;
    else parent.insertBefore(view.node, here);
  }
}

function set(node, name, value, old) {
  if (name === 'key' || name === 'mounted' || name === 'updated' || name === 'leaving' || name === 'opaque') return;
  if (name.startsWith('on')) {
    const kind = name.slice(2);
    node.__on ||= {};
    if (!(kind in node.__on)) node.addEventListener(kind, (event) => node.__on[kind]?.(event));
    node.__on[kind] = value;
  } else if (name === 'style') {
    for (const key in old || {}) if (!(key in (value || {}))) node.style.removeProperty(key);
    for (const key in value || {}) if (!old || old[key] !== value[key]) node.style.setProperty(key, value[key]);
  } else if (AS_PROPERTY.has(name) && name in node) {
    const wanted = value ?? (name === 'value' ? '' : false);
    if (node[name] !== wanted) node[name] = wanted;
  } else if (value === undefined || value === null || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? '' : value);
}
