// One round: per book and class of a broker the book as it stood, the pairs that were matched and their prices, who was
// left over and why, and where the money went.

import { get } from "../api.js";
import { drawDepth } from "../charts.js";
import { el, put } from "../dom.js";
import { count, plural, tokens } from "../format.js";
import { money, toBlock, toContract, when, who } from "../links.js";
import { depthOf, downloads, drawn, partName, rangeBar, rangeKey, scaleOf, serviceWords, whyLost } from "../market.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { nowMs, tip } from "../store.js";

const isClass = (book) => book.number !== undefined;

function classFacts(book, figure) {
  const price = (micro) => (micro ? tokens(micro) : "–");
  return [
    figure("Service", "class-service", book.service ? serviceWords(book.service) : "", "words"),
    figure("Every buyer pays, before fees", "buyer-price", price(book.buyer_price_micro)),
    figure("Every server gets, before fees", "seller-price", price(book.seller_price_micro)),
    figure("Trade reduction", "reduction", book.deferred ? "–" : book.reduced ? "the last pair that crosses is left out; the broker keeps the gap between the two prices" : "none: the price between the first ranks that do not trade fits all that do", "words"),
    figure("Ranks that cross", "ranks", book.deferred ? "–" : count(book.pairs.length + (book.reduced ? 1 : 0))),
  ];
}

function figures(book) {
  const totals = book.totals ?? {};
  const figure = (name, testid, value, kind = "num") => [name, el("span", { class: kind, "data-testid": testid, text: value })];
  return facts([
    ...(isClass(book) ? classFacts(book, figure) : []),
    figure("Trades", "trades", count(book.pairs.length)),
    ...(book.halvings ? [figure("Called, by the seed of the block", "called", `1 in ${count(2 ** book.halvings)} of the ${isClass(book) ? "orders" : "bids"}; ${count(book.uncalled ?? 0)} were not`)] : []),
    figure("Bids, asks in the round", "orders", `${count(book.bids ?? 0)}, ${count(book.asks ?? 0)}`),
    isClass(book) ? null : figure("Pairs considered", "edges", count(book.edges ?? 0)),
    figure("Welfare: value − cost", "welfare", tokens(totals.welfare_micro ?? 0)),
    figure(isClass(book) ? "Limits less floors of the trades, fees off" : "Weight of the matching", "weight", tokens(totals.weight_micro ?? 0)),
    figure("Buyers pay", "paid", tokens(totals.paid_micro ?? 0)),
    figure("Servers get", "received", tokens(totals.received_micro ?? 0)),
    figure("Broker keeps", "kept", tokens(totals.broker_micro ?? 0)),
    figure("Budget balance", "balance", totals.balance_micro ? tokens(totals.balance_micro, 6) : "0: what is paid is what is received", "words"),
  ]);
}

function curve(book) {
  if (!book.curves?.demand.length && !book.curves?.supply.length) return null;
  const prices = book.pairs.map((pair) => pair.price_micro).filter((price) => price !== undefined);
  if (isClass(book) && prices.length) prices.splice(0, prices.length, book.buyer_price_micro, book.seller_price_micro);
  const words = isClass(book) && book.reduced ? `buyers pay ${tokens(book.buyer_price_micro)}, servers get ${tokens(book.seller_price_micro)}` : "";
  const mean = prices.length ? Math.floor(prices.reduce((sum, price) => sum + price, 0) / prices.length) : 0;
  const band = prices.length ? { low: Math.min(...prices), high: Math.max(...prices), mean, words } : null;
  const place = drawn(el("div", { class: "drawing body", "data-testid": "curve" }), (at) => drawDepth(at, depthOf(book.curves), band));
  const told = `Demand and supply of ${isClass(book) ? "the class" : "the whole book"} before this block${book.curves.thinned ? `; every ${book.curves.thinned + 1}th step is drawn` : ""}. ${isClass(book) ? "Limits less the buyers' fee, floors with the servers' fee: as they are ranked." : "Prices are made pair by pair, so a round has a range of them, not one."}`;
  return [el("h3", { text: `The ${isClass(book) ? "class" : "book"} as it stood` }), place, el("p", { class: "hint body", text: told })];
}

function pairs(book, height) {
  if (!book.pairs.length) return [el("h3", { text: "Matched pairs" }), none(book.deferred ? "The leader put this book off: its round took more work than a block may. Orders and frozen prices stay, and the next round calls half as many." : "Nothing was matched.")];
  const scale = scaleOf(book.pairs);
  const rows = book.pairs.map((pair) => rowOf(
    el("td", { "data-testid": "pair" }, who(pair.buyer), " ", toContract("order", pair.bid, height, "bid")), el("td", {}, who(pair.seller), " ", toContract("order", pair.ask, height, "ask")),
    rangeBar(pair, scale), ...(isClass(book) ? [] : [right(money(pair.price_micro))]), right(money(pair.paid_micro)), right(money(pair.received_micro)), right(money(pair.broker_micro)),
    ...(isClass(book) ? [] : [right(money(pair.buyer_label_micro)), right(money(pair.seller_label_micro))]), toContract("agreement", pair.agreement, height)));
  const labels = isClass(book) ? [] : [">Label u", ">Label p"];
  const price = isClass(book) ? [] : [">Price"]; // a class has two, the same for all, among its figures
  return [el("h3", { text: "Matched pairs" }), rangeKey(isClass(book)), table(["Buyer", "Server", "C … G", ...price, ">Paid", ">Received", ">Broker", ...labels, "Agreement"], rows)];
}

