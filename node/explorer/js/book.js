// One broker's book: its demand and supply as step curves, how many orders are open, its tariff.

import { el, mark, panel, put, say, empty } from "./dom.js";
import { count, plural, tokens } from "./format.js";
import { drawDepth } from "./charts.js";
import { chooseBroker } from "./feed.js";
import { store, watch } from "./store.js";

const WEIGHTS = { spread: "weights: spread (the paper's)", surplus: "weights: surplus" };
const PRICING = { paper: "each pays and gets its own price (the paper's)", midpoint: "price halfway", core_buyer: "price: best for buyers", core_seller: "price: best for sellers", kappa: "the broker keeps its part of the margin", mcafee: "one price for each side of a class" };

function tariffWords(tariff) {
  const words = [`fee ${tokens(tariff.lambda_micro)} per ${tariff.fee_basis ?? "deal"}`];
  words.push(WEIGHTS[tariff.weights] ?? `weights: ${tariff.weights}`);
  words.push(PRICING[tariff.pricing] ?? `pricing: ${tariff.pricing}`);
  return words.join(" · ");
}

/** How many could trade; a class has no price ladder, and its last pair may be left out. */
function crossingWords(depth) {
  const crossed = plural(depth.crossing, "pair crosses", "pairs cross");
  if (depth.service_class) return depth.crossing ? `${crossed} by price alone; trade reduction may leave the last one out` : "No bid of this class meets an ask yet.";
  return depth.crossing ? `${crossed} at the next round, by price alone` : "No bid meets an ask yet. Prices approach each other round by round.";
}

export function mountBook(root) {
  const select = el("select", { "aria-label": "Broker", "data-testid": "broker", onchange: () => chooseBroker(select.value) });
  const { card, head, aside, body } = panel("Order book", "book", select);
  const tariff = el("p", { class: "hint wide" });
  head.append(tariff);
  const bids = el("b", { class: "num", "data-testid": "open-bids" });
  const asks = el("b", { class: "num", "data-testid": "open-asks" });
  const [bidding, asking] = [el("span"), el("span")];
  const counts = el("p", { class: "counts" },
    el("span", { class: "demand" }, el("i", { class: "swatch" }), bids, " ", bidding),
    el("span", { class: "supply" }, el("i", { class: "swatch" }), asks, " ", asking));
  const drawing = el("div", { class: "drawing", "data-testid": "depth" });
  const note = el("p", { class: "hint" });
  body.append(counts, drawing, note);
  root.append(card);
  let options = "";
  let shown = "";
  const render = () => {
    const brokers = store.brokers;
    select.hidden = !brokers?.length;
    counts.hidden = !brokers?.length;
    if (!brokers) {
      put(drawing, el("p", { class: "loading", text: store.errors.book?.message ?? "Loading …" }));
      return;
    }
    const wanted = brokers.map((each) => each.address + each.name).join();
    if (wanted !== options) {
      options = wanted;
      put(select, brokers.map((each) => el("option", { value: each.address, text: each.name || each.address.slice(0, 10) })));
    }
    select.value = store.broker;
    const broker = brokers.find((each) => each.address === store.broker);
    if (!broker) {
      put(drawing, empty("No broker", "This chain has no broker, so nobody can trade."));
      return;
    }
    say(bids, count(broker.open_bids));
    say(asks, count(broker.open_asks));
    say(bidding, broker.open_bids === 1 ? "bid" : "bids");
    say(asking, broker.open_asks === 1 ? "ask" : "asks");
    say(tariff, tariffWords(broker.tariff));
    put(aside, el("a", { href: `#/book/${broker.address}`, text: "open the book" }));
    renderDepth();
  };
  const renderDepth = () => {
    const depth = store.depth;
    if (!depth) {
      if (!shown) put(drawing, el("p", { class: "loading", text: "Loading …" }));
      return;
    }
    const key = JSON.stringify([drawing.clientWidth, depth.broker, depth.demand, depth.supply, depth.crossing, depth.others.length]);
    if (key === shown) return;
    shown = key;
    mark(drawing, "data-height", depth.height);
    if (!depth.demand.length && !depth.supply.length) {
      put(drawing, empty("The book is empty", "Bids and asks wait here until the auction of a block matches them."));
      say(note, "");
      return;
    }
    drawDepth(drawing, depth);
    const others = depth.others.length ? ` · ${plural(depth.others.length, "more curve")} on its own page: other classes or former tariffs` : "";
    say(note, crossingWords(depth) + others);
  };
  watch(["book"], render);
  new ResizeObserver(() => { if (store.brokers) render(); }).observe(drawing);
}
