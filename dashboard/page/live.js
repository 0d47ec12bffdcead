// The stream of events (docs/api.md, Events), shared by the tabs of a browser: one tab has it, and
// hands each event on to the others.

import { get } from "./api.js";
import { now, set } from "./store.js";

const kinds = ["thing", "event", "connection", "deployment", "execution", "step", "alarm", "service", "reload"];
const channel = "BroadcastChannel" in self ? new BroadcastChannel("pithings " + location.pathname) : null;

// browser names this browser to the agent, which ends its earlier stream when it opens another.
const browser = (() => {
  try {
    let id = localStorage.getItem("pithings.browser");
    if (!id) {
      id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
      localStorage.setItem("pithings.browser", id);
    }
    return id;
  } catch { // it keeps nothing
    return "";
  }
})();

let source = null; // the stream, if this tab has it
let last = ""; // the id of the last event, of whichever tab's stream
let timer = 0;

// sign is how often the tab with the stream says that it is there, and silence how long it may say
// nothing, in milliseconds.
const sign = 5000;
const silence = 12000;

// readAll reads the lists, as at the beginning and when events were missed.
export async function readAll() {
  const [agent, health, things, connections, deployments, executions] = await Promise.all([
    get("api/v1/agent"), get("api/v1/health"), get("api/v1/things?description=true"), get("api/v1/connections"),
    get("api/v1/flows"), get("api/v1/flows/executions?limit=50"),
  ]);
  const gateway = health.gateway ? await get("api/v1/gateway") : null;
  set({
    agent, things, executions: executions || [], steps: {}, gateway,
    connections: named(connections), deployments: named(deployments), alarms: named(gateway && gateway.alarms),
    services: named(Object.entries(health.services || {}).map(([name, s]) => ({ name, ...s }))), kept: !!health.history,
  });
}

const named = (list) => Object.fromEntries((list || []).map((one) => [one.name, one]));

const most = 200; // of what is kept of a kind

// apply changes the state by one event.
function apply(kind, data) {
  const s = now();
  const listed = (key) => set({ [key]: data.gone ? without(s[key], data.key) : { ...s[key], [data.name]: data } });
  switch (kind) {
    case "thing":
      if (data.gone || !s.things.some((t) => t.name === data.name)) return readAll();
      return set({ things: s.things.map((t) => (t.name === data.name ? { ...t, error: undefined, ...data } : t)) });
    case "event":
      return set({
        happened: [data, ...s.happened].slice(0, most),
        things: s.things.map((t) => (t.name !== data.thing ? t : {
          ...t, readings: { ...t.readings, ...data.readings },
          latest: { ...t.latest, [data.event]: { time: data.time, values: data.values } },
        })),
      });
    case "connection": return listed("connections");
    case "deployment": return listed("deployments");
    case "alarm": return listed("alarms");
    case "service": return listed("services");
    case "execution": {
      const steps = { ...s.steps };
      if (data.ended) delete steps[data.id];
      return set({ executions: [data, ...s.executions.filter((x) => x.id !== data.id)].slice(0, most), steps });
    }
    case "step": return set({ steps: { ...s.steps, [data.execution]: data } });
    case "reload":
      set({ reloads: s.reloads + 1 });
      return readAll();
  }
}

function without(all, name) {
  const rest = { ...all };
  delete rest[name];
  return rest;
}

// receive takes an event, of this tab's stream or of another's.
function receive({ kind, data, id }) {
  if (id) last = id;
  if (kind === "lost") return set({ live: "lost" });
  set({ live: "live", heard: Date.now() });
  if (kind === "reset") return readAll().catch(() => {});
  if (data) Promise.resolve(apply(kind, data)).catch(() => {});
}

// tell receives an event of this tab's stream, and hands it on.
function tell(message) {
  receive(message);
  if (channel) channel.postMessage(message);
}

// lead opens the stream in this tab, behind the last event that it has heard of.
function lead() {
  if (source) source.close();
  const query = new URLSearchParams();
  if (browser) query.set("browser", browser);
  if (last) query.set("last_event_id", last);
  const mine = (source = new EventSource("api/v1/events?" + query));
  for (const kind of kinds) mine.addEventListener(kind, (e) => tell({ kind, data: JSON.parse(e.data), id: e.lastEventId }));
  mine.addEventListener("begin", (e) => {
    last = e.lastEventId;
    readAll().catch(() => {});
  });
  mine.addEventListener("reset", (e) => tell({ kind: "reset", id: e.lastEventId }));
  mine.addEventListener("open", () => tell({ kind: "here" }));
  mine.addEventListener("elsewhere", () => { // another tab has it now
    mine.close();
    if (source === mine) source = null;
  });
  mine.addEventListener("error", () => {
    tell({ kind: "lost" });
    // The browser tries again by itself, unless it was refused.
    if (mine.readyState === EventSource.CLOSED && source === mine) {
      source = null;
      // Because the session is over, which the answer to any request shows, or for a while.
      get("api/v1/session").then(() => takeOver(5000), (e) => e.status === 401 || e.status === 403 || takeOver(5000));
    }
  });
}

// takeOver opens the stream in this tab after a while, unless another has done so.
function takeOver(wait) {
  setTimeout(() => source || Date.now() - now().heard < wait || lead(), wait + Math.random() * wait);
}

// stop ends it, until begin.
export function stop() {
  clearInterval(timer);
  if (source) source.close();
  source = null;
  last = "";
  if (channel) channel.onmessage = null;
}

// begin follows the agent for as long as the page is open.
export async function begin() {
  clearInterval(timer);
  if (!channel) return lead();
  channel.onmessage = ({ data }) => {
    if (data.kind === "who") {
      if (source && source.readyState === EventSource.OPEN) channel.postMessage({ kind: "here", id: last });
    } else if (data.kind === "bye") takeOver(200);
    else if (!source) receive(data);
  };
  addEventListener("pagehide", () => {
    if (!source) return;
    source.close();
    source = null;
    channel.postMessage({ kind: "bye" });
  });
  addEventListener("pageshow", (e) => { if (e.persisted) lead(); });
  // A tab that has the stream says so at once; then the lists are all that is missing.
  channel.postMessage({ kind: "who" });
  await new Promise((done) => setTimeout(done, 150));
  if (now().heard) await readAll();
  else lead();
  timer = setInterval(() => {
    if (source) source.readyState === EventSource.OPEN && tell({ kind: "here" });
    else if (Date.now() - now().heard > silence) lead(); // it has ended without a word
  }, sign);
}
