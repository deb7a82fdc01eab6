// The tab's end of the event stream: through the shared worker where there is one, else directly,
// and then only while the tab can be seen, so that hidden tabs hold no connection.

import { fetchJson, Source } from "./source.js";

const ANSWER_MS = 9000;
let shared = null; // the port to the worker, once it has spoken
let asked = 0;
const open = new Map(); // number of the question -> what to do with the answer

/** Reads a path as fetchJson does, through the worker where there is one: once for all tabs. */
export function readShared(path) {
  if (!shared) return fetchJson(path);
  return new Promise((resolve) => {
    const ask = ++asked;
    const late = setTimeout(() => settle(ask, { status: 0, body: null }), ANSWER_MS);
    open.set(ask, (answer) => {
      clearTimeout(late);
      resolve(answer);
    });
    shared.postMessage({ read: path, ask });
  });
}

function settle(ask, answer) {
  open.get(ask)?.(answer);
  open.delete(ask);
}

/** Starts listening; `onEvent({topic, id, data})`, `onState("live" | "polling" | "lost")`. */
export function listen(onEvent, onState) {
  const direct = () => listenDirectly(onEvent, onState);
  if (typeof SharedWorker === "undefined") return direct();
  let worker;
  try {
    worker = new SharedWorker(new URL("./stream-worker.js", import.meta.url), {
      type: "module", name: "twinchain",
    });
  } catch {
    return direct();
  }
  const port = worker.port;
  worker.onerror = () => {
    worker.onerror = null;
    direct();
  };
  port.onmessage = ({ data }) => {
    shared = port;
    if (data.kind === "event") onEvent(data.event);
    else if (data.kind === "answer") settle(data.ask, data.answer);
    else onState(data.state);
  };
  port.start();
  port.postMessage("hello");
  addEventListener("pagehide", () => port.postMessage("bye"));
  addEventListener("pageshow", (event) => { if (event.persisted) port.postMessage("hello"); });
  return "shared";
}

function listenDirectly(onEvent, onState) {
  const source = new Source(onEvent, onState);
  const follow = () => {
    if (document.hidden) source.close();
    else if (source.closed || !source.stream) source.open();
  };
  document.addEventListener("visibilitychange", follow);
  source.open();
  return "direct";
}
