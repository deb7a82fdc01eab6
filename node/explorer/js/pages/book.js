// One broker's book: its tariff, demand and supply, all open orders, what would match now, and its
// last rounds. Figures follow the chain while the page is open.

import { get } from "../api.js";
import { drawDepth } from "../charts.js";
import { el, put } from "../dom.js";
import { count, plural, short, tokens } from "../format.js";
import { money, toContract, who, whole } from "../links.js";
import { downloads, drawn, partName, rangeBar, scaleOf, serviceWords, sortable, tariffFacts } from "../market.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { tip } from "../store.js";
import { roundsTable } from "./rounds.js";

const REFRESH_MS = 1000;
const ORDERS = 200;

/** What the classes of equal services would come to. */
function classLines(found) {
  return found.classes.map((kind) => el("p", { class: "hint inset", "data-testid": "coming-class" }, `${capital(partName(kind))} (${serviceWords(kind.service)}): ${plural(kind.trades, "trade")}${kind.trades ? `, buyers pay ${tokens(kind.buyer_price_micro)}, servers get ${tokens(kind.seller_price_micro)} before fees` : ""}${kind.reduced ? "; trade reduction leaves out the last pair that crosses" : ""}.`));
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);

function coming(found, classes) {
  if (!found.solved) return [none(`The coming round has ${plural(found.edges, "pair")} to choose among: too many for a dry run.`)];
  if (!found.pairs.length && found.classes.length) return classLines(found);
  if (!found.pairs.length && classes) return [none("No class has changed since it was looked at last, so nothing would trade here. A pair that trade reduction left out stays until somebody joins or leaves its class.")];
  if (!found.pairs.length) return [none("No pair has crossed: if the next block were built now, nothing would trade here.")];
  const scale = scaleOf(found.pairs);
  const rows = found.pairs.map((pair) => rowOf(partName(pair), toContract("order", pair.bid, 0), toContract("order", pair.ask, 0), rangeBar(pair, scale), right(money(pair.bid_micro)), right(money(pair.ask_micro)), right(money(pair.weight_micro))));
  return [el("p", { class: "hint inset", text: `${plural(found.pairs.length, "pair")} of ${count(found.edges)} possible would trade in block ${count(found.height)}, weight ${tokens(found.weight_micro)}. Orders sent until then join one round later; cancellations still count.` }), ...classLines(found), table(["Tariff", "Bid", "Ask", "ask … bid", ">Bid price", ">Ask price", ">Weight"], rows)];
}

/** Below a curve: whose it is, and how many pairs cross in it. */
function partWords(part, height) {
  const whose = part.service_class ? `${capital(partName(part))}: ${serviceWords(part.service)}` : capital(partName(part));
  const asks = part.service_class ? "own fees included." : "asks with a cost function are shown for the service of the middle bid.";
  return `${whose}. Prices in block ${count(height)}. ${plural(part.crossing, "pair crosses", "pairs cross")} by price alone; ${asks}`;
}

/** Curves of a former version of the tariff, or of another class: its orders meet no others. */
function otherPart(part, depth) {
  const empty = !part.demand.length && !part.supply.length;
  const words = el("p", { class: "hint" });
  const former = part.tariff === depth.tariff ? "" : " (a former tariff: only orders from before the change)";
  const node = el("div", { class: "part", "data-testid": "other-curve", "data-tariff": part.tariff, "data-class": part.service_class }, el("h3", { text: `${capital(partName(part))}${former}` }),
    empty ? none("No order stands here.") : drawn(el("div", { class: "drawing" }), (at) => drawDepth(at, part)), words);
  return { node, words };
}

/** The part that changes with every block: curves and the dry run. */
function livePart(address, alive) {
  const place = el("div", { class: "drawing body", "data-testid": "book-curve" });
  const words = el("p", { class: "hint body", "data-testid": "book-crossing" });
  const next = el("div", { "data-testid": "coming" });
  const others = el("div", { "data-testid": "other-curves" });
  let depth = null;
  let shown = "";
  let parts = [];
  const redraw = () => {
    if (!depth) return;
    if (!depth.demand.length && !depth.supply.length) put(place, none("The book is empty."));
    else drawDepth(place, depth);
  };
  drawn(place, redraw);
  const refresh = async () => {
    const [one, two] = await Promise.all([get(`brokers/${address}/depth`), get(`brokers/${address}/coming`)]);
    if (!alive()) return;
    depth = one.data;
    redraw();
    put(words, partWords(depth, depth.height));
    const key = JSON.stringify(depth.others);
    if (key !== shown) {
      parts = depth.others.map((part) => otherPart(part, depth));
      put(others, parts.map((part) => part.node));
    }
    shown = key;
    parts.forEach((part, place) => put(part.words, partWords(depth.others[place], depth.height)));
    put(next, coming(two.data, depth.service_class > 0));
  };
  const cards = [
    section("Demand and supply", el("p", { class: "counts body" }, el("span", { class: "demand" }, el("i", { class: "swatch" }), "bids"), el("span", { class: "supply" }, el("i", { class: "swatch" }), "asks")), place, words, others),
    section("The coming round, if it were built now", next),
  ];
  return { cards, refresh };
}

