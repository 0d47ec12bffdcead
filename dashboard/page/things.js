// The things: what each measures, does and shows, all from its description.

import { html, useState } from "./vendor/preact.js";
import { part, post } from "./api.js";
import { name, value } from "./format.js";
import { Form } from "./input.js";
import { useStore } from "./store.js";
import { Ago, Button, Empty, State, useAct } from "./ui.js";

const things = (s) => s.things;
const happened = (s) => s.happened;
const ready = (s) => !!s.agent;

// Things is the first view.
export function Things() {
  const all = useStore(things);
  if (!useStore(ready)) return html`<p class="quiet">reading …</p>`;
  if (!all.length) return html`<${Empty}>There are no things yet. <code>pithings discover</code> lists what is connected; <code>pithings config</code> says how to configure it.<//>`;
  return html`<h1>Things</h1><${Line} /><div class="cards">${all.map((t) => html`<${Card} key=${t.name} thing=${t} />`)}</div>`;
}

// event makes words of the name of an event: stateChanged.
const event = (key) => key.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();

// Line is the latest events of things that happen once, such as motion.
function Line() {
  const all = useStore(things);
  const once = useStore(happened).filter((e) => {
    const t = all.find((one) => one.name === e.thing);
    const model = t && t.description && t.description.events[e.event];
    return model && !model.every;
  }).slice(0, 8);
  if (!once.length) return null;
  return html`<section class="line" aria-label="What happened last" aria-live="polite">
    <ol>${once.map((e) => html`<li key=${e.thing + e.event + e.time}><b>${e.thing}</b> ${event(e.event)} <${Said} values=${e.values} /> <${Ago} at=${e.time} /></li>`)}</ol>
  </section>`;
}

const Said = ({ values }) => {
  const text = Object.entries(values || {}).filter(([key, v]) => key !== "timestamp" && typeof v !== "object").map(([, v]) => value(v)).join(" ");
  return text && html`<span class="quiet">${text.slice(0, 80)}</span>`;
};

function Card({ thing }) {
  const d = thing.description || { quantities: [], actions: {}, pictures: {} };
  return html`<article class=${"card " + thing.state} id=${"thing-" + thing.name} aria-labelledby=${"name-" + thing.name}>
    <header>
      <h2 id=${"name-" + thing.name}><a href=${"#/thing/" + part(thing.name)}>${thing.name}</a></h2>
      <span class="kind" title=${d.doc}>${thing.type}</span>
      <${State} state=${thing.state} />
    </header>
    <${Trouble} thing=${thing} />
    <${Values} thing=${thing} />
    <${Pictures} thing=${thing} />
    <${Actions} thing=${thing} />
  </article>`;
}

// Trouble is why a thing is down, and what to do.
export const Trouble = ({ thing }) => thing.error ? html`<p class="trouble" role="alert">${thing.error}${thing.hint && html`<br /><span>${thing.hint}</span>`}${thing.since && html` <${Ago} at=${thing.since} />`}</p>` : null;

// Values are the latest values of a thing.
export function Values({ thing }) {
  const quantities = (thing.description && thing.description.quantities) || [];
  if (!quantities.length) return null;
  return html`<dl class="values">${quantities.map((q) => {
    const r = (thing.readings || {})[q.name];
    return html`<div key=${q.name}>
      <dt>${name(q.name)}</dt>
      <dd>${r ? html`<b class=${r.value === null ? "quiet" : ""}>${value(r.value, q.precision)}</b>${r.value !== null && q.unit && html` <span class="unit">${q.unit}</span>`} <small><${Ago} at=${r.time} /></small>` : html`<span class="quiet">nothing yet</span>`}</dd>
    </div>`;
  })}</dl>`;
}

