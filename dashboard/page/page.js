// The page: its head, its views by the address behind #, and what it is told by the agent.

import { html, render, useEffect, useState } from "./vendor/preact.js";
import { whenLoggedOut } from "./api.js";
import { Doctor } from "./doctor.js";
import { Flows } from "./flows.js";
import { Gateway } from "./gateway.js";
import { Link } from "./link.js";
import { begin, stop } from "./live.js";
import { Log } from "./log.js";
import { Login, readSession } from "./login.js";
import { Pictures } from "./pictures.js";
import { Settings } from "./settings.js";
import { forget, now, set, useStore } from "./store.js";
import { Thing } from "./thing.js";
import { Things } from "./things.js";
import { Ago, Button } from "./ui.js";

const views = [
  ["", "Things", () => html`<${Things} />`],
  ["pictures", "Pictures", () => html`<${Pictures} />`],
  ["flows", "Flows", (rest) => html`<${Flows} key=${rest.join("/")} rest=${rest} />`],
  ["link", "Link", () => html`<${Link} />`],
  ["gateway", "Gateway", () => html`<${Gateway} />`, (s) => !!s.gateway],
  ["settings", "Settings", () => html`<${Settings} />`],
  ["log", "Log", () => html`<${Log} />`],
  ["doctor", "Doctor", () => html`<${Doctor} />`],
];

const place = () => location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);

function Page() {
  const [at, setAt] = useState(place());
  useEffect(() => {
    const moved = () => {
      setAt(place());
      scrollTo(0, 0);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const session = useStore((s) => s.session);
  const trouble = useStore((s) => s.trouble);
  const [view, ...rest] = at;
  let body;
  if (!session) body = trouble ? html`<p class="error" role="alert">${trouble}</p>` : html`<p class="quiet">reading …</p>`;
  else if (view === "login" || session.role === "none") body = html`<${Login} then=${() => { location.hash = "#/"; start(); }} />`;
  else if (view === "thing") body = html`<${Thing} key=${rest[0]} named=${rest[0]} />`;
  else body = (views.find(([key]) => key === view) || views[0])[2](rest);
  return html`<${Head} view=${view} session=${session} /><main id="main" tabindex="-1">${body}</main>`;
}

function Head({ view, session }) {
  const agent = useStore((s) => s.agent);
  const there = useStore((s) => views.filter(([, , , has]) => !has || has(s)).map(([key]) => key).join(" ")).split(" ");
  return html`<a class="skip" href="#main">To the content</a>
    <header class="head">
      <a class="brand" href="#/">pithings</a>
      <nav aria-label="Views">${views.filter(([key]) => there.includes(key)).map(([key, label]) => html`<a key=${key} href=${"#/" + key} aria-current=${(view || "") === key ? "page" : null}>${label}</a>`)}</nav>
      <span class="who">${session && session.csrf ? html`<a href="#/login">Log out</a>` : session && session.role !== "act" ? html`<a href="#/login">Log in</a>` : null}</span>
    </header>
    <${Live} />
    ${agent && agent.simulated && html`<p class="note">This Pi is simulated: its sensor, camera and screen are not real.</p>`}
    <${Services} />`;
}

// Live says when what is shown may be old.
function Live() {
  const live = useStore((s) => s.live);
  const heard = useStore((s) => s.heard);
  if (live !== "lost") return null;
  return html`<p class="note lost" role="alert">The agent does not answer; this is what it said ${heard ? html`<${Ago} at=${new Date(heard).toISOString()} />` : "before"}. The page tries again by itself.</p>`;
}

function Services() {
  const failed = Object.values(useStore((s) => s.services));
  return failed.map((f) => html`<p class="note lost" role="alert" key=${f.name}>Part of the agent has failed and is started again: ${f.name}: ${f.error}</p>`);
}

async function start() {
  try {
    const session = await readSession();
    set({ trouble: "" });
    if (session.role !== "none") await begin();
  } catch (e) {
    if (e.status === 401 || e.status === 403) set({ session: { role: "none" }, trouble: "" });
    else {
      set({ trouble: e.message });
      setTimeout(start, 5000);
    }
  }
}

whenLoggedOut(() => {
  if (!now().session || now().session.role === "none") return;
  stop();
  forget();
  set({ session: { role: "none" } });
});
render(html`<${Page} />`, document.getElementById("page"));
start();
