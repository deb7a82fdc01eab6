// All trades, newest first; the filters are in the address of the page.

import { el } from "../dom.js";
import { basis, count } from "../format.js";
import { money, toContract, when, who } from "../links.js";
import { right, rowOf } from "../parts.js";
import { nowMs } from "../store.js";
import { listPage } from "./rounds.js";

const HEADS = ["Round", "Time", "Buyer", "Server", "Broker", ">Price", ">Paid", ">Received", ">Welfare", "Rating", "Agreement"];

function tradeRow({ height, time_ms, data, agreement }) {
  const row = rowOf(el("a", { href: `#/round/${height}`, class: "num", text: `#${count(height)}` }), when(time_ms, nowMs()), who(data.buyer), who(data.seller),
    el("a", { href: `#/book/${data.broker}` }, who(data.broker, { plain: true })), right(money(data.price_micro)), right(money(data.paid_micro)), right(money(data.received_micro)),
    right(money(data.value_micro - data.cost_micro)), agreement?.rated ? basis(agreement.rating_bp) : "", toContract("agreement", data.agreement, height));
  row.dataset.testid = "trade-row";
  return row;
}

export async function tradesPage(root, turn) {
  await listPage(root, turn, { name: "trades", kind: "Market", title: "Trades", heads: HEADS, toRow: tradeRow, nothing: "Nothing has traded." });
}
