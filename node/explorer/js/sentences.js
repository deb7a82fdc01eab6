// Says in plain sentences what actions of transactions ask for and what events tell.

import { el } from "./dom.js";
import { governanceAction, governanceEvent } from "./governance.js";
import { accrued, basis, count, plural, short, tokens } from "./format.js";
import { money, toBlock, toContract, who } from "./links.js";
import { rowOf } from "./parts.js";

/** One action of a transaction by `from`, as text and links. */
export function actionSentence(action, from, orderId, height) {
  const order = orderId ? [" (order ", toContract("order", orderId, height), ")"] : "";
  switch (action.type) {
    case "transfer":
      return [who(from), " sends ", money(action.amount_micro), " tokens to ", who(action.to), ".", action.memo ? el("span", { class: "memo", "data-testid": "memo", text: action.memo }) : ""];
    case "bid": {
      const most = action.valuation.kind === "flat" ? [", paying at most ", money(action.valuation.limit_micro)] : ", valuing it by its utility model";
      return [who(from), ` bids for ${plural(action.service_blocks, "block")} of service through `, who(action.broker), most, `, open until block ${count(action.expires)}`, order, "."];
    }
    case "ask": {
      const least = action.cost.kind === "flat" ? [", for at least ", money(action.cost.floor_micro)] : ", priced by its cost model";
      return [who(from), ` offers up to ${plural(action.longest_blocks, "block")} of service through `, who(action.broker), least, `, open until block ${count(action.expires)}`, order, "."];
    }
    case "reprice":
      return [who(from), " gives another price to the order ", toContract("order", action.order, height), `, open until block ${count(action.price.expires)}.`];
    case "cancel":
      return [who(from), " takes back the order ", toContract("order", action.order, height), "."];
    case "rate":
      return [who(from), ` rates the service of the agreement `, toContract("agreement", action.agreement, height), ` with ${basis(action.rating_bp)}.`];
    case "stake":
      return [who(from), " stakes ", money(action.amount_micro), " tokens."];
    case "unstake":
      return [who(from), " withdraws ", money(action.amount_micro), " tokens of its stake."];
    case "register":
      return [who(from), " registers ", who(action.account), ` as “${action.name}” (${action.role}).`];
    default:
      return governanceAction(action, from) ?? [who(from), ` does “${action.type}”.`];
  }
}

const CLOSED = { matched: "was matched", expired: "expired without a partner", cancelled: "was taken back" };

/** One event of a block. */
export function eventSentence(event) {
  const { kind, data, accounts, height } = event;
  switch (kind) {
    case "trade.made":
      return [who(data.buyer), " buys from ", who(data.seller), " through ", who(data.broker), ": pays ", money(data.paid_micro), ", the server gets ", money(data.received_micro), ", agreement ", toContract("agreement", data.agreement, height)];
    case "order.opened":
      return [who(data.owner), ` opens the ${data.side} `, toContract("order", data.order, height), " with ", who(data.broker)];
    case "order.repriced":
      return [who(data.owner), ` gives the ${data.side} `, toContract("order", data.order, height), " another price"];
    case "order.closed":
      return [`The ${data.side} `, toContract("order", data.order, height), " of ", who(data.owner), ` ${CLOSED[data.reason] ?? data.reason}`];
    case "round.cleared":
      return [data.service_class ? `Class ${data.service_class} of ` : "The book of ", who(data.broker), ` was ${data.deferred ? "put off" : "cleared"}: ${plural(data.bids, "bid")}, ${plural(data.asks, "ask")}, ${plural(data.trades, "trade")}`];
    case "agreement.ended":
      return [data.reason === "served" ? "Served to the end: agreement " : "The server left: agreement ", toContract("agreement", data.agreement, height), " of ", who(data.buyer), " with ", who(data.seller), ", ", money(data.paid_micro), " paid"];
    case "satisfaction.changed":
      return [who(data.buyer), " rates ", who(data.seller), ` ${basis(data.rating_bp)}: satisfaction ${basis(data.before_bp)} → ${basis(data.after_bp)}`];
    case "turn.taken":
      return [who(data.address), ` takes its turn and clears ${accrued(data.tokens_cleared)} tokens of accrual`];
    case "turn.skipped":
      return [who(data.address), ` was voted out of view ${data.view} and pays `, money(data.fee_micro)];
    case "reward.paid":
      return ["Rewards for block ", toBlock(data.height), ": ", money(data.block_micro), " to ", who(data.builder), `, ${tokens(data.votes_micro)} to ${plural(data.signers + data.late_votes, "voter")}, ${tokens(data.inclusion_micro)} to `, who(data.includer)];
    case "account.registered":
      return [who(accounts[0]), ` is registered as “${data.name}” (${data.role})`];
    case "stake.changed":
      return [who(accounts[0]), " now stakes ", money(data.stake_micro)];
    case "stake.unlocked":
      return [money(data.amount_micro), " of stake is free again for ", who(accounts[0])];
    default:
      return governanceEvent(event) ?? [short(JSON.stringify(data), 160)];
  }
}

export function eventRow(event) {
  return rowOf(el("td", { class: "num faint", text: event.id }), el("td", {}, el("span", { class: "tag", text: event.kind })), el("td", { class: "sentence-cell" }, eventSentence(event)));
}
