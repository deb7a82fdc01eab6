// Owns one connection to the node's event stream and keeps it alive: the browser reconnects with
// Last-Event-ID after a break, this file does so where the browser gives up, and it looks at the
// chain's height now and then while the stream cannot be had (some proxies swallow streams).

const TOPICS = ["block", "trade", "satisfaction", "validators", "gap"];
const ASKED = "block,trade,satisfaction,validators";
const RETRY_MS = [500, 1000, 2000, 4000];
const POLL_MS = 2000;
const SILENCE_MS = 40000; // the node sends something every 15 s

/** GETs a path under /v1: {status, body}, body null when it is no JSON, status 0 when nobody answers. */
export async function fetchJson(path, timeoutMs = 8000) {
  let response;
  try {
    response = await fetch(`/v1/${path}`, {
      headers: { Accept: "application/json" }, signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    return { status: 0, body: null };
  }
  try {
    return { status: response.status, body: await response.json() };
  } catch {
    return { status: response.status, body: null };
  }
}

export class Source {
  /** `tell({topic, id, data})` gets what comes; `tellState(text)` gets live, polling or lost. */
  constructor(tell, tellState) {
    this.tell = tell;
    this.tellState = tellState;
    this.last = "";
    this.failures = 0;
    this.height = 0;
    this.stream = null;
    this.state = "lost";
    this.closed = false;
  }

  open() {
    this.closed = false;
    clearTimeout(this.timer);
    if (typeof EventSource === "undefined") {
      this.poll();
      return;
    }
    const after = this.last ? `&after=${this.last}` : "";
    const stream = new EventSource(`/v1/events?topics=${ASKED}${after}`);
    this.stream = stream;
    stream.onopen = () => this.setState("live");
    stream.onerror = () => this.broken(stream);
    for (const topic of TOPICS) {
      stream.addEventListener(topic, (event) => this.take(topic, event));
    }
    this.heard = Date.now();
    clearInterval(this.guard);
    this.guard = setInterval(() => this.checkSilence(), 5000);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.guard);
    this.stream?.close();
    this.stream = null;
  }

  setState(state) {
    if (state === "live") this.failures = 0;
    this.state = state;
    this.tellState(state);
  }

  take(topic, event) {
    this.heard = Date.now();
    if (event.lastEventId) this.last = event.lastEventId;
    const data = JSON.parse(event.data);
    if (topic === "block") this.height = Math.max(this.height, data.height);
    this.tell({ topic, id: event.lastEventId, data });
  }

  broken(stream) {
    if (stream !== this.stream || this.closed) return;
    this.failures += 1;
    if (this.state !== "polling") this.setState("lost");
    if (stream.readyState !== EventSource.CLOSED && this.failures < 4) return; // it retries itself
    this.again();
  }

  /** Where pings stop coming without an error, the connection is dead although it looks open. */
  checkSilence() {
    const quiet = Date.now() - this.heard;
    if (this.state === "live" && this.height && quiet > SILENCE_MS) this.look().then((height) => {
      if (height > this.height) this.again();
      else this.heard = Date.now();
    }, () => this.again());
  }

  again() {
    this.stream?.close();
    const pause = RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1] ?? 0;
    if (this.failures > 3) this.look().then((height) => this.told(height), () => this.setState("lost"));
    this.timer = setTimeout(() => this.open(), pause);
  }

  async look() {
    const { status, body } = await fetchJson("status", 5000);
    if (status !== 200 || !body) throw new Error(String(status));
    return body.data.height;
  }

  /** Without a stream, a higher height is told as a gap: whoever listens reads it over REST. */
  told(height) {
    this.setState("polling");
    if (height > this.height) {
      this.tell({ topic: "gap", id: "", data: { from: this.height + 1, to: height } });
      this.height = height;
    }
  }

  async poll() {
    if (this.closed) return;
    try {
      this.told(await this.look());
    } catch {
      this.setState("lost");
    }
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }
}
