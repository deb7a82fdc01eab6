// Shows the page that the hash names: #/block/12, #/tx/…, #/account/…, #/order/…, #/agreement/…,
// #/election/12, #/members, #/member/…, #/book/…, #/round/12, #/rounds, #/trades, #/search?q=…;
// anything else is the first page.

import { announce, el, put } from "./dom.js";
import { failure } from "./parts.js";
import { ready } from "./feed.js";

// A page's code is fetched when the page is first asked for: the first page stays light.
const PAGES = {
  block: async () => (await import("./pages/block.js")).blockPage,
  tx: async () => (await import("./pages/transaction.js")).transactionPage,
  account: async () => (await import("./pages/account.js")).accountPage,
  order: async () => (await import("./pages/order.js")).orderPage,
  agreement: async () => (await import("./pages/agreement.js")).agreementPage,
  election: async () => (await import("./pages/election.js")).electionPage,
  members: async () => (await import("./pages/members.js")).membersPage,
  member: async () => (await import("./pages/member.js")).memberPage,
  book: async () => (await import("./pages/book.js")).bookPage,
  round: async () => (await import("./pages/round.js")).roundPage,
  rounds: async () => (await import("./pages/rounds.js")).roundsPage,
  trades: async () => (await import("./pages/trades.js")).tradesPage,
  search: async () => (await import("./search.js")).searchPage,
};

let leave = null;
let shown = 0;

export function go(hash) {
  if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = hash;
}

/** "#/order/ab12?at=5" -> {name, id, query} */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, id = ""] = path.split("/");
  let plain = id;
  try {
    plain = decodeURIComponent(id);
  } catch {
    plain = id; // not an encoding: shown as it is
  }
  return { name, id: plain, query: new URLSearchParams(search) };
}

export function startRouter(home, page) {
  const show = async () => {
    const mine = ++shown;
    const { name, id, query } = parse(location.hash);
    const load = Object.hasOwn(PAGES, name) ? PAGES[name] : null;
    leave?.();
    leave = null;
    home.hidden = Boolean(load);
    page.hidden = !load;
    put(page);
    scrollTo(0, 0);
    if (!load) {
      document.title = "TwinChain explorer";
      return;
    }
    const root = el("div", { class: "page" });
    page.append(root);
    await ready(); // names, colours and the height, so that pages need not wait for them
    if (mine !== shown) return;
    const turn = { id, query, alive: () => mine === shown, onLeave: (call) => { leave = call; } };
    try {
      const draw = await load();
      if (mine !== shown) return;
      await draw(root, turn);
      if (turn.alive()) announce(document.title);
    } catch (error) {
      if (turn.alive()) put(root, failure(error, show));
    }
  };
  addEventListener("hashchange", show);
  show();
}
