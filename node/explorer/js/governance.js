// Says in plain sentences what concerns membership and decisions of the members: actions, events,
// and the changes that are voted on.

import { el } from "./dom.js";
import { count, plural, short, tokens } from "./format.js";
import { money, toBlock, who } from "./links.js";

/** A proposed change as text and links: "to admit X", "to set consensus.jail_blocks to 300". */
export function changeWords(change) {
  switch (change.kind) {
    case "admit_member": return ["to admit ", who(change.account)];
    case "eject_member": return ["to put out ", who(change.account)];
    case "admit_broker": return ["to open the book of the broker ", who(change.account)];
    case "suspend_broker": return ["to close the book of the broker ", who(change.account)];
    case "set_parameter": return ["to set ", el("span", { class: "mono", text: `${change.scope}.${change.name}` }), ` to ${count(change.value)}`];
    default: return [short(JSON.stringify(change), 120)];
  }
}

function declared(resources) {
  return `${count(resources.computation)} MHz, ${count(resources.communication)} kbit/s, ${plural(resources.modelling, "model unit")}`;
}

const proposalLink = (id) => el("a", { class: "mono", href: `#/members?tab=proposals`, title: id, text: short(id, 8) });

function people(addresses) {
  return addresses.flatMap((address, index) => (index ? [index === addresses.length - 1 ? " and " : ", ", who(address)] : [who(address)]));
}

/** An action about membership, null for any other. */
export function governanceAction(action, from) {
  switch (action.type) {
    case "apply": return [who(from), ` applies to become a member as “${action.name}”, with ${declared(action.resources)}`, action.endpoint ? [", at ", el("span", { class: "mono", text: action.endpoint })] : "", "."];
    case "update": return [who(from), ` states anew what it has: ${declared(action.resources)}`, action.endpoint ? [", at ", el("span", { class: "mono", text: action.endpoint })] : "", "."];
    case "leave": return [who(from), " leaves the members."];
    case "unjail": return [who(from), " asks to be let out of jail."];
    case "propose": return [who(from), " proposes ", changeWords(action.change), "."];
    case "approve": return [who(from), " approves the proposal ", proposalLink(action.proposal), "."];
    case "evidence": return [who(from), " hands in two conflicting signed votes as evidence."];
    case "apply_broker": return [who(from), ` applies to become the broker “${action.name}”, for `, money(action.tariff.lambda_micro), " a deal."];
    case "change_tariff": return [who(from), " announces another tariff for its book: “", action.tariff.pricing, "” prices, ", money(action.tariff.lambda_micro), " a deal."];
    default: return null;
  }
}

function changeOf(data) {
  try {
    return changeWords(JSON.parse(data.change));
  } catch {
    return [short(String(data.change), 120)];
  }
}

/** An event about membership, null for any other. */
export function governanceEvent({ kind, data, accounts, height }) {
  switch (kind) {
    case "member.applied": return [who(accounts[0]), ` applies to become a member; the members may decide until block ${count(data.expires)}`];
    case "member.admitted": return [who(data.address), ` is admitted, and has until block ${count(data.bond_until)} to stake`];
    case "member.bonded": return [who(data.address), " has staked enough and is active: its seat follows at a boundary"];
    case "member.updated": return [who(data.address), " has stated its resources, endpoint and VRF key anew"];
    case "member.unjailed": return [who(data.address), " is out of jail and active again"];
    case "member.left": return [who(data.address), " is no member any more"];
    case "member.voted_out": return [who(data.address), " was put out by the members"];
    case "member.jailed": return [who(data.address), ` is jailed until block ${count(data.until)}: voted on ${count(data.votes)} of ${plural(data.due, "block")} and missed ${plural(Number(data.skips), "turn")}`];
    case "member.ejected": return [who(data.address), " was ejected for signing two different things at block ", toBlock(data.offence_height), `; ${tokens(data.burned_micro)} tokens of it are burned`];
    case "proposal.opened": return [who(data.member), " proposes ", changeOf(data)];
    case "proposal.approved": return [who(data.member), " approves ", changeOf(data)];
    case "proposal.carried": return ["The members decided ", changeOf(data), "; ", who(data.member), " cast the deciding vote"];
    case "proposal.expired": return ["Too few approved in time ", changeOf(data)];
    case "parameter.changed": return ["From now on ", el("span", { class: "mono", text: `${data.scope}.${data.name}` }), ` is ${count(data.value)}`];
    case "validators.changed": return [
      "From block ", data.first > height ? `#${count(data.first)}` : toBlock(data.first), " on another set votes",
      data.joined.length ? [": ", people(data.joined), data.joined.length === 1 ? " has a seat" : " have seats"] : "",
      data.left.length ? [data.joined.length ? "; " : ": ", people(data.left), " no longer"] : "",
    ];
    case "broker.applied": return [who(data.broker), ` applies to become the broker “${data.name}”`];
    case "broker.admitted": return [who(data.broker), ` may open its book as “${data.name}”`];
    case "broker.suspended": return ["The book of ", who(data.broker), " is frozen; its orders are closed, some in each block, and get everything back"];
    case "broker.tariff_announced": return [who(data.broker), ` will have another tariff for orders sent from block ${count(data.effective)} on`];
    case "broker.tariff_withdrawn": return [who(data.broker), " keeps its tariff after all"];
    case "broker.tariff_changed": return [who(data.broker), ` has another tariff now (version ${count(data.version)}); open orders keep theirs`];
    default: return null;
  }
}
