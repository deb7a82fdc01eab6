// The feed of trades, newest first, and the chart of price and volume per round beside it.

import { el, keyed, panel, put, say, empty } from "./dom.js";
import { basis, count, plural, tokens } from "./format.js";
import { drawRounds } from "./charts.js";
import { money, toBlock, toContract, when, who } from "./links.js";
import { nowMs, ROUNDS_KEPT, store, watch } from "./store.js";

const SHOWN = 14;

function makeTrade(trade) {
  const { data } = trade;
  const rating = el("td", { class: "right num", "data-label": "Satisfaction", "data-testid": "rating" });
  const node = el(
    "tr", { "data-testid": "trade", "data-id": trade.id },
    el("td", { "data-label": "Block" }, toBlock(trade.height), " ", when(trade.time_ms, nowMs())),
    el("td", { "data-label": "Buyer" }, who(data.buyer)), el("td", { "data-label": "Seller" }, who(data.seller)),
    el("td", { "data-label": "Broker" }, who(data.broker)),
    el("td", { class: "right", "data-label": "Paid", "data-testid": "paid" }, money(data.paid_micro)),
    el("td", { class: "right", "data-label": "Received" }, money(data.received_micro)),
    rating, el("td", { "data-label": "Agreement" }, toContract("agreement", data.agreement, trade.height)),
  );
  node.update = ({ agreement }) => {
    const rated = agreement?.rated;
    say(rating, rated ? basis(agreement.rating_bp) : agreement?.status === "ended" ? "not yet" : "in service");
    rating.classList.toggle("faint", !rated);
  };
  if (trade.fresh) node.classList.add("fresh");
  return node;
}

export function mountTrades(root) {
  const { card, aside, body } = panel("Trades", "trades");
  const heads = [["Block"], ["Buyer"], ["Seller"], ["Broker"], ["Paid", "right"], ["Received", "right"], ["Satisfaction", "right"], ["Agreement"]];
  const rows = el("tbody");
  const table = el("table", { class: "stack trades-table" }, el("thead", {}, el("tr", {}, heads.map(([text, side]) => el("th", { scope: "col", class: side ?? "", text })))), rows);
  const nothing = el("div");
  body.append(table, nothing);
  root.append(card);
  const known = new Map();
  watch(["trades"], () => {
    const trades = store.trades;
    table.hidden = !trades?.length;
    if (!trades) {
      put(nothing, el("p", { class: "loading", text: store.errors.trades?.message ?? "Loading …" }));
      return;
    }
    put(nothing, trades.length ? null : empty("No trade yet", "Trades appear here as the auction matches bids with asks. Start some: twinchain demo --dir testnet"));
    keyed(rows, known, trades.slice(0, SHOWN), (trade) => trade.id, makeTrade, (node, trade) => node.update(trade));
    put(aside, trades.length ? ["tokens, newest first · ", el("a", { href: "#/trades", text: "all" })] : "");
  });
}

export function mountRounds(root) {
  const { card, aside, body } = panel("Price and volume per round", "rounds");
  const drawing = el("div", { class: "drawing" });
  const readout = el("p", { class: "readout hint num", "data-testid": "round-readout" });
  body.append(drawing, readout);
  root.append(card);
  const describe = (round) => {
    put(readout, round
      ? ["Round ", el("a", { href: `#/round/${round.height}`, class: "num", text: `#${count(round.height)}` }), `: ${plural(round.trades, "trade")}, mean price ${tokens(round.price_micro)}, paid ${tokens(round.paid_micro)}, received ${tokens(round.received_micro)}, brokers ${tokens(round.broker_micro)}`]
      : null);
  };
  let newest = "";
  const render = () => {
    if (!store.rounds) {
      put(drawing, el("p", { class: "loading", text: store.errors.trades?.message ?? "Loading …" }));
      return;
    }
    if (!store.rounds.length) {
      put(drawing, empty("No round has traded yet", "Each block clears the auction once; rounds with trades show up here."));
      return;
    }
    const key = `${drawing.clientWidth}/${store.rounds.length}/${store.rounds[0].height}/${store.rounds[0].trades}`;
    if (key === newest) return;
    newest = key;
    drawRounds(drawing, [...store.rounds].reverse(), describe);
    describe(store.rounds[0]);
    say(aside, `last ${store.rounds.length === ROUNDS_KEPT ? ROUNDS_KEPT : count(store.rounds.length)} rounds that traded`);
  };
  watch(["trades"], render);
  new ResizeObserver(render).observe(drawing);
}
