// Links to the pages of this explorer, always built from text, and the small words around them.

import { nameOf } from "./api.js";
import { el, copyButton } from "./dom.js";
import { count, exact, short, tokens, utc, ago } from "./format.js";

const HUES = 12;
const hues = new Map();

/** Gives each validator its colour: by place in the voting set, kept once given. */
export function colourValidators(addresses) {
  for (const address of addresses) if (!hues.has(address)) hues.set(address, hues.size % HUES);
}

/** The class that carries an account's colour, "" for accounts that are no validators. */
export function hueOf(address) {
  return hues.has(address) ? `hue-${hues.get(address)}` : "";
}

export function toBlock(height, text = `#${count(height)}`) {
  return el("a", { href: `#/block/${height}`, class: "num", text });
}

export function toTransaction(hash, text = short(hash, 10)) {
  return el("a", { href: `#/tx/${hash}`, class: "mono", title: hash, text });
}

/** An order or agreement; `at` is a height whose block tells of it, for when the state no longer does. */
export function toContract(kind, id, at, text = short(id, 8)) {
  const query = at ? `?at=${at}` : "";
  return el("a", { href: `#/${kind}/${id}${query}`, class: "mono", title: id, text });
}

/** An account by name and colour, or by the beginning of its address. */
export function who(address, { plain = false } = {}) {
  const name = nameOf(address);
  const hue = hueOf(address);
  const inner = [
    hue && el("span", { class: `dot ${hue}`, "aria-hidden": "true" }),
    el("span", { class: name ? "name" : "name mono", text: name || short(address, 10) }),
  ];
  if (plain) return el("span", { class: "who", title: address }, inner);
  return el("a", { class: "who", href: `#/account/${address}`, title: address }, inner);
}

/** A full hash or address that wraps, with a copy button. */
export function whole(hex) {
  return el("span", { class: "whole" }, el("span", { class: "mono", text: hex }), copyButton(hex));
}

/** An amount with two places; the title has all of them. */
export function money(micro, digits = 2) {
  return el("span", { class: "num", title: `${exact(micro)} tokens`, text: tokens(micro, digits) });
}

/** The paper's name of a turn, "V*" or "V^b_2", set as in the paper. */
export function role(name) {
  const backup = /^V\^b_(\d+)$/.exec(name);
  if (!backup) return el("span", { class: "role", "aria-label": "V star", title: "V*: first in the drawn order", text: name });
  return el(
    "span", { class: "role", "aria-label": `backup ${backup[1]}`, title: `V^b_${backup[1]}: backup ${backup[1]}` }, "V",
    el("span", { class: "pair", "aria-hidden": "true" }, el("span", { text: "b" }), el("span", { text: backup[1] })),
  );
}

/** A time as "4 s ago", with the exact one in the title; `tick` in clock.js keeps it true. */
export function when(timeMs, nowMs) {
  return el("time", {
    datetime: new Date(timeMs).toISOString(), title: utc(timeMs), "data-time": timeMs,
    class: "nowrap", text: ago(nowMs - timeMs),
  });
}
