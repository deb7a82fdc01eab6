// What the market's pages share: tariffs and reasons in words, bars of a pair's prices, price paths.

import { frame, text } from "./charts.js";
import { el, put, svg } from "./dom.js";
import { basis, count, plural, short, tokens } from "./format.js";
import { money, toContract } from "./links.js";

const WEIGHTS = { spread: "pairs are weighed by bid − ask + fee, prices move every round", surplus: "pairs are weighed by value − cost − fee, orders meet at their limits" };
const PRICING = {
  paper: "the buyer pays its bid, the server gets its ask, the broker keeps the difference (the paper's rule)",
  midpoint: "both trade halfway between bid and ask", core_buyer: "competitive prices, best for buyers", core_seller: "competitive prices, best for servers",
  kappa: "the broker keeps its part of bid − ask, the pair shares the rest", mcafee: "one price for each side of a class of equal services, by trade reduction",
};

const QUEUE_COUNTED = 10_000; // as far as a node counts who stands before a waiting order

/** The service of a class of equal services, in words. */
export function serviceWords(kind) {
  return `${plural(kind.service_blocks, "block")} of service, an interaction every ${kind.interval_blocks === 1 ? "block" : `${count(kind.interval_blocks)} blocks`}, model scale ${kind.theta_milli / 1000}, resource from ${count(kind.least_resource ?? 0)}`;
}

/** Which orders may meet: the version of the tariff, and the class where there are classes. */
export function partName(part) {
  return `version ${part.tariff}${part.service_class ? `, class ${part.service_class}` : ""}`;
}

/** A tariff as pairs for `facts`. */
export function tariffFacts(tariff) {
  return [
    ["Fee", `${tokens(tariff.lambda_micro)} a ${tariff.fee_basis === "round" ? "round until the pair crossed" : "deal"}`],
    ["Paid by the buyer", `${tariff.sigma_ppm / 10000} % of the fee`],
    ["Weights", `${tariff.weights}: ${WEIGHTS[tariff.weights] ?? "see docs/market.md"}`],
    ["Prices", `${tariff.pricing}: ${PRICING[tariff.pricing] ?? "see docs/market.md"}`],
    tariff.pricing === "kappa" ? ["The broker's part", `${tariff.kappa_ppm / 10000} % of bid − ask`] : null,
    ...tariff.classes.map((kind, place) => [`Class ${place + 1}`, serviceWords(kind)]),
  ];
}

/** Why an open order has not traded, as sentences and links. */
export function whyOpen(order) {
  const why = order.unmatched ?? {};
  const first = [...(order.pairs ?? [])].sort((one, two) => one.crosses - two.crosses)[0];
  switch (why.reason) {
    case "waiting": return [why.ahead ? `${why.ahead === QUEUE_COUNTED ? `${count(QUEUE_COUNTED)} or more orders stand` : plural(why.ahead, "order stands", "orders stand")} before it in the queue to the books: a block takes in as many as its bound on work allows, oldest first, but no book all of them.` : "It is the first in the queue: it joins its book at the end of the next block, and its first round is the block after."];
    case "broker_suspended": return ["Its broker was suspended: it trades no more, is closed within some blocks and gets everything back. Its owner may cancel it at once."];
    case "other_side_empty": return [`No ${order.side === "bid" ? "ask" : "bid"} is open in ${order.service_class ? "its class of equal services" : "this book"}.`];
    case "no_partner": return ["No open order of the other side fits it, or all that fit keep heavier pairs. It is tried again as soon as its book changes for it."];
    case "deferred": return ["It has a partner, but the leader put its book off: the round took too much work. The frozen prices stay, and the next round calls half as many bids."];
    case "not_called": return [order.side === "bid" ? "It has a partner, but its book was put off before or too much was due at once, so the round called a part of the bids only. The seed of the block drew others; the next block draws anew." : "It has a partner, but its book was put off before or too much was due at once, so the round called a part of the bids only. No bid that was drawn took it; the next block draws anew."];
    case "class_due": return ["Its class of equal services is cleared in the next round: somebody joined or left it, or was not called in the last one."];
    case "reduced": return [`${classPrice(order.side, why.own_micro)}: it is of the last pair of its class that crosses, which trade reduction leaves out so that nobody gains by a false price. It is looked at again when somebody joins or leaves the class.`];
    case "outside_class_price": return [`${classPrice(order.side, why.own_micro)}. ${outsideWords(order.side, why)}`];
    case "prices_apart": return ["Prices are still apart. They meet first with ", first ? toContract("order", first.order, 0) : "a partner", ` at block ${count(why.height)}, if nobody is better by then.`];
    default: return [why.hint ?? ""];
  }
}

/** The price of an order as its class ranks it. */
function classPrice(side, micro) {
  return `${side === "bid" ? "Its limit less its fee is" : "Its floor with its fee is"} ${tokens(micro)}`;
}

