// One block: who was in line to write it and who did, who signed it, what is inside.

import { get, learn, meet } from "../api.js";
import { el, put } from "../dom.js";
import { count, plural, tokens, utc } from "../format.js";
import { money, role, toContract, toTransaction, when, who, whole } from "../links.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { eventRow } from "../sentences.js";
import { nowMs, tip } from "../store.js";

const OUTCOMES = {
  built: ["wrote it", "good"], skipped: ["voted out", "warn"], missed: ["passed over", "warn"], not_needed: ["not needed", ""],
};

function leaders(block) {
  const list = block.leaders.map((leader) => {
    const [text, kind] = OUTCOMES[leader.outcome] ?? [leader.outcome, ""];
    return el("li", { class: leader.outcome, "data-testid": "leader" }, role(leader.role), who(leader.address), el("span", { class: `tag ${kind}`, text }));
  });
  return section("Order of turns", list.length ? el("ol", { class: "leaders" }, list) : none("The election of this height is not kept here."));
}

function signers(block) {
  const certificate = block.certificate;
  if (!certificate) return section("Signatures", none("No certificate is kept for this block."));
  const rows = certificate.signers.map((signer) => rowOf(signer.address ? who(signer.address) : `validator ${signer.index}`, el("span", { class: "mono faint", title: signer.signature, text: `${signer.signature.slice(0, 40)}…` })));
  return section(`Made final by ${plural(certificate.signers.length, "signature")}`, table(["Validator", "Signature"], rows));
}

function transactions(block) {
  if (!block.transactions.length) return section("Transactions", none("This block carries no transaction. The auction was cleared all the same."));
  const rows = block.transactions.map((each) => rowOf(
    toTransaction(each.hash), who(each.from.address), each.types.join(", "),
    el("span", { class: `tag ${each.code === "ok" ? "good" : "bad"}`, text: each.code.replaceAll("_", " ") }), right(money(each.fee_micro, 4))));
  return section(plural(block.transactions.length, "transaction"), table(["Hash", "From", "Actions", "Result", ">Fee"], rows));
}

function book(found, height) {
  const kind = found.number !== undefined; // a class of equal services: it has no labels
  const pairs = found.pairs.map((pair) => rowOf(
    who(pair.buyer ?? ""), who(pair.seller ?? ""), right(money(pair.value_micro)), right(money(pair.cost_micro)), ...(kind ? [] : [right(money(pair.price_micro))]),
    right(money(pair.paid_micro)), right(money(pair.received_micro)), ...(kind ? [] : [right(money(pair.buyer_label_micro)), right(money(pair.seller_label_micro))]),
    el("td", {}, pair.agreement ? toContract("agreement", pair.agreement, height) : "–")));
  const title = el("header", {}, el("h2", {}, "Book of ", who(found.broker), found.tariff > 1 || kind ? `, version ${found.tariff}${kind ? `, class ${found.number + 1}` : ""}` : ""),
    el("p", { class: "hint wide", text: `${plural(found.bids ?? 0, "bid")}, ${plural(found.asks ?? 0, "ask")}${kind ? "" : `, ${plural(found.edges ?? 0, "possible pair")}`}; ${plural(pairs.length, "trade")}${kind && pairs.length ? `, buyers pay ${tokens(found.buyer_price_micro)} and servers get ${tokens(found.seller_price_micro)} before fees` : ""}, total weight ${tokens(found.totals?.weight_micro ?? found.weight_micro ?? 0)}${found.halvings ? `; ${plural(found.uncalled ?? 0, "order")} not called` : ""}${found.deferred ? "; deferred to a later round" : ""}` }));
  const heads = ["Buyer", "Seller", ">Value", ">Cost", ...(kind ? [] : [">Price"]), ">Paid", ">Received", ...(kind ? [] : [">Label u", ">Label p"]), "Agreement"];
  const lost = found.unmatched ?? [];
  return el("section", { class: "card", "data-testid": "clearing" }, title,
    pairs.length ? table(heads, pairs) : none("Nothing matched in this round."),
    lost.length ? el("details", { class: "body" }, el("summary", { class: "hint", text: `${plural(found.unmatched_count ?? lost.length, "order")} crossed and went without` }), el("p", {}, lost.map((id) => [toContract("order", id, 0), " "]))) : null);
}

