// Requests to the agent (docs/api.md). All addresses are relative to the page's, so that they hold
// behind a proxy, too.

let csrf = "";

// trust remembers what each change of a session has to carry.
export function trust(token) { csrf = token || ""; }

// Problem is why a request failed: detail is for people.
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

let onLoggedOut = () => {};

// whenLoggedOut is called when a request shows that the session is over.
export function whenLoggedOut(call) { onLoggedOut = call; }

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path.replace(/^\//, ""), { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Problem(0, "The agent does not answer. Is it running, and is this device still in its network?");
  }
  if (answer.ok) return answer;
  const type = answer.headers.get("Content-Type") || "";
  let detail = answer.status + " " + answer.statusText;
  if (type.includes("json")) detail = (await answer.json().catch(() => ({}))).detail || detail;
  if (answer.status === 401 && !path.endsWith("/login")) onLoggedOut();
  throw new Problem(answer.status, detail);
}

// get reads JSON.
export async function get(path) { return (await ask(path)).json(); }

// post changes something.
export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  const answer = await ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}

// part makes a text a part of a path.
export const part = encodeURIComponent;
