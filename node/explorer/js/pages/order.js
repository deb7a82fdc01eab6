// One order: its terms, its price path while it is open, and how it ended when it is closed.

import { get, learn } from "../api.js";
import { el, put } from "../dom.js";
import { count, plural, short, tokens } from "../format.js";
import { drawPath } from "../charts.js";
import { money, toBlock, toContract, who, whole } from "../links.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { eventRow } from "../sentences.js";
import { tip } from "../store.js";

const ENDS = { matched: "It was matched.", expired: "It expired without a partner.", cancelled: "Its owner took it back." };

function termsOf(order) {
  const { terms } = order;
  const bid = order.side === "bid";
  const model = bid ? terms.valuation : terms.cost;
  const flat = bid ? model.limit_micro : model.floor_micro;
  return section("Terms", facts([
    ["Owner", who(order.owner)], ["Broker", who(order.broker)], ["Reserved", money(order.reserved_micro)],
    [bid ? "Worth at most" : "Cost at least", money(flat ?? order.path.worth_micro), model.kind === "model" ? " by its model" : ""],
    ["In the book since", order.admitted ? toBlock(order.admitted) : "the next block"], ["Expires after", `block ${count(order.expires)}`],
    bid ? ["Service", plural(terms.service_blocks, "block")] : ["Longest service", plural(terms.longest_blocks, "block")],
    bid ? ["Least resource", count(terms.least_resource)] : ["Resources", `${count(terms.resources.computation)} MHz, ${count(terms.resources.communication)} kbit/s, ${count(terms.resources.modelling)} units`],
    ["Price steps (Poisson)", `ω ${terms.omega_micro / 1e6}, μ ${terms.mu}`],
  ]));
}

function pathOf(order) {
  const { path } = order;
  const now = tip() + 1;
  const place = el("div", { class: "drawing path" });
  const ahead = path.ahead.map((price, index) => ({ height: Math.max(now, order.admitted) + index, price }));
  const opened = order.admitted && order.admitted < now ? [{ height: order.admitted, price: path.opening_micro }] : [];
  const card = section("Price path", el("div", { class: "body" }, el("p", { class: "hint", text: `Opened at ${tokens(path.opening_micro)}, stands at ${tokens(path.now_micro)}, ${path.settles > now ? `reaches its limit at block ${count(path.settles)}` : "at its limit"}. Dashed: past rounds, ends only.` }), place));
  requestAnimationFrame(() => drawPath(place, [...opened, ...ahead], ahead[0].height, order.side));
  return card;
}

function pairsOf(order) {
  if (!order.pairs?.length) return section("Possible partners", none(order.unmatched?.hint ? `${order.unmatched.hint[0].toUpperCase()}${order.unmatched.hint.slice(1)}.` : "None."));
  const rows = order.pairs.map((pair) => rowOf(toContract("order", pair.order, 0), right(money(pair.bid_micro)), right(money(pair.ask_micro)), right(money(pair.weight_micro)), right(pair.crosses ? count(pair.crosses) : "never")));
  return section("Possible partners", el("p", { class: "body hint", text: order.unmatched?.hint ? `Not matched yet: ${order.unmatched.hint}.` : "" }), table(["Order", ">Bid", ">Ask", ">Weight", ">Cross at block"], rows));
}

/** What a block tells of an order or agreement; used when the state no longer holds it. */
export async function storyFrom(height, id) {
  if (!height) return null;
  const { data, meta } = await get(`blocks/${height}`);
  learn(meta.names);
  const events = data.events.filter((event) => Object.values(event.data).includes(id));
  const pair = (data.clearings?.books ?? []).flatMap((book) => book.pairs).find((each) => [each.bid, each.ask, each.agreement].includes(id));
  return events.length || pair ? { height, events, pair: pair ?? null } : null;
}

/** A card with what one block tells. */
export function storyCard(story) {
  return section(`In block ${count(story.height)}`, table(["No", "Kind", "What happened"], story.events.map(eventRow)));
}

async function known(id) {
  const { data } = await get(`search?q=${encodeURIComponent(id)}`);
  return data.some((hit) => hit.kind === "order");
}

export async function orderPage(root, { id, query, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `orders/${encodeURIComponent(id)}`;
  document.title = `Order ${short(id)} – TwinChain`;
  const order = (await known(id)) ? (await get(path)).data : null;
  const story = await storyFrom(order?.closed_height ?? Number(query.get("at") ?? 0), id);
  if (!alive()) return;
  const title = [short(id, 12, 8)];
  if (!order && !story) {
    put(root, heading("Order", title, path, whole(id)), section("", none("This node does not know the order: it was never opened, or closed so long ago that only the history of its owner tells of it.")));
    return;
  }
  if (order?.terms) {
    put(root, heading(`Open ${order.side}`, title, path, whole(id)), tabs([["Overview", () => [pathOf(order), termsOf(order), pairsOf(order)]], ["Raw JSON", () => json(order)]]));
    return;
  }
  const closed = order ?? story.events.find((event) => event.kind === "order.closed")?.data ?? story.events[0]?.data ?? {};
  const pair = story?.pair;
  const words = ENDS[closed.reason] ?? "It is not open any more.";
  put(root, heading(closed.side ? `Closed ${closed.side}` : "Order", title, path, whole(id)), section("How it ended", facts([
    ["Outcome", words], closed.owner ? ["Owner", who(closed.owner)] : null, closed.broker ? ["Broker", who(closed.broker)] : null,
    story ? ["Block", toBlock(story.height)] : null,
    pair ? ["Agreement", toContract("agreement", pair.agreement, story.height)] : null,
    pair ? ["Bid", money(pair.bid_micro)] : null, pair ? ["Ask", money(pair.ask_micro)] : null, pair ? ["Price", money(pair.price_micro)] : null,
  ])), story && storyCard(story));
}
