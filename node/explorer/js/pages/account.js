// One account: its money, its roles, its place as a validator or broker, and what happened to it.

import { get, learn } from "../api.js";
import { el, put } from "../dom.js";
import { accrued, basis, count, share, short } from "../format.js";
import { money, toBlock, toContract, toTransaction, who, whole } from "../links.js";
import { serviceFacts } from "../market.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { eventRow } from "../sentences.js";
import { store } from "../store.js";

const ROLES = { member: "DT server", its: "ITS subsystem", broker: "broker", account: "account" };
const LIMIT = 25;

function standing(account) {
  const row = store.validators?.find((each) => each.address === account.address);
  const member = account.member;
  if (!member) return null;
  return section("As a DT server", facts([
    ["Status", el("span", { class: `tag ${member.status === "active" ? "good" : "bad"}`, text: member.status }), " ", el("a", { href: `#/member/${account.address}`, text: "membership" })],
    ["Stake", money(member.stake_micro)], ["Satisfaction", basis(member.satisfaction_bp)],
    ["Comprehensive resource (Eq. 4)", count(member.comprehensive_resource)],
    ["Computation, MHz", count(member.resources.computation)], ["Communication, kbit/s", count(member.resources.communication)], ["Modelling, units", count(member.resources.modelling)],
    ["Deposit", money(member.deposit_micro)], member.endpoint ? ["Endpoint", el("span", { class: "mono", text: member.endpoint })] : null,
    row ? ["Accrued tokens", accrued(row.tokens)] : null, row ? ["Chance of the next turn", share(row.chance_ppm)] : null,
    row ? ["Blocks built", count(row.blocks_built)] : ["Voting", "not in the voting set"], row ? ["Turns skipped", count(row.turns_skipped)] : null,
    row ? ["Last live", toBlock(row.last_live)] : null, ...serviceFacts(account.service_record),
  ]));
}

function balances(account) {
  return section("Money, in tokens", facts([
    ["Free", money(account.free_micro, 6)], ["Reserved for orders and agreements", money(account.reserved_micro, 6)],
    account.member ? ["Staked", money(account.member.stake_micro, 6)] : null,
    ["Next transaction number", count(account.next_nonce)],
    account.registration ? ["Registered at block", account.registration.height ? toBlock(account.registration.height) : "genesis"] : null,
    account.registration?.height && account.registration.sponsor ? ["Sponsor", who(account.registration.sponsor)] : null,
  ]));
}

