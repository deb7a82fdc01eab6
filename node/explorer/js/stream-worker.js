// A shared worker: all tabs of one browser share one connection to the node, because a browser
// gives each host only six, and a stream holds one for as long as its tab is open. What tabs read
// after each block is read once here and handed to all of them.

import { fetchJson, Source } from "./source.js";

const FRESH_MS = 1000;
const ports = new Set();
const answers = new Map(); // path -> {height, at, promise}
let state = "lost";

const source = new Source(
  (event) => send({ kind: "event", event }),
  (found) => { state = found; send({ kind: "state", state }); },
);

function send(message) {
  for (const port of ports) port.postMessage(message);
}

/** One reading of a path per block, whoever asks; the answer is {status, body} or {error}. */
function read(path) {
  const known = answers.get(path);
  const now = performance.now();
  if (known && known.height === source.height && now - known.at < FRESH_MS) return known.promise;
  const promise = fetchJson(path);
  answers.set(path, { height: source.height, at: now, promise });
  if (answers.size > 64) answers.delete(answers.keys().next().value);
  return promise;
}

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => {
    if (data.read) {
      read(data.read).then((answer) => port.postMessage({ kind: "answer", ask: data.ask, answer }));
    } else if (data === "hello") {
      ports.add(port);
      if (source.closed || !source.stream) source.open();
      port.postMessage({ kind: "state", state });
    } else if (data === "bye") {
      ports.delete(port);
      if (!ports.size) source.close();
    }
  };
  port.start();
};
