// One order: its terms, its price path while it is open, and how it ended when it is closed.

import { get, learn } from "../api.js";
import { el, put } from "../dom.js";
import { count, plural, short, tokens } from "../format.js";
import { money, toBlock, toContract, who, whole } from "../links.js";
import { drawn, drawPath, partName, whyLost, whyOpen } from "../market.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { eventRow } from "../sentences.js";
import { tip } from "../store.js";

const ENDS = { matched: "It was matched.", expired: "It expired without a partner.", cancelled: "Its owner took it back." };

function termsOf(order) {
  const { terms } = order;
  const steps = order.service_class ? null : ["Price steps (Poisson)", `ω ${terms.omega_micro / 1e6}, μ ${terms.mu}`];
  const bid = order.side === "bid";
  const model = bid ? terms.valuation : terms.cost;
  const flat = bid ? model.limit_micro : model.floor_micro;
  return section("Terms", facts([
    ["Owner", who(order.owner)], ["Book", el("a", { href: `#/book/${order.broker}` }, who(order.broker, { plain: true }))], order.reserved_micro ? ["Reserved", money(order.reserved_micro)] : null,
    [bid ? "Worth at most" : "Cost at least", flat === undefined ? order.path ? money(order.path.worth_micro) : "by its model" : money(flat), model.kind === "model" && order.path ? " by its model" : ""],
    ["In the book since", order.admitted ? toBlock(order.admitted) : "not yet: it waits in the queue"], ["Expires after", `block ${count(order.expires)}`],
    bid ? ["Service", plural(terms.service_blocks, "block")] : ["Longest service", plural(terms.longest_blocks, "block")],
    bid ? ["Least resource", count(terms.least_resource)] : ["Resources", `${count(terms.resources.computation)} MHz, ${count(terms.resources.communication)} kbit/s, ${count(terms.resources.modelling)} units`],
    ["Tariff", partName(order)], steps,
  ]));
}

function pathOf(order) {
  if (order.service_class) return classOf(order);
  if (!order.path) return section("Price path", none("The broker has changed its tariff since, and the version this order was under is forgotten: its price path cannot be told any more."));
  const { path } = order;
  const open = order.status !== "closed";
  const now = open ? Math.max(tip() + 1, order.admitted) : order.closed_height;
  const behind = path.behind.map((price, index) => ({ height: path.from + index, price }));
  const start = behind.length ? path.from + behind.length : Math.max(now, order.admitted);
  const ahead = path.ahead.map((price, index) => ({ height: start + index, price }));
  const points = open ? [...behind, ...ahead] : [...behind, ...ahead.slice(0, 1)];
  const first = [...(order.pairs ?? [])].sort((one, two) => one.crosses - two.crosses)[0];
  const crossing = first ? { height: first.crosses, price: order.side === "bid" ? first.bid_micro : first.ask_micro } : null;
  const valued = order.valued_for ? " Valued for the partner it meets first." : "";
  const words = open
    ? `Opened at ${tokens(path.opening_micro)}, stands at ${tokens(path.now_micro)}, ${path.settles > now ? `reaches its limit at block ${count(path.settles)}` : "at its limit"}. Dashed: where it goes while nobody takes it.${valued}`
    : `Opened at ${tokens(path.opening_micro)}, stood at ${tokens(path.now_micro)} when it closed.`;
  const draw = (place) => drawPath(place, { points, now: open ? start : points.at(-1).height, kind: order.side, crossing, end: open ? "" : order.reason });
  return section("Price path", el("div", { class: "body" }, el("p", { class: "hint", text: words }), drawn(el("div", { class: "drawing path", "data-testid": "path" }), draw)));
}

/** An order of a class of equal services has one price and no ladder. */
function classOf(order) {
  const own = order.side === "bid" ? "limit less the buyer's fee" : "floor with the server's fee";
  return section("Class of equal services", el("p", { class: "body sentence", "data-testid": "class" }, `Class ${order.service_class} under version ${order.tariff} of its broker's tariff. No price ladder: it is ranked by its ${own}, ${tokens(order.path.now_micro)}, and all of its side trade at one price. See `, el("a", { href: `#/book/${order.broker}`, text: "the book" }), "."));
}

