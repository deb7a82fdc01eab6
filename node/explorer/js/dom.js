// Builds elements from text and nodes. There is no way in here for a string of markup, so nothing
// that comes from the chain (a memo, a name) can ever become more than text.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

/** Appends nodes and text; null and false are left out, lists are flattened. */
export function add(node, children) {
  for (const child of children.flat(4)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** An HTML element: el("td", {class: "num"}, "12", node). `on…` properties are listeners. */
export function el(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** Replaces everything inside a node. */
export function put(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

/** Sets text only where it differs, so that selections and screen readers are left alone. */
export function say(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
  return node;
}

/** Sets or removes an attribute, only where it differs. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/**
 * Keeps one child per item, in the order of items, reusing the nodes of items seen before.
 * `known` is a Map of key to node that belongs to the caller.
 */
export function keyed(parent, known, items, keyOf, make, update) {
  const alive = new Set();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    alive.add(key);
    let node = known.get(key);
    if (!node) {
      node = make(item);
      known.set(key, node);
    }
    update?.(node, item);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const [key, node] of known) {
    if (!alive.has(key)) {
      node.remove();
      known.delete(key);
    }
  }
}

const SHEETS = "M6 5.5V3.2A1.2 1.2 0 0 1 7.2 2h5.6A1.2 1.2 0 0 1 14 3.2v6.6a1.2 1.2 0 0 1-1.2 1.2H10.5M3.2 5.5h6a1.2 1.2 0 0 1 1.2 1.2v6.1a1.2 1.2 0 0 1-1.2 1.2h-6A1.2 1.2 0 0 1 2 12.8V6.7a1.2 1.2 0 0 1 1.2-1.2z";
const TICK = "M3 8.5l3.4 3.5L13 4.5";

/** A line drawing of 16 by 16. */
export function icon(path, size = 14) {
  return svg("svg", { class: "icon", viewBox: "0 0 16 16", width: size, height: size, "aria-hidden": "true" }, svg("path", { d: path }));
}

/** A small button that copies `text`. */
export function copyButton(text, label = "Copy") {
  const button = el("button", {
    type: "button", class: "copy", title: label, "aria-label": label,
    onclick: async () => {
      const done = await copy(text);
      put(button, done ? icon(TICK) : "failed");
      button.classList.toggle("done", done);
      announce(done ? "Copied" : "Could not copy");
      setTimeout(() => { put(button, icon(SHEETS)); button.classList.remove("done"); }, 1400);
    },
  }, icon(SHEETS));
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure context there is no clipboard interface; the old way still works.
    const area = el("textarea", { class: "unseen", value: text, "aria-hidden": "true" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Tells screen readers. */
export function announce(text) {
  const place = document.getElementById("announce");
  if (place) say(place, text);
}

/** A panel with a heading; returns {card, head, aside, body}. */
export function panel(title, testid, ...headings) {
  const id = `panel-${testid}`;
  const aside = el("span", { class: "aside" });
  const head = el("header", {}, el("h2", { id, text: title }), headings, aside);
  const body = el("div", { class: "body" });
  const card = el("section", { class: `card ${testid}`, "aria-labelledby": id, "data-testid": testid }, head, body);
  return { card, head, aside, body };
}

/** What a panel says while there is nothing to show. */
export function empty(title, text) {
  return el("div", { class: "empty" }, el("strong", { text: title }), text);
}
