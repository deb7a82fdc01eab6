// What the detail pages share: headings with the API button, facts, tabs, JSON, failures.

import { curl } from "./api.js";
import { copyButton, el, put } from "./dom.js";

/** Title, subtitle, and the button that shows the exact command behind this page. */
export function heading(kind, title, path, ...subtitle) {
  const command = curl(path);
  const shown = el("div", { class: "curl", hidden: true, "data-testid": "curl" }, el("code", { class: "mono", text: command }), copyButton(command, "Copy command"), el("a", { href: `/v1/${path}`, text: "open" }));
  const button = el("button", {
    type: "button", class: "button", "aria-expanded": "false", "data-testid": "api", text: "API",
    onclick: () => {
      shown.hidden = !shown.hidden;
      button.setAttribute("aria-expanded", String(!shown.hidden));
    },
  });
  return el("header", { class: "heading" },
    el("div", { class: "line" }, el("div", {}, el("p", { class: "kind", text: kind }), el("h1", { "data-testid": "title" }, title)), el("div", { class: "actions" }, button)),
    shown, subtitle.length ? el("p", { class: "subtitle" }, subtitle) : null);
}

/** A list of names and values; pairs whose value is null are left out. */
export function facts(pairs) {
  return el("dl", { class: "facts-list" }, pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined).map(([name, ...value]) => el("div", {}, el("dt", { text: name }), el("dd", {}, value))));
}

/** A card with a heading. */
export function section(title, ...children) {
  return el("section", { class: "card" }, title && el("header", {}, el("h2", { text: title })), children);
}

/** A table in a card that scrolls sideways by itself when it must. */
export function table(heads, rows) {
  const head = heads.map((each) => el("th", { scope: "col", class: each.startsWith(">") ? "right" : "", text: each.replace(">", "") }));
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}

export function rowOf(...cells) {
  return el("tr", {}, cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : el("td", {}, cell))));
}

export function right(...children) {
  return el("td", { class: "right num" }, children);
}

/** JSON as the node sent it. */
export function json(value) {
  const text = JSON.stringify(value, null, 2);
  return el("div", { class: "json" }, copyButton(text, "Copy JSON"), el("pre", { tabindex: "0", text }));
}

/** Tabs by keyboard and pointer; `pages` is [name, () => node] and nodes are made when shown. */
export function tabs(pages) {
  const place = el("div", { class: "tab-place", role: "tabpanel" });
  const buttons = pages.map(([name, make], index) => el("button", {
    type: "button", role: "tab", text: name, "data-testid": `tab-${name.toLowerCase().split(" ")[0]}`,
    onclick: () => choose(index),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose((index + step + pages.length) % pages.length, true);
    },
  }));
  const choose = (chosen, focus = false) => {
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", String(index === chosen));
      button.tabIndex = index === chosen ? 0 : -1;
    });
    if (focus) buttons[chosen].focus();
    put(place, pages[chosen][1]());
  };
  choose(0);
  return el("div", { class: "tabs" }, el("div", { class: "tab-row", role: "tablist" }, buttons), place);
}

/** What is shown when a page cannot be had. */
export function failure(error, again) {
  const titles = { not_found: "Not here", pruned: "Not kept any more", unreachable: "Node unreachable", rate_limited: "Too many requests" };
  return el("section", { class: "card" }, el("div", { class: "empty", "data-testid": "failure" },
    el("strong", { text: titles[error.code] ?? "This did not work" }), el("p", { text: error.message }),
    error.hint && el("p", { text: error.hint }),
    el("p", { class: "again" }, el("button", { type: "button", class: "button", text: "Try again", onclick: again }), " ", el("a", { class: "button", href: "#/", text: "First page" }))));
}

/** A message where a list is empty. */
export function none(text) {
  return el("div", { class: "empty", text });
}