/** Why it has not traded yet, or lost. */
function whyOf(order) {
  const lost = order.lost;
  return section("Why it has not traded", el("p", { class: "body sentence", "data-testid": "why-open", "data-reason": order.unmatched.reason }, whyOpen(order)),
    lost ? el("p", { class: "body", "data-testid": "why-lost" }, "In round ", el("a", { href: `#/round/${lost.height}`, class: "num", text: `#${count(lost.height)}` }), " it crossed and went without. ", whyLost(lost)) : null);
}

function pairsOf(order) {
  if (!order.pairs?.length) return null;
  const rows = order.pairs.map((pair) => rowOf(toContract("order", pair.order, 0), right(money(pair.bid_micro)), right(money(pair.ask_micro)), right(money(pair.weight_micro)), right(count(pair.crosses))));
  return section("Possible partners", table(["Order", ">Bid", ">Ask", ">Weight", ">Cross at block"], rows));
}

/** What a block tells of an order or agreement; used when the state no longer holds it. */
export async function storyFrom(height, id) {
  if (!height) return null;
  const { data, meta } = await get(`blocks/${height}`);
  learn(meta.names);
  const events = data.events.filter((event) => Object.values(event.data).includes(id));
  const pair = [...(data.clearings?.books ?? []), ...(data.clearings?.classes ?? [])].flatMap((book) => book.pairs).find((each) => [each.bid, each.ask, each.agreement].includes(id));
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

/** The order as the node tells it, null where it has forgotten it and no block was named. */
async function read(id, at) {
  const path = `orders/${encodeURIComponent(id)}`;
  if (await known(id)) return (await get(path)).data;
  const story = await storyFrom(at, id);
  return story?.events.some((event) => event.kind === "order.closed") ? (await get(`${path}?at=${at}`)).data : null;
}

export async function orderPage(root, { id, query, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `orders/${encodeURIComponent(id)}`;
  document.title = `Order ${short(id)} – TwinChain`;
  const at = Number(query.get("at") ?? 0);
  const order = await read(id, at);
  const story = await storyFrom(order?.closed_height ?? at, id);
  if (!alive()) return;
  const title = [short(id, 12, 8)];
  if (!order && !story) {
    put(root, heading("Order", title, path, whole(id)), section("", none("This node does not know the order: it was never opened, or closed so long ago that only the history of its owner tells of it.")));
    return;
  }
  if (order?.terms && order.status !== "closed") {
    put(root, heading(`Open ${order.side}`, title, path, whole(id)), tabs([["Overview", () => [whyOf(order), pathOf(order), termsOf(order), pairsOf(order)]], ["Raw JSON", () => json(order)]]));
    return;
  }
  const closed = order ?? story.events.find((event) => event.kind === "order.closed")?.data ?? story.events[0]?.data ?? {};
  const pair = story?.pair;
  const ended = section("How it ended", facts([
    ["Outcome", ENDS[closed.reason] ?? "It is not open any more."], closed.owner ? ["Owner", who(closed.owner)] : null, closed.broker ? ["Book", el("a", { href: `#/book/${closed.broker}` }, who(closed.broker, { plain: true }))] : null,
    story ? ["Round", el("a", { href: `#/round/${story.height}`, class: "num", text: `#${count(story.height)}` })] : null,
    pair ? ["Agreement", toContract("agreement", pair.agreement, story.height)] : null,
    pair ? ["Bid", money(pair.bid_micro)] : null, pair ? ["Ask", money(pair.ask_micro)] : null, pair && !order?.service_class ? ["Price", money(pair.price_micro)] : null,
    pair ? ["Buyer paid, fees included", money(pair.paid_micro)] : null, pair ? ["Server received", money(pair.received_micro)] : null,
  ]));
  put(root, heading(closed.side ? `Closed ${closed.side}` : "Order", title, path, whole(id)), ended, order?.terms ? [pathOf(order), termsOf(order)] : null, story && storyCard(story));
}
