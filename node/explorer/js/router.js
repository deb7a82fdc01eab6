// Shows the page that the hash names: #/block/12, #/tx/…, #/account/…, #/order/…, #/agreement/…,
// #/election/12, #/search?q=…; anything else is the first page.

import { announce, el, put } from "./dom.js";
import { failure } from "./parts.js";
import { accountPage } from "./pages/account.js";
import { agreementPage } from "./pages/agreement.js";
import { blockPage } from "./pages/block.js";
import { electionPage } from "./pages/election.js";
import { orderPage } from "./pages/order.js";
import { transactionPage } from "./pages/transaction.js";
import { searchPage } from "./search.js";
import { ready } from "./feed.js";

const PAGES = {
  block: blockPage, tx: transactionPage, account: accountPage, order: orderPage,
  agreement: agreementPage, election: electionPage, search: searchPage,
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
    const draw = PAGES[name];
    leave?.();
    leave = null;
    home.hidden = Boolean(draw);
    page.hidden = !draw;
    put(page);
    scrollTo(0, 0);
    if (!draw) {
      document.title = "TwinChain explorer";
      return;
    }
    const root = el("div", { class: "page" });
    page.append(root);
    await ready(); // names, colours and the height, so that pages need not wait for them
    if (mine !== shown) return;
    const turn = { id, query, alive: () => mine === shown, onLeave: (call) => { leave = call; } };
    try {
      await draw(root, turn);
      if (turn.alive()) announce(document.title);
    } catch (error) {
      if (turn.alive()) put(root, failure(error, show));
    }
  };
  addEventListener("hashchange", show);
  show();
}
