// The link: connections, what waits for them, and dead letters.

import { html, useEffect, useState } from "./vendor/preact.js";
import { get, part, post } from "./api.js";
import { size, time } from "./format.js";
import { Messages } from "./messages.js";
import { useStore } from "./store.js";
import { Ago, Button, Loaded, State, useAct } from "./ui.js";

const connections = (s) => s.connections;

export function Link() {
  const all = Object.values(useStore(connections));
  return html`<h1>Link</h1><div class="cards">${all.map((c) => html`<${Connection} key=${c.name} of=${c} />`)}</div><${Messages} />`;
}

function Connection({ of: c }) {
  return html`<article class=${"card " + c.state}>
    <header><h2>${c.name || "Shared connection"}</h2><${State} state=${c.state} /> <small><${Ago} at=${c.since} /></small></header>
    ${c.error && html`<p class="trouble" role="alert">${c.error}${c.next_attempt > 0 && html` <${Countdown} key=${c.since + c.next_attempt} seconds=${c.next_attempt} />`}</p>`}
    ${c.disk_error && html`<p class="trouble" role="alert">${c.disk_error}</p>`}
    ${c.taken_over && html`<p class="trouble" role="alert">Another client uses this client id: give each its own.</p>`}
    ${c.held_back && html`<p class="trouble" role="alert">Nothing is sent: this device is in quarantine.</p>`}
    <dl class="values">
      <${Row} name="Broker"><code>${c.endpoint}</code><//>
      <${Row} name="Client id"><code>${c.client_id}</code><//>
      <${Row} name="Waiting messages"><b>${c.messages}</b>${c.bytes > 0 && html` <small>${size(c.bytes)}</small>`}<//>
      ${c.messages > 0 && c.oldest && html`<${Row} name="Oldest of them"><${Ago} at=${c.oldest} /><//>`}
      ${c.held > 0 && html`<${Row} name="In memory only">${c.held}<//>`}
      ${c.dropped > 0 && html`<${Row} name="Dropped because of a limit">${c.dropped}<//>`}
      <${Row} name="Delivered">${c.delivered || 0}<//>
      <${Row} name="Received">${c.received || 0}<//>
      ${(c.excluded_topics || []).length > 0 && html`<${Row} name="Refused topics">${c.excluded_topics.join(", ")}<//>`}
      ${(c.refused_filters || []).length > 0 && html`<${Row} name="Refused subscriptions">${c.refused_filters.join(", ")}<//>`}
    </dl>
    <${DeadLetters} key=${c.set_aside || 0} id=${c.client_id} />
  </article>`;
}

const Row = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

// Countdown is when the next attempt to connect begins.
function Countdown({ seconds }) {
  const [until] = useState(Date.now() + seconds * 1000);
  const [, draw] = useState(0);
  useEffect(() => {
    const id = setInterval(() => draw((n) => n + 1), 1000);
    return () => clearInterval(id);
  }, []);
  const left = Math.round((until - Date.now()) / 1000);
  return html`<span>${left > 0 ? "Next attempt in " + left + " s." : "Trying again …"}</span>`;
}

function DeadLetters({ id }) {
  const act = useAct();
  const path = "api/v1/queues/" + part(id) + "/dead-letters";
  return html`<${Loaded} load=${() => get(path + "?limit=50")}>${(page, again) => page.count > 0 && html`
    <h3>Dead letters: ${page.count}</h3>
    <ul class="letters">${page.dead_letters.map((d) => html`<li key=${d.id}>
      <b>${d.topic}</b> <small>${time(d.time)}, ${size(d.bytes)}</small><p>${d.reason}</p>
      ${act && html`<div class="choices">
        <${Button} act=${async () => { await post(path + "/retry", { ids: [d.id] }); await again(); }}>Send again<//>
        <${Button} kind="danger" confirm="Delete this message for good?" act=${async () => { await post(path + "/delete", { ids: [d.id] }); await again(); }}>Delete<//>
      </div>`}
    </li>`)}</ul>`}<//>`;
}
