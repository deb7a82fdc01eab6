// All rounds that traded, newest first; the filters are in the address of the page.

import { get } from "../api.js";
import { el, put } from "../dom.js";
import { count } from "../format.js";
import { money, when } from "../links.js";
import { downloads } from "../market.js";
import { heading, none, right, rowOf, section, table } from "../parts.js";
import { nowMs } from "../store.js";

const LIMIT = 50;
const HEADS = ["Round", "Time", ">Trades", ">Mean price", ">Lowest", ">Highest", ">Paid", ">Received", ">Brokers", ">Welfare"];

const roundRow = (round) => {
  const row = rowOf(el("a", { href: `#/round/${round.height}`, class: "num", text: `#${count(round.height)}` }), when(round.time_ms, nowMs()), right(count(round.trades)),
    right(money(round.price_micro)), right(money(round.low_micro)), right(money(round.high_micro)), right(money(round.paid_micro)), right(money(round.received_micro)), right(money(round.broker_micro)), right(money(round.value_micro - round.cost_micro)));
  row.dataset.testid = "round-row";
  return row;
};

/** Rounds as a table. */
export function roundsTable(rounds) {
  return table(HEADS, rounds.map(roundRow));
}

/** The filters of a list: a broker to choose, an account by address; choosing changes the address. */
export async function filters(name, query) {
  const { data: brokers } = await get("brokers");
  const select = el("select", { "aria-label": "Broker", "data-testid": "filter-broker" }, el("option", { value: "", text: "All brokers" }), brokers.map((each) => el("option", { value: each.address, text: each.name || each.address.slice(0, 10) })));
  select.value = query.get("broker") ?? "";
  const account = el("input", { type: "search", class: "filter", "aria-label": "Account", placeholder: "Account, 64 hex digits", maxlength: 64, value: query.get("account") ?? "", "data-testid": "filter-account" });
  const go = (event) => {
    event.preventDefault();
    const wanted = new URLSearchParams();
    if (select.value) wanted.set("broker", select.value);
    if (account.value.trim()) wanted.set("account", account.value.trim().toLowerCase());
    location.hash = `#/${name}${wanted.size ? `?${wanted}` : ""}`;
  };
  select.addEventListener("change", go);
  return el("form", { class: "filters", onsubmit: go }, select, account, el("button", { class: "button", text: "Filter" }));
}

/** A list page: heading, filters, rows, and a button for older ones. */
export async function listPage(root, { query, alive }, { name, kind, title, heads, toRow, nothing }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  document.title = `${title} – TwinChain`;
  const wanted = new URLSearchParams();
  for (const key of ["broker", "account"]) if (query.get(key)) wanted.set(key, query.get(key));
  const path = `${name}${wanted.size ? `?${wanted}` : ""}`;
  const form = await filters(name, query);
  const shown = table(heads, []);
  const rows = shown.querySelector("tbody");
  const place = el("div", { "data-testid": "list" });
  const more = el("button", { type: "button", class: "button", text: "Older", hidden: true, onclick: () => load() });
  let cursor = query.get("cursor") ?? "";
  const load = async () => {
    more.disabled = true;
    const asked = new URLSearchParams(wanted);
    asked.set("limit", LIMIT);
    if (cursor) asked.set("cursor", cursor);
    const answer = await get(`${name}?${asked}`);
    rows.append(...answer.data.map(toRow));
    cursor = answer.next_cursor ?? "";
    put(place, rows.children.length ? shown : none(cursor ? "Nothing in the newest blocks; look further back." : nothing));
    more.hidden = !cursor;
    more.disabled = false;
  };
  await load();
  if (!alive()) return;
  put(root, heading(kind, title, path, downloads(path)), form, section("", place, el("p", { class: "body more" }, more)));
}

export async function roundsPage(root, turn) {
  await listPage(root, turn, { name: "rounds", kind: "Market", title: "Rounds that traded", heads: HEADS, toRow: roundRow, nothing: "No round has traded." });
}
