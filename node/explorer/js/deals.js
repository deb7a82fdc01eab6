// Takes trades and ratings from the event stream into the feed of trades and the totals per round.

import { learn } from "./api.js";
import { changed, nowMs, ROUNDS_KEPT, store, TRADES_KEPT } from "./store.js";

const early = []; // what came before the first snapshot

/** Takes a snapshot of trades, and keeps what the stream brought after it was made. */
export function setTrades(rows) {
  const newest = rows[0]?.height ?? 0;
  const since = (store.trades ?? []).filter((trade) => trade.height > newest);
  store.trades = [...since, ...rows].slice(0, TRADES_KEPT);
  early.splice(0).forEach(takeTrade);
}

/** The same for the totals of rounds. */
export function setRounds(rows) {
  const newest = rows[0]?.height ?? 0;
  const since = (store.rounds ?? []).filter((round) => round.height > newest);
  const whole = rows.map((round) => ({ ...round, whole: true })); // the node has summed all of it
  store.rounds = [...since, ...whole].slice(0, ROUNDS_KEPT);
}

/** A trade: a row of the feed and its share of its round. */
export function takeTrade(event) {
  learn(event.names);
  if (event.kind !== "trade.made") return;
  if (!store.trades) {
    early.push(event);
    return;
  }
  if (store.trades.some((trade) => trade.id === event.id)) return;
  const block = store.blocks?.find((each) => each.height === event.height);
  const trade = { ...event, time_ms: block?.time_ms ?? nowMs(), agreement: {}, fresh: true };
  store.trades = [trade, ...store.trades].slice(0, TRADES_KEPT);
  addToRound(trade);
  changed("trades");
}

/** Adds a trade to the totals of its round. */
function addToRound({ height, time_ms, data }) {
  if (!store.rounds) return;
  const newest = store.rounds[0];
  if (newest && (height < newest.height || (height === newest.height && newest.whole))) return;
  const before = newest?.height === height ? newest : {
    height, time_ms, trades: 0, price_sum: 0, paid_micro: 0, received_micro: 0, broker_micro: 0,
    low_micro: data.price_micro, high_micro: data.price_micro,
  };
  const priceSum = (before.price_sum ?? before.price_micro * before.trades) + data.price_micro;
  const trades = before.trades + 1;
  const round = {
    ...before, trades, price_sum: priceSum, price_micro: Math.floor(priceSum / trades),
    low_micro: Math.min(before.low_micro, data.price_micro),
    high_micro: Math.max(before.high_micro, data.price_micro),
    paid_micro: before.paid_micro + data.paid_micro,
    received_micro: before.received_micro + data.received_micro,
    broker_micro: before.broker_micro + data.broker_micro,
  };
  const rest = newest?.height === height ? store.rounds.slice(1) : store.rounds;
  store.rounds = [round, ...rest].slice(0, ROUNDS_KEPT);
}

/** A rating: goes to the trade it belongs to. */
export function takeRating({ data, names }) {
  learn(names);
  const trade = store.trades?.find((each) => each.data.agreement === data.agreement);
  if (!trade) return;
  trade.agreement = { ...trade.agreement, rated: true, rating_bp: data.rating_bp };
  changed("trades");
}