/** Why a class that was looked at holds an order it could not trade. */
function outsideWords(side, { own_micro: own, other_micro: other }) {
  const meets = side === "bid" ? own >= other : own <= other;
  if (meets) return "It stands behind the last pair of its class that crosses, and trade reduction leaves that pair out too.";
  return side === "bid" ? `No ask of its class is that low: the lowest stands at ${tokens(other)} with its fee.` : `No bid of its class reaches that: the highest stands at ${tokens(other)} less its fee.`;
}

/** To whom an order lost a round; `row` is its entry under `outbid`. */
export function whyLost(row) {
  if (row.reason) return classWords(row);
  if (!row.partner) return ["Its partners went to pairs that weigh more together."];
  const partner = toContract("order", row.partner, row.height);
  const winner = toContract("order", row.winner, row.height);
  if (!row.behind_micro) return ["A draw: with ", partner, " its pair weighs as much as that of ", winner, ". The seed of the block chose between equals."];
  const next = row.lacking_micro ? `at least ${tokens(row.lacking_micro)} short of what the partner was worth in this round` : "next in line for it";
  return ["Outbid for ", partner, " by ", winner, `: its pair weighs ${tokens(row.weight_micro)}, ${tokens(row.behind_micro)} less than the winner's; ${next}.`];
}

/** Why an order of a class of equal services went without. */
function classWords(row) {
  const own = classPrice(row.side, row.own_micro);
  const price = row.price_micro ? `, its side traded at ${tokens(row.price_micro)}` : ", nothing traded";
  switch (row.reason) {
    case "reduced": return [`${own}: of the last pair that crosses, which trade reduction leaves out so that nobody gains by a false price`, price, "."];
    case "draw": return [`${own}${price}: as good as the last that traded. The seed of the block chose between equals.`];
    case "deferred": return ["Its class was put off."];
    default: return [`${own}${price}: behind the ranks that cross.`];
  }
}

/** What a DT server has to show, as pairs for `facts`; counts from its first agreement on. */
export function serviceFacts(record) {
  return [
    ["Services served to the end", el("span", { "data-testid": "served", text: count(record.served) })], record.cut_short ? ["Cut short, as it left", count(record.cut_short)] : null,
    ["Paid for them, in tokens", el("span", { "data-testid": "earned" }, money(record.paid_micro))],
    ["Ratings", record.ratings ? `${count(record.ratings)}, ${basis(record.mean_rating_bp)} on average, weighted by what was paid` : "none yet"],
  ];
}