// Pictures are what a thing sees, and what is shown on it.
function Pictures({ thing }) {
  const shows = (thing.description && thing.description.pictures) || {};
  const [live, setLive] = useState(false);
  const latest = Object.values(thing.latest || {}).map((e) => e.time).sort().pop();
  if (!shows.shown && !shows.stream) return null;
  return html`<div class="shows">
    ${shows.shown && html`<figure><img src=${shows.shown.slice(1) + "?" + part(latest || "")} alt=${"what " + thing.name + " shows"} loading="lazy" /><figcaption>on the screen</figcaption></figure>`}
    ${shows.stream && live && html`<figure><img src=${shows.stream.slice(1)} alt=${"what " + thing.name + " sees now"} /></figure>`}
    ${shows.stream && html`<button type="button" aria-pressed=${live} onClick=${() => setLive(!live)}>${live ? "Stop live view" : "Live view"}</button>`}
  </div>`;
}

// Actions are what a thing can do.
export function Actions({ thing }) {
  const act = useAct();
  const actions = Object.entries((thing.description && thing.description.actions) || {});
  const [result, setResult] = useState(null);
  if (!actions.length) return null;
  if (!act) return html`<p class="quiet"><a href="#/login">Log in</a> to use it.</p>`;
  const call = (action, a) => async (body) => {
    setResult(null);
    const got = await post("api/v1/things/" + part(thing.name) + "/actions/" + part(action), body);
    const picture = a.picture && got[a.picture];
    setResult(picture ? { picture } : null);
    return picture ? "done" : said(got);
  };
  return html`<div class="actions">${actions.map(([action, a]) => html`<${Action} key=${action} thing=${thing} action=${action} model=${a} call=${call(action, a)} />`)}
    ${result && html`<figure><a href=${local(result.picture)} target="_blank" rel="noopener"><img src=${local(result.picture)} alt=${"picture of " + thing.name} /></a></figure>`}
  </div>`;
}

// said is the result of an action in a few words.
const said = (got) => Object.entries(got || {}).filter(([key]) => key !== "timestamp").map(([key, v]) => key + " " + value(v)).join(", ").slice(0, 120) || "done";

// local is the address of one of the agent's own pictures below this page's.
export function local(address) {
  const m = /\/pictures\/[^/]+$/.exec(address || "");
  return m ? m[0].slice(1) : address;
}

function Action({ thing, action, model, call }) {
  const [open, setOpen] = useState(false);
  const inputs = model.input;
  // One choice and nothing else is a button for each.
  if (inputs.length && inputs[0].values && inputs[0].values.length <= 4 && inputs.slice(1).every((i) => !i.required)) {
    const q = ((thing.description && thing.description.quantities) || []).find((one) => one.set === action);
    const present = q && thing.readings && thing.readings[q.name] && thing.readings[q.name].value;
    return html`<div class="choices" role="group" aria-label=${name(action)}>
      ${inputs[0].values.map((v) => html`<${Button} key=${v} kind=${present === v ? "chosen" : ""} label=${name(action) + " " + v} act=${() => call({ [inputs[0].name]: v })}>${v}<//>`)}
      ${inputs.length > 1 && html`<button type="button" class="more" aria-expanded=${open} onClick=${() => setOpen(!open)}>More</button>`}
      ${open && html`<${Form} id=${thing.name + "-" + action} label=${name(action)} input=${inputs} act=${call} />`}
    </div>`;
  }
  if (!inputs.some((i) => i.required)) {
    return html`<div class="choices">
      <${Button} act=${() => call({})}>${name(action)}<//>
      ${inputs.length > 0 && html`<button type="button" class="more" aria-expanded=${open} aria-label=${"more of " + name(action)} onClick=${() => setOpen(!open)}>More</button>`}
      ${open && html`<${Form} id=${thing.name + "-" + action} label=${name(action)} input=${inputs} act=${call} />`}
    </div>`;
  }
  return html`<details><summary>${name(action)}</summary><${Form} id=${thing.name + "-" + action} label=${name(action)} input=${inputs} act=${call} /></details>`;
}
