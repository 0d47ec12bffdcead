// Sessions.

import { html, useState } from "./vendor/preact.js";
import { get, post, trust } from "./api.js";
import { stop } from "./live.js";
import { forget, set, useStore } from "./store.js";
import { Button } from "./ui.js";

// readSession asks as whom this client is served.
export async function readSession() {
  const session = await get("api/v1/session");
  trust(session.csrf);
  set({ session });
  return session;
}

const session = (s) => s.session;

export function Login({ then }) {
  const now = useStore(session);
  const [password, setPassword] = useState("");
  if (now && now.csrf) return html`<h1>You are logged in</h1><${Button} act=${async () => { await logout(); then(); }}>Log out<//>`;
  const login = async () => {
    await post("api/v1/login", { password });
    await readSession();
    setPassword("");
    then();
  };
  return html`<h1>Log in</h1>
    <form class="form" onSubmit=${(e) => { e.preventDefault(); e.target.querySelector("button").click(); }}>
      <input type="text" name="username" autocomplete="username" value="pithings" hidden />
      <div class="field"><label for="password">Password</label>
        <input id="password" type="password" autocomplete="current-password" required value=${password} onInput=${(e) => setPassword(e.target.value)} /></div>
      <${Button} act=${login}>Log in<//>
    </form>
    <p class="quiet">The password is set on the machine: <code>pithings passwd</code>.</p>`;
}

// logout ends the session, and forgets what was shown.
async function logout() {
  await post("api/v1/logout");
  trust("");
  stop();
  forget();
}
