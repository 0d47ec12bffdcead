// What the page knows, in one place: the parts of the page read it and are drawn again when what
// they read has changed.

import { useEffect, useState } from "./vendor/preact.js";

// blank is what is known before the agent has said anything.
const blank = {
  session: null, // of GET /api/v1/session
  agent: null,
  live: "connecting", // connecting, live, lost
  heard: 0, // when the agent was last heard, in milliseconds
  things: [], // as listed, with descriptions
  connections: {},
  deployments: {},
  executions: [], // the latest first
  steps: {}, // the latest step of each execution that runs
  alarms: {},
  reloads: 0, // how often the configuration was read anew
  services: {}, // of the agent that have failed
  happened: [], // the latest events of things, for the time line
};

let state = blank;

// forget forgets what the agent has said.
export function forget() { set(blank); }

const readers = new Set();

export const now = () => state;

// set changes some of the state.
export function set(patch) {
  const next = typeof patch === "function" ? patch(state) : patch;
  if (!next) return;
  state = { ...state, ...next };
  for (const reader of [...readers]) reader();
}

// useStore is what pick takes out of the state.
export function useStore(pick) {
  const [, draw] = useState(0);
  const picked = pick(state);
  useEffect(() => {
    let last = picked;
    const reader = () => {
      const next = pick(state);
      if (next !== last) {
        last = next;
        draw((n) => n + 1);
      }
    };
    readers.add(reader);
    reader();
    return () => readers.delete(reader);
  }, [pick]);
  return picked;
}
