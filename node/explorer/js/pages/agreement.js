// One agreement: the service that followed a trade, its price, its course and its rating. The trade
// is read from its block, so that a finished agreement is still told in full.

import { get } from "../api.js";
import { el, put } from "../dom.js";
import { basis, count, short } from "../format.js";
import { money, toBlock, toContract, who, whole } from "../links.js";
import { facts, heading, json, none, section, tabs } from "../parts.js";
import { tip } from "../store.js";
import { storyCard, storyFrom } from "./order.js";

const STATES = { running: "In service", active: "In service", ended: "Ended" };

function course(start, end) {
  const done = Math.max(0, Math.min(1, (tip() - start) / Math.max(1, end - start)));
  const bar = el("span", { class: "fill" });
  bar.style.transform = `scaleX(${done})`;
  return el("span", { class: "progress", role: "img", "aria-label": `${Math.round(done * 100)} percent served` }, bar);
}

async function known(id) {
  const { data } = await get(`search?q=${encodeURIComponent(id)}`);
  return data.some((hit) => hit.kind === "agreement");
}

export async function agreementPage(root, { id, query, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `agreements/${encodeURIComponent(id)}`;
  document.title = `Agreement ${short(id)} – TwinChain`;
  const found = (await known(id)) ? (await get(path)).data : null;
  const story = await storyFrom(found?.start ?? Number(query.get("at") ?? 0), id);
  if (!alive()) return;
  const title = [short(id, 12, 8)];
  if (!found && !story) {
    put(root, heading("Agreement", title, path, whole(id)), section("", none("This node's state no longer holds the agreement: its rating window has closed. The history of buyer and seller still tells of it.")));
    return;
  }
  const pair = story?.pair ?? story?.events[0]?.data ?? {};
  const party = { ...pair, ...(found ?? {}) };
  const start = party.start ?? story?.height;
  const state = found ? (STATES[found.status] ?? found.status) : "Ended, rating window closed";
  put(root, heading("Agreement", title, path, who(party.buyer), " is served by ", who(party.seller), " through ", who(party.broker), "."), tabs([
    ["Overview", () => [
      section("Course", facts([
        ["State", state], start ? ["From block", toBlock(start)] : null, party.end ? ["To block", count(party.end)] : null,
        found && party.end ? ["Progress", course(start, party.end)] : null,
        found ? ["Held for the seller", money(found.held_micro)] : null,
        found ? ["Satisfaction given", found.rated ? basis(found.rating_bp) : found.status === "ended" ? `not yet; open until block ${count(found.rating_until)}` : "after the service"] : null,
      ])),
      section("Trade", facts([
        ["Buyer", who(party.buyer)], ["Seller", who(party.seller)], ["Broker", who(party.broker)],
        pair.paid_micro === undefined ? null : ["Buyer pays", money(pair.paid_micro, 6)], pair.received_micro === undefined ? null : ["Seller receives", money(pair.received_micro, 6)],
        pair.broker_micro === undefined ? null : ["Broker keeps", money(pair.broker_micro, 6)], pair.price_micro === undefined ? null : ["Price", money(pair.price_micro, 6)],
        pair.value_micro === undefined ? null : ["Worth to the buyer", money(pair.value_micro, 6)], pair.cost_micro === undefined ? null : ["Cost of the seller", money(pair.cost_micro, 6)],
        party.bid ? ["Bid", toContract("order", party.bid, start)] : null, party.ask ? ["Ask", toContract("order", party.ask, start)] : null,
        ["Id", whole(id)],
      ])),
      story && storyCard(story),
    ]],
    ["Raw JSON", () => json({ agreement: found, trade: story?.pair ?? null })],
  ]));
}