/** Where a pair's prices lie: cost, ask, price, bid and value on the scale [low, high]. */
export function rangeBar(pair, [low, high]) {
  const wide = 190;
  const tall = 22;
  const x = (value) => 5 + ((value - low) / Math.max(1, high - low)) * (wide - 10);
  const { cost_micro: cost, value_micro: value, price_micro: price, bid_micro: bid, ask_micro: ask } = pair;
  const words = [value !== undefined && `value ${tokens(value)}`, `bid ${tokens(bid)}`, price !== undefined && `price ${tokens(price)}`, `ask ${tokens(ask)}`, cost !== undefined && `cost ${tokens(cost)}`].filter(Boolean).join(" ≥ ");
  const bar = svg("svg", { class: "range", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": words, "data-testid": "range" }, svg("title", { text: words }));
  if (value !== undefined) bar.append(svg("line", { class: "whole-line", x1: x(cost), x2: x(value), y1: 11, y2: 11 }));
  if (value !== undefined) for (const at of [cost, value]) bar.append(svg("line", { class: "tip-mark", x1: x(at), x2: x(at), y1: 6, y2: 16 }));
  bar.append(svg("rect", { class: "between", x: x(ask), width: Math.max(1.5, x(bid) - x(ask)), y: 8, height: 6 }));
  bar.append(svg("line", { class: "ask-mark", x1: x(ask), x2: x(ask), y1: 4, y2: 18 }), svg("line", { class: "bid-mark", x1: x(bid), x2: x(bid), y1: 4, y2: 18 }));
  if (price !== undefined) bar.append(svg("circle", { class: "price-mark", cx: x(price), cy: 11, r: 3.5 }));
  return bar;
}

/** The scale all bars of a table share: from the least to the most that any of them shows. */
export function scaleOf(pairs) {
  return [Math.min(...pairs.map((pair) => pair.cost_micro ?? pair.ask_micro)), Math.max(...pairs.map((pair) => pair.value_micro ?? pair.bid_micro))];
}

/** What the marks of the bars mean. */
export function rangeKey(halfway = false) {
  return el("p", { class: "hint range-key body" }, "Each bar runs from cost C to value G; between the marks of ", el("span", { class: "ask-word", text: "ask" }), " and ", el("span", { class: "bid-word", text: "bid" }), ` lies what the pair shares out, the dot is ${halfway ? "halfway between what buyers pay and servers get" : "the price"}: G ≥ bid ≥ p ≥ ask ≥ C.`);
}

/** A kept curve [[price, orders], …] pair as `drawDepth` takes it. */
export function depthOf(curves) {
  const steps = (rows) => rows.map(([price, orders]) => ({ price_micro: price, orders }));
  const demand = steps(curves.demand);
  const supply = steps(curves.supply);
  let crossing = 0;
  const at = (side, number) => side.find((step) => step.orders >= number)?.price_micro;
  const most = Math.min(demand.at(-1)?.orders ?? 0, supply.at(-1)?.orders ?? 0);
  while (crossing < most && at(demand, crossing + 1) >= at(supply, crossing + 1)) crossing += 1;
  return { demand, supply, crossing };
}

/**
 * The price of an order over heights: solid where it has been, dashed where it goes while nobody
 * takes it; `crossing` {height, price} is where it meets its first partner, `end` where it closed.
 */
export function drawPath(place, { points, now, kind, crossing = null, end = "" }) {
  const tall = 210;
  const prices = points.map((each) => each.price);
  const low = Math.min(...prices, crossing?.price ?? Infinity);
  const high = Math.max(...prices, crossing?.price ?? 0);
  const margin = Math.max((high - low) * 0.15, high * 0.01, 1);
  const label = `Price path from ${tokens(prices[0])} to ${tokens(prices.at(-1))} tokens over ${plural(points.length, "round")}`;
  const { drawing, width } = frame(place, tall, label);
  const left = 56;
  const floor = tall - 26;
  const from = points[0].height;
  const reach = Math.max(1, Math.max(points.at(-1).height, crossing?.height ?? 0) - from);
  const x = (height) => left + ((height - from) / reach) * (width - left - 14);
  const y = (value) => floor - ((value - low + margin) / (high - low + 2 * margin)) * (floor - 12);
  for (const value of low === high ? [low] : [low, (low + high) / 2, high]) {
    drawing.append(svg("line", { class: "grid", x1: left, x2: width - 14, y1: y(value), y2: y(value) }));
    drawing.append(text(left - 7, y(value) + 4, tokens(Math.round(value)), "end"));
  }
  const part = (some) => some.map((each, index) => `${index ? "L" : "M"}${x(each.height).toFixed(1)} ${y(each.price).toFixed(1)}`).join("");
  const past = points.filter((each) => each.height <= now);
  const ahead = points.filter((each) => each.height >= now);
  if (past.length > 1) drawing.append(svg("path", { class: `line ${kind}`, d: part(past), "data-testid": "path-past" }));
  if (ahead.length > 1) drawing.append(svg("path", { class: `line ${kind} ahead`, d: part(ahead), "data-testid": "path-ahead" }));
  const here = points.find((each) => each.height === now) ?? points.at(-1);
  drawing.append(svg("circle", { class: `end ${kind}`, cx: x(here.height), cy: y(here.price), r: 4.5 }));
  const side = x(here.height) > width - 120 ? "end" : "start";
  if (end) drawing.append(text(x(here.height) + (side === "end" ? -9 : 9), y(here.price) - 8, end, side, "mark"));
  if (crossing) {
    drawing.append(svg("line", { class: "crossing", x1: x(crossing.height), x2: x(crossing.height), y1: 8, y2: floor, "data-testid": "path-crossing" }));
    drawing.append(svg("circle", { class: "end mean", cx: x(crossing.height), cy: y(crossing.price), r: 4 }));
    const turn = x(crossing.height) > width - 130 ? "end" : "start";
    drawing.append(text(x(crossing.height) + (turn === "end" ? -6 : 6), 16, `meets at #${count(crossing.height)}`, turn, "mark"));
  }
  drawing.append(text(left, tall - 7, `#${count(from)}`));
  drawing.append(text(width - 14, tall - 7, `#${count(from + reach)}`, "end"));
  put(place, drawing);
}

/** Draws now and again whenever the place changes its width. */
export function drawn(place, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (!place.clientWidth || place.clientWidth === width) return;
    width = place.clientWidth;
    draw(place);
  }).observe(place);
  return place;
}

/** A table whose columns sort: `columns` are {name, cell, key?, right?}; rows stay in `place`. */
export function sortable(columns, rows, testid) {
  const body = el("tbody");
  const heads = columns.map((column) => {
    const head = el("th", { scope: "col", class: column.right ? "right" : "" });
    if (column.key) head.append(el("button", { type: "button", class: "sort", text: column.name, onclick: () => sortBy(column, head) }));
    else head.append(column.name);
    return head;
  });
  const sortBy = (column, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sorted = [...rows].sort((one, two) => (column.key(one) < column.key(two) ? -1 : column.key(one) > column.key(two) ? 1 : 0));
    fill(down ? sorted.reverse() : sorted);
  };
  const fill = (some) => put(body, some.map((row) => el("tr", {}, columns.map((column) => el("td", { class: column.right ? "right num" : "" }, column.cell(row))))));
  fill(rows);
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table", "data-testid": testid }, el("table", {}, el("thead", {}, el("tr", {}, heads)), body));
}

/** Links to the same as JSON and as CSV. */
export function downloads(path) {
  const mark = path.includes("?") ? "&" : "?";
  return el("span", { class: "downloads" }, el("a", { href: `/v1/${path}`, text: "JSON" }), " · ", el("a", { href: `/v1/${path}${mark}format=csv`, text: "CSV", "data-testid": "csv" }));
}

/** A short id for a heading. */
export function shortId(id) {
  return short(id, 12, 8);
}