/** A place that loads its rows when shown, page after page. */
function listing(path, heads, toRows, nothing) {
  const rows = el("tbody");
  const place = el("div");
  const more = el("button", { type: "button", class: "button", text: "Older", hidden: true, onclick: () => load() });
  const card = section("", place, el("p", { class: "body more" }, more));
  let cursor = "";
  const shown = table(heads, []);
  shown.querySelector("tbody").replaceWith(rows);
  const load = async () => {
    more.disabled = true;
    try {
      const answer = await get(`${path}${path.includes("?") ? "&" : "?"}limit=${LIMIT}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      rows.append(...answer.data.flatMap(toRows));
      put(place, rows.children.length ? shown : none(nothing));
      cursor = answer.next_cursor ?? "";
      more.hidden = !cursor;
    } catch (error) {
      put(place, none(error.message));
    }
    more.disabled = false;
  };
  put(place, el("p", { class: "loading", text: "Loading …" }));
  load();
  return card;
}

const transactionRow = (each) => [rowOf(toTransaction(each.hash), toBlock(each.height), who(each.from.address), each.types.join(", "), el("span", { class: `tag ${each.code === "ok" ? "good" : "bad"}`, text: each.code.replaceAll("_", " ") }))];
const orderRow = (each) => [rowOf(toContract("order", each.id, each.admitted), el("span", { class: `tag`, text: each.side }), who(each.broker), right(money(each.path.now_micro)), right(count(each.expires)))];
const agreementRow = (each) => [rowOf(toContract("agreement", each.id, each.start), who(each.buyer), who(each.seller), el("span", { class: "tag", text: each.status }), right(money(each.held_micro)), right(count(each.end)))];

export async function accountPage(root, { id, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `accounts/${encodeURIComponent(id)}`;
  const { data: account } = await get(path);
  if (!alive()) return;
  if (account.name) learn({ [account.address]: account.name });
  document.title = `${account.name || short(id)} – TwinChain`;
  const book = account.roles.includes("broker") ? [" ", el("a", { href: `#/book/${account.address}`, text: "Its book" })] : [];
  const roles = account.roles.map((name) => ROLES[name] ?? name).join(", ") || (account.known ? "account" : "nobody has used this address yet");
  const orders = `orders?owner=${account.address}`;
  const pages = [
    ["Overview", () => [balances(account), standing(account)]],
    ["Transactions", () => listing(`${path}/txs`, ["Hash", "Block", "From", "Actions", "Result"], transactionRow, "No transaction names this account.")],
    ["Activity", () => listing(`${path}/activity`, ["No", "Kind", "What happened"], (row) => row.events.map(eventRow), "Nothing has happened to this account.")],
    ["Open orders", () => listing(orders, ["Order", "Side", "Broker", ">Price now", ">Expires"], orderRow, "It has no open order.")],
  ];
  if (account.roles.includes("its")) pages.push(["Agreements", () => listing(`agreements?buyer=${account.address}`, ["Agreement", "Buyer", "Seller", "Status", ">Held", ">Ends"], agreementRow, "No agreement runs or waits for a rating.")]);
  if (account.roles.includes("member")) pages.push(["Agreements", () => listing(`agreements?seller=${account.address}`, ["Agreement", "Buyer", "Seller", "Status", ">Held", ">Ends"], agreementRow, "No agreement runs or waits for a rating.")]);
  if (["its", "member", "broker"].some((role) => account.roles.includes(role))) pages.push(["Market", () => marketOf(account)]);
  pages.push(["Raw JSON", () => json(account)]);
  put(root, heading(capital(roles), account.name || short(id, 12, 8), path, whole(account.address), book), tabs(pages));
}

/** What it traded over the last blocks, role by role. */
function marketOf(account) {
  const place = el("div", { class: "tab-place" }, el("p", { class: "loading", text: "Loading …" }));
  const card = (title, own, pairs) => own.trades ? section(title, facts([["Trades", count(own.trades)], ...pairs])) : null;
  get(`accounts/${account.address}/market`).then(({ data }) => put(place,
    el("p", { class: "hint", "data-testid": "window", text: `Blocks ${count(data.from)} to ${count(data.to)}. ` }, el("a", { href: `#/trades?account=${account.address}`, text: "Its trades" })),
    card("As buyer", data.as_buyer, [["Paid", money(data.as_buyer.paid_micro)], ["Worth to it", money(data.as_buyer.value_micro)], ["Gain", money(data.as_buyer.gain_micro)]]),
    card("As server", data.as_seller, [["Received", money(data.as_seller.received_micro)], ["Cost", money(data.as_seller.cost_micro)], ["Gain", money(data.as_seller.gain_micro)]]),
    card("As broker", data.as_broker, [["Volume", money(data.as_broker.paid_micro)], ["Kept", money(data.as_broker.broker_micro)], ["Fees in it", money(data.as_broker.fee_micro)]]),
    section("Orders and ratings", facts([["Orders opened", count(data.orders.opened)], ...Object.entries(data.orders.closed).map(([why, number]) => [`Orders ${why.replaceAll("_", " ")}`, count(number)]),
      data.ratings.given.count ? ["Ratings given", `${count(data.ratings.given.count)}, mean ${basis(data.ratings.given.mean_bp)}`] : null,
      data.ratings.received.count ? ["Ratings received", `${count(data.ratings.received.count)}, mean ${basis(data.ratings.received.mean_bp)}`] : null])),
  ), (error) => put(place, none(error.message)));
  return place;
}

function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