function losers(book, height) {
  const ids = book.unmatched ?? [];
  const known = new Map((book.outbid ?? []).map((row) => [row.order, { ...row, height }]));
  const line = (id, testid) => {
    const row = known.get(id) ?? {};
    return el("li", { "data-testid": testid, "data-reason": row.reason ?? "" }, el("span", { class: "line" }, row.side ? el("span", { class: "tag", text: row.side }) : "", toContract("order", id, 0), row.owner ? who(row.owner) : ""), el("span", { class: "why" }, book.deferred && !row.reason ? "Its book was put off." : whyLost(row)));
  };
  const crossed = book.unmatched_count ?? ids.length;
  return [
    crossed ? [el("h3", { text: `${plural(crossed, "order")} crossed and went without` }), shownOf(ids.length, crossed, "of each side by id"), el("ul", { class: "losers" }, ids.map((id) => line(id, "loser")))] : null,
    isClass(book) ? behind(book, crossed, line) : null,
  ];
}

/** Says so where a list is cut. */
function shownOf(shown, all, which) {
  return shown < all ? el("p", { class: "hint body", text: `The first ${which} are listed: ${count(shown)} of ${count(all)}.` }) : null;
}

/** The orders of a class that could not have traded: their prices do not reach the ranks that do. */
function behind(book, crossed, line) {
  const all = book.bids + book.asks - 2 * book.pairs.length - crossed;
  const rows = (book.outbid ?? []).filter((row) => row.reason === "outside_class_price");
  if (!all) return null;
  return el("details", { class: "fold", "data-testid": "behind" }, el("summary", { text: `${plural(all, "order stands", "orders stand")} behind the ranks that cross` }), shownOf(rows.length, all, "of each side as they rank"), el("ul", { class: "losers" }, rows.map((row) => line(row.order, "outside"))));
}

function uncalled(book) {
  const ids = book.uncalled_orders ?? [];
  if (!ids.length) return null;
  return el("details", { class: "fold", "data-testid": "uncalled" }, el("summary", { text: `${plural(book.uncalled, "order")} not called: a round before took too much work, or too much was due at once, so this one was held among a part of them` }), el("p", { class: "body" }, ids.slice(0, 200).map((id) => [toContract("order", id, 0), " "])));
}

function considered(book) {
  const edges = book.considered ?? [];
  if (!edges.length) return null;
  const chosen = new Set(book.pairs.map((pair) => `${pair.bid}/${pair.ask}`));
  const rows = [...edges].sort((one, two) => two.weight_micro - one.weight_micro).map((edge) => rowOf(toContract("order", edge.bid, 0), toContract("order", edge.ask, 0),
    right(money(edge.weight_micro)), right(money(edge.bid_micro)), right(money(edge.ask_micro)), right(count(edge.crossed)), chosen.has(`${edge.bid}/${edge.ask}`) ? el("span", { class: "tag good", text: "chosen" }) : ""));
  return el("details", { class: "fold" }, el("summary", { text: `All ${plural(edges.length, "pair")} the matching chose among` }), table(["Bid", "Ask", ">Weight", ">Bid price", ">Ask price", ">Crossed at", ""], rows));
}

function bookCard(book, height) {
  const title = el("header", {}, el("h2", {}, el("a", { href: `#/book/${book.broker}`, class: "who" }, who(book.broker, { plain: true }))),
    book.terms ? el("span", { class: "hint", text: `weights ${book.terms.weights}, prices ${book.terms.pricing}, fee ${tokens(book.terms.lambda_micro)} a ${book.terms.fee_basis}, ${partName({ tariff: book.tariff, service_class: isClass(book) ? book.number + 1 : 0 })}` }) : "",
    book.deferred ? el("span", { class: "tag warn", text: "deferred" }) : "");
  return el("section", { class: "card round-book", "data-testid": "round-book", "data-broker": book.broker, "data-tariff": book.tariff, "data-class": isClass(book) ? book.number + 1 : 0 }, title, figures(book), curve(book), pairs(book, height), losers(book, height), uncalled(book), considered(book));
}

export async function roundPage(root, { id, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `rounds/${encodeURIComponent(id)}`;
  const { data: round, meta } = await get(path);
  if (!alive()) return;
  const { height } = round;
  const books = [...round.books, ...round.classes];
  document.title = `Round ${count(height)} – TwinChain`;
  const trades = books.reduce((sum, book) => sum + book.pairs.length, 0);
  const welfare = books.reduce((sum, book) => sum + (book.totals?.welfare_micro ?? 0), 0);
  const title = heading("Auction round", count(height), path, "Cleared in ", toBlock(height), ", ", when(meta.time_ms, nowMs()), `: ${plural(trades, "trade")} in ${plural(round.books.length, "book")}${round.classes.length ? ` and ${plural(round.classes.length, "class", "classes")}` : ""}, welfare ${tokens(welfare)} tokens. `, downloads(path));
  title.querySelector(".actions").prepend(el("nav", { class: "pager", "aria-label": "Neighbouring rounds" },
    height > 1 && el("a", { class: "button", href: `#/round/${height - 1}`, text: "← Previous", rel: "prev" }),
    height < Math.max(tip(), meta.height) && el("a", { class: "button", href: `#/round/${height + 1}`, text: "Next →", rel: "next" }),
    el("a", { class: "button", href: "#/rounds", text: "All rounds" })));
  const cards = () => (books.length ? books.map((book) => bookCard(book, height)) : [section("", none("No book had a crossed pair in this block. Prices move on; see the list of all rounds."))]);
  put(root, title, tabs([["Books", cards], ["Raw JSON", () => json(round)]]));
}