const COLUMNS = [
  { name: "Order", cell: (row) => toContract("order", row.id, 0) },
  { name: "Owner", cell: (row) => who(row.owner), key: (row) => row.owner },
  { name: "Price now", cell: (row) => money(row.path.now_micro), key: (row) => row.path.now_micro, right: true },
  { name: "Opened at", cell: (row) => money(row.path.opening_micro), key: (row) => row.path.opening_micro, right: true },
  { name: "Limit", cell: (row) => money(row.path.worth_micro), key: (row) => row.path.worth_micro, right: true },
  { name: "Since", cell: (row) => (row.admitted ? count(row.admitted) : "waiting"), key: (row) => row.admitted || Infinity, right: true },
  { name: "Tariff", cell: (row) => partName(row), key: (row) => row.tariff * 100 + row.service_class },
  { name: "Expires", cell: (row) => count(row.expires), key: (row) => row.expires, right: true },
];

async function sideCard(address, side) {
  const path = `orders?broker=${address}&side=${side}&limit=${ORDERS}`;
  const { data, next_cursor: more } = await get(path);
  const rows = data.sort((one, two) => (side === "bid" ? two.path.now_micro - one.path.now_micro : one.path.now_micro - two.path.now_micro));
  const name = `${side}s`;
  const note = el("p", { class: "hint body" }, more ? `The first ${ORDERS} by id, best price first. ` : "Best price first. ", downloads(`orders?broker=${address}&side=${side}`));
  const columns = COLUMNS.map((column) => (side === "ask" && column.name === "Limit" ? { ...column, name: "Floor" } : column));
  return section(`Open ${name}`, rows.length ? [note, sortable(columns, rows, `open-${name}`)] : none(`No ${side} is open.`));
}

async function history(address) {
  const [{ data: rounds }, { data: market }] = await Promise.all([get(`rounds?broker=${address}&limit=20`), get(`accounts/${address}/market`)]);
  const own = market.as_broker;
  return [
    section(`Since block ${count(market.from)}`, facts([["Trades", count(own.trades)], ["Buyers paid", money(own.paid_micro)], ["Servers received", money(own.received_micro)], ["Broker kept", money(own.broker_micro)], ["Fees in it", money(own.fee_micro)]])),
    section("Last rounds", rounds.length ? [roundsTable(rounds), el("p", { class: "body hint" }, el("a", { href: `#/rounds?broker=${address}`, text: "All its rounds" }), " · ", el("a", { href: `#/trades?broker=${address}`, text: "all its trades" }))] : none("It has not traded lately.")),
  ];
}

/** What became of a book whose broker the members suspended. */
function suspension(broker) {
  if (broker.status !== "suspended") return null;
  const left = broker.open_bids + broker.open_asks;
  return ["Suspended", left ? `no round and no new order; ${plural(left, "order")} still to be closed, some in each block` : "no round and no new order; all its orders are closed"];
}

/** The tariff in force, the one announced, and former ones that still hold open orders. */
function tariffs(broker) {
  return [
    section(`Tariff in force: version ${broker.version}`, facts([suspension(broker), ...tariffFacts(broker.tariff), ["Address", whole(broker.address)]])),
    ...broker.pending.map((next) => section(`Announced: for orders sent from block ${count(next.effective)} on`, facts(tariffFacts(next.tariff)))),
    ...broker.former.map((old) => section(`Former: version ${old.version}, for orders sent under it`, facts(tariffFacts(old.tariff)))),
  ];
}

/** A tab whose cards come when it is opened. */
function later(load) {
  const place = el("div", { class: "tab-place" }, el("p", { class: "loading", text: "Loading …" }));
  load().then((cards) => put(place, cards), (error) => put(place, none(error.message)));
  return place;
}

export async function bookPage(root, { id, alive, onLeave }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `brokers/${encodeURIComponent(id)}`;
  const { data: broker } = await get(path);
  if (!alive()) return;
  document.title = `Book of ${broker.name || short(id)} – TwinChain`;
  const live = livePart(broker.address, alive);
  await live.refresh();
  let shown = tip();
  const timer = setInterval(() => {
    if (tip() === shown) return;
    shown = tip();
    live.refresh().catch(() => {}); // the next block tries again
  }, REFRESH_MS);
  onLeave(() => clearInterval(timer));
  if (!alive()) return;
  put(root, heading("Order book", broker.name || short(id, 12, 8), path, `${plural(broker.open_bids, "bid")} and ${plural(broker.open_asks, "ask")} open, ${broker.status}. `, el("a", { href: `#/account/${broker.address}`, text: "Its account" }), " · ", downloads(`${path}/depth`)), tabs([
    ["Book", () => [...live.cards, ...tariffs(broker)]],
    [`Orders (${broker.open_bids + broker.open_asks})`, () => later(() => Promise.all(["bid", "ask"].map((side) => sideCard(broker.address, side))))],
    ["History", () => later(() => history(broker.address))],
    ["Raw JSON", () => json(broker)],
  ]));
}
