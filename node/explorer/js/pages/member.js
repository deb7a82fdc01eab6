// One member: where it stands, what it may expect at the next boundary, and what happened to it.

import { get, learn } from "../api.js";
import { el, put } from "../dom.js";
import { basis, count, plural, tokens } from "../format.js";
import { money, toBlock, whole } from "../links.js";
import { serviceFacts } from "../market.js";
import { facts, heading, json, none, section, tabs } from "../parts.js";
import { eventRow } from "../sentences.js";
import { seatWords, statusTag } from "./members.js";

/** What comes next for it, in one sentence. */
function outlook(member) {
  const at = (height) => `block #${count(height)}`;
  switch (member.status) {
    case "applied": return member.proposal ? "Its admission is being voted on." : `It waits for a member to propose it, until ${at(member.expires)}.`;
    case "admitted": return `It has until ${at(member.bond_until)} to stake the least stake.`;
    case "jailed": return `In jail until ${at(member.jailed_until)}; then it may ask to be let out.${member.seat_until ? ` It loses its seat at ${at(member.seat_until)}.` : ""}`;
    case "left": case "ejected": return member.seat_until ? `It loses its seat at ${at(member.seat_until)}, and then its stake begins to unbond.` : member.seated ? "It keeps a seat without weight: four must stay." : "It has no seat any more.";
    default: return member.seat_from ? `It has its seat from ${at(member.seat_from)} on.` : member.seated ? "It votes, and may be drawn to build." : "It has no seat yet.";
  }
}

function offence({ height, offence_height, burned_micro }) {
  return ["Signed two conflicting votes at height ", toBlock(offence_height), "; ejected in block ", toBlock(height), `, ${tokens(burned_micro)} tokens burned`];
}

function unbonding(member) {
  return (member.unbonding ?? []).map((part) => el("div", {}, money(part.amount_micro), ` until block #${count(part.unlock_height)}`));
}

export async function memberPage(root, { id, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `members/${encodeURIComponent(id)}`;
  const { data: member } = await get(path);
  if (!alive()) return;
  learn({ [member.address]: member.name });
  document.title = `${member.name} – TwinChain`;
  const known = member.status !== "applied";
  const pages = [
    ["Overview", () => [section("Membership", facts([
      ["Status", statusTag(member.status)], ["Seat", seatWords(member)], member.seated && member.seat_since ? ["Seat since", toBlock(member.seat_since)] : null,
      ["Next", outlook(member)], member.offence ? ["Offence", offence(member.offence)] : null,
      member.jailed_until ? ["Jailed until", `#${count(member.jailed_until)}`] : null,
    ])), known && section("What it has", facts([
      ["Stake", money(member.stake_micro)], member.unbonding?.length ? ["Unbonding", unbonding(member)] : null, ["Deposit", money(member.deposit_micro)],
      ["Satisfaction", basis(member.satisfaction_bp)], ["Votes since the boundary", member.votes_due ? `${count(Math.min(member.votes_seen, member.votes_due))} of ${plural(member.votes_due, "block")}` : "–"],
      ["Turns missed since", count(member.turns_missed)], ["Blocks built", count(member.blocks_built)], ["Turns skipped", count(member.turns_skipped)],
      ["Last live", member.last_live ? toBlock(member.last_live) : "–"],
    ])), known && section("What it has served", facts(serviceFacts(member.service_record))), section("What it stated", facts([
      ["Comprehensive resource (Eq. 4)", count(member.comprehensive_resource)], ["Computation, MHz", count(member.resources.computation)], ["Communication, kbit/s", count(member.resources.communication)], ["Modelling, units", count(member.resources.modelling)],
      ["Endpoint", el("span", { class: "mono", text: member.endpoint || "none" })], ["VRF key", whole(member.vrf_key)],
    ]))]],
    ["History", () => section("What happened to it", member.history.length ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "History" }, el("table", { class: "events" }, el("tbody", {}, member.history.map(eventRow)))) : none("It has been a member since the genesis, and nothing has happened to its membership."))],
    ["Raw JSON", () => json(member)],
  ];
  put(root, heading("Member", member.name, path, whole(member.address), " ", el("a", { href: `#/account/${member.address}`, text: "Its account" }), " · ", el("a", { href: "#/members", text: "All members" })), tabs(pages));
}