function clearing(block) {
  const books = [...(block.clearings?.books ?? []), ...(block.clearings?.classes ?? [])];
  if (!books.length) return [section("Clearing", none("No book was cleared in this block."))];
  return [el("p", { class: "hint" }, el("a", { href: `#/round/${block.height}`, text: "The whole round" }), ": curves, who lost and to whom."), block.clearings.books?.length ? el("p", { class: "hint", text: "Labels are the dual values of the optimal matching: with them every node checks the round instead of solving it again. Amounts in tokens." }) : null, ...books.map((each) => book(each, block.height))];
}

function overview(block) {
  const paid = block.rewards.map((event) => event.data)[0];
  return [
    leaders(block),
    section("Facts", facts([
      ["Time", utc(block.time_ms)], ["View", String(block.view)], ["Size", `${count(block.bytes)} bytes`],
      ["Transactions", count(block.transactions.length)], ["Trades", count(block.trades)], ["Late votes included", count(block.late_votes.length)],
      paid ? [`Paid for block ${count(paid.height)}`, tokens(paid.block_micro + paid.votes_micro + paid.inclusion_micro), " tokens from the pool"] : null,
      block.evidence ? ["Evidence of misbehaviour", count(block.evidence)] : null,
    ])),
    signers(block),
    section("Header", el("div", { class: "roots-box" }, rootsOf(block))),
  ];
}

function rootsOf(block) {
  const names = [["Hash", block.hash], ["Parent", block.parent], ["State root", block.state_root], ["Transactions root", block.transactions_root], ["Receipts root", block.receipts_root],
    ["Clearings root", block.clearings_root], ["Commits root", block.commits_root], ["Next voting set", block.validators_hash], ["VRF proof of the builder", block.vrf]];
  const list = facts(names.map(([name, value]) => [name, value ? whole(value) : null]));
  list.classList.add("roots");
  return list;
}

function events(block) {
  if (!block.events.length) return section("Events", none("This block changed nothing but itself."));
  return section(plural(block.events.length, "event"), table(["No", "Kind", "What happened"], block.events.map(eventRow)));
}

export async function blockPage(root, { id, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `blocks/${encodeURIComponent(id)}`;
  const { data: block, meta } = await get(path);
  if (!alive()) return;
  learn(meta.names);
  block.leaders.forEach(meet);
  meet(block.builder);
  block.transactions.forEach((each) => meet(each.from));
  document.title = `Block ${count(block.height)} – TwinChain`;
  const first = block.leaders.find((leader) => leader.outcome === "built");
  const out = block.leaders.filter((leader) => leader.outcome === "skipped");
  const title = heading("Block", count(block.height), path,
    "Written by ", who(block.builder.address), first ? [" as ", role(first.role)] : "",
    out.length ? [" after ", out.map((leader, index) => [index ? ", " : "", who(leader.address)]), " was voted out"] : "", ", ", when(block.time_ms, nowMs()), ".");
  title.querySelector(".actions").prepend(el("nav", { class: "pager", "aria-label": "Neighbouring blocks" },
    block.height > 1 && el("a", { class: "button", href: `#/block/${block.height - 1}`, text: "← Previous", rel: "prev" }),
    block.height < Math.max(tip(), meta.height) && el("a", { class: "button", href: `#/block/${block.height + 1}`, text: "Next →", rel: "next" })));
  put(root, title, tabs([
    ["Overview", () => overview(block)],
    [`Transactions (${block.transactions.length})`, () => transactions(block)],
    [`Clearing (${block.trades})`, () => clearing(block)],
    [`Events (${block.events.length})`, () => events(block)],
    ["Raw JSON", () => json(block)],
  ]));
}

