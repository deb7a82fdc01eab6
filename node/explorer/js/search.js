// The search box: "/" jumps into it, Enter asks the node what the text may mean.

import { get } from "./api.js";
import { el, put } from "./dom.js";
import { count, short } from "./format.js";
import { go } from "./router.js";

const KINDS = { block: "Block", transaction: "Transaction", order: "Order", agreement: "Agreement", broker: "Broker", account: "Account" };

/** The page of a search hit. */
export function pageOf(hit) {
  if (hit.kind === "transaction") return `#/tx/${hit.id}`;
  if (hit.kind === "broker") return `#/book/${hit.id}`;
  return `#/${hit.kind}/${hit.id}`;
}

export function mountSearch(form) {
  const input = form.querySelector("input");
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
  input.addEventListener("keydown", (event) => { if (event.key === "Escape") input.blur(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text) go(`#/search?q=${encodeURIComponent(text)}`);
  });
}

/** Shows what was found; a single hit is opened at once. */
export async function searchPage(root, { query, alive }) {
  const text = (query.get("q") ?? "").trim().replace(/^#/, "").replace(/^0x/i, "");
  document.title = `${text} – search`;
  const title = el("h1", { text: `Search for “${short(text, 40)}”` });
  put(root, title, el("p", { class: "loading", text: "Searching …" }));
  const digits = text.replaceAll(",", "");
  const asked = /^\d+$/.test(digits) ? digits : text;
  const hits = asked ? (await get(`search?q=${encodeURIComponent(asked)}`)).data : [];
  if (!alive()) return; // a late answer must not lead the reader away from where he went since
  const kinds = new Set(hits.map((hit) => hit.kind));
  const shown = hits.filter((hit) => !(hit.kind === "broker" && kinds.has("account")));
  if (shown.length === 1) {
    location.replace(pageOf(shown[0]));
    return;
  }
  if (!shown.length) {
    put(root, title, el("section", { class: "card" }, el("div", { class: "empty", "data-testid": "nothing-found" }, el("strong", { text: "Nothing found" }),
      "Give a height, a whole hash, id or address of 64 digits, or part of a name. Orders and agreements can be found while the node remembers them.")));
    return;
  }
  put(root, title, el("section", { class: "card" }, el("table", {}, el("tbody", {}, shown.map((hit) => el("tr", { "data-testid": "hit" },
    el("td", {}, el("span", { class: "tag", text: KINDS[hit.kind] ?? hit.kind })),
    el("td", {}, el("a", { href: pageOf(hit), text: hit.name || (hit.kind === "block" ? count(hit.id) : hit.id) })),
    el("td", { class: "mono faint", text: hit.name ? short(hit.id, 16) : "" })))))));
}
