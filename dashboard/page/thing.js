// One thing: its charts, its events and its settings.

import { html, useState } from "./vendor/preact.js";
import { get, part } from "./api.js";
import { Chart } from "./chart.js";
import { value } from "./format.js";
import { useStore } from "./store.js";
import { Actions, Trouble, Values } from "./things.js";
import { Ago, Empty, Loaded, State } from "./ui.js";

const things = (s) => s.things;

export function Thing({ named }) {
  const thing = useStore(things).find((t) => t.name === named);
  if (!thing) return html`<${Empty}>There is no thing of this name. <a href="#/">All things</a><//>`;
  const d = thing.description || { settings: [], quantities: [] };
  return html`<h1>${thing.name} <small>${thing.type}</small> <${State} state=${thing.state} /></h1>
    <p class="quiet">${d.doc}${d.part && html`, ${d.part.key} <code>${d.part.name}</code>`}</p>
    <${Trouble} thing=${thing} />
    <section class="card"><${Values} thing=${thing} /><${Actions} thing=${thing} /></section>
    <${Charts} thing=${thing} />
    <${Latest} thing=${thing} />
    <${Settings} all=${d.settings} />`;
}

const spans = [["1 h", "1h"], ["24 h", "24h"], ["7 d", "7d"], ["90 d", "90d"]];

const kept = (s) => s.kept;

function Charts({ thing }) {
  const [span, setSpan] = useState("24h");
  if (!useStore(kept)) return null;
  return html`<section aria-label="Charts"><h2>Charts</h2>
    <${Loaded} deps=${[thing.name]} load=${() => get("api/v1/history")}>${(all) => {
      const mine = all.filter((h) => h.thing === thing.name);
      if (!mine.length) return html`<${Empty}>Nothing is kept of this thing yet.<//>`;
      return html`<div class="choices" role="group" aria-label="Time of the charts">${spans.map(([label, key]) =>
        html`<button type="button" key=${key} aria-pressed=${span === key} onClick=${() => setSpan(key)}>${label}</button>`)}</div>
        ${mine.map((h) => html`<${Chart} key=${h.quantity + span} thing=${thing} quantity=${h.quantity} unit=${h.unit} span=${span} />`)}`;
    }}<//>
  </section>`;
}

function Latest({ thing }) {
  const all = Object.entries(thing.latest || {});
  if (!all.length) return null;
  return html`<section><h2>Latest events</h2><dl class="values">${all.map(([event, e]) => html`<div key=${event}>
    <dt>${event} <small><${Ago} at=${e.time} /></small></dt>
    <dd>${Object.entries(e.values || {}).map(([key, v]) => html`<span class="pair" key=${key}><span class="quiet">${key}</span> ${value(v)}</span>`)}</dd>
  </div>`)}</dl></section>`;
}

function Settings({ all }) {
  if (!all.length) return null;
  return html`<section><h2>Settings</h2><dl class="values">${all.map((s) => html`<div key=${s.key}>
    <dt><code>${s.key}</code> <small>${s.doc}</small></dt><dd>${value(s.value)}</dd>
  </div>`)}</dl></section>`;
}
