// Flows: what is deployed, drawn as a graph, what runs, what has run, and a text to write one.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { get, part, post } from "./api.js";
import { time } from "./format.js";
import { Graph } from "./graph.js";
import { useStore } from "./store.js";
import { Ago, Button, Empty, Loaded, useAct } from "./ui.js";

const deployments = (s) => s.deployments;
const executions = (s) => s.executions;
const steps = (s) => s.steps;

export function Flows({ rest: [name, id] }) {
  if (name === "new") return html`<${Editor} text=${blank} />`;
  if (name && id) return html`<${Execution} deployment=${name} id=${id} />`;
  if (name) return html`<${Deployment} name=${name} />`;
  return html`<${List} />`;
}

const blank = `name: MyFlow
things:
  sensor: TG_MS
  camera: TG_Camera
trigger:
  thing: sensor
  event: StateChanged
  when: event.isMotionDetected
steps:
  - name: Picture
    thing: camera
    action: capture
`;

const words = { DEPLOYED_IN_TARGET: "deployed", UNDEPLOYED_IN_TARGET: "not deployed" };

function List() {
  const all = Object.values(useStore(deployments));
  const act = useAct();
  return html`<h1>Flows</h1>
    ${act && html`<p><a class="button" href="#/flows/new">Write a flow</a></p>`}
    ${!all.length && html`<${Empty}>No flow is deployed yet: motion could take a picture, and show it.<//>`}
    <div class="cards">${all.map((d) => html`<article class="card" key=${d.name}>
      <header><h2><a href=${"#/flows/" + part(d.name)}>${d.name}</a></h2><span class="state">${words[d.status] || d.status}</span></header>
      ${d.reason && html`<p class="trouble" role="alert">${d.reason}</p>`}
      <dl class="values">${(d.flows || []).map((f) => html`<div key=${f.flow}><dt>${f.flow}</dt><dd>${f.running} running, ${f.succeeded} done, ${f.failed} failed</dd></div>`)}</dl>
    </article>`)}</div>
    <${Executions} />`;
}

function Executions({ deployment }) {
  const all = useStore(executions).filter((x) => !deployment || x.deployment === deployment).slice(0, 50);
  if (!all.length) return null;
  return html`<section><h2>Executions</h2><ul class="rows">${all.map((x) => html`<li key=${x.id}>
    <a href=${"#/flows/" + part(x.deployment) + "/" + part(x.id)}>${x.flow}</a>${" "}
    <span class=${"status " + x.status.toLowerCase()}>${x.status.toLowerCase()}</span> <${Ago} at=${x.started} />
    ${x.ended && html` <small>${((new Date(x.ended) - new Date(x.started)) / 1000).toFixed(1)} s</small>`}
    ${x.error && html`<p class="error">${x.error}</p>`}
  </li>`)}</ul></section>`;
}

function Deployment({ name }) {
  const listed = useStore(deployments)[name];
  const act = useAct();
  const [revision, setRevision] = useState(0);
  const [writing, setWriting] = useState(false);
  const lit = useLit(name);
  return html`<h1>${name} ${listed && html`<small>${words[listed.status] || listed.status}</small>`}</h1>
    <p><a href="#/flows">All flows</a></p>
    <${Loaded} deps=${[name, revision, listed && listed.since]} load=${() => get("api/v1/flows/deployment?name=" + part(name) + (revision ? "&revision=" + revision : ""))}>${(d, again) => html`
      ${d.reason && html`<p class="trouble" role="alert">${d.reason}</p>`}
      <p class="quiet">${(d.triggers || []).join("; ")}</p>
      ${(d.graph || []).map((g) => html`<${Graph} key=${g.flow} graph=${g} lit=${lit} />`)}
      ${act && html`<div class="choices">
        ${(d.flows || []).map((f) => html`<${Button} key=${f.flow} act=${async () => { await post("api/v1/flows/start", { deployment: name, flow: f.flow }); return "started"; }}>Start ${f.flow}<//>`)}
        ${d.source !== "configuration" && html`<${Button} confirm=${"Undeploy " + name + "?"} act=${async () => { await post("api/v1/flows/undeploy", { name }); await again(); }}>Undeploy<//>
        <${Button} kind="danger" confirm=${"Delete " + name + " and its revisions?"} act=${async () => { await post("api/v1/flows/delete", { name, force: true }); location.hash = "#/flows"; }}>Delete<//>`}
      </div>`}
      ${(d.revisions || []).length > 1 && html`<div class="field revisions"><label for="revision">Revision</label>
        <select id="revision" value=${d.shown} onChange=${(e) => { setRevision(Number(e.target.value)); setWriting(false); }}>${d.revisions.map((r) => html`<option value=${r}>${r}${r === d.revision ? ", in force" : ""}</option>`)}</select>
        ${act && d.shown !== d.revision && html`<${Button} act=${async () => { await post("api/v1/flows/write", { deployment: name, revision: d.shown }); setRevision(0); }}>Go back to revision ${d.shown}<//>`}</div>`}
      ${d.text && html`<section><h2>Text</h2>${writing ? html`<${Editor} key=${d.shown} text=${d.text} done=${() => { setWriting(false); setRevision(0); again(); }} />` : html`<pre class="source">${d.text}</pre>
        ${act && d.source !== "configuration" && html`<button type="button" onClick=${() => setWriting(true)}>Change</button>`}
        ${d.source === "configuration" && html`<p class="quiet">It is part of the configuration file.</p>`}`}</section>`}`}<//>
    <${Executions} deployment=${name} />`;
}

// useLit are the steps that run at the moment.
function useLit(deployment) {
  const running = new Set(useStore(executions).filter((x) => x.deployment === deployment && !x.ended).map((x) => x.id));
  const at = useStore(steps);
  return Object.values(at).filter((s) => running.has(s.execution) && s.payload && s.payload.step && !/_(SUCCEEDED|FAILED)$/.test(s.eventType)).map((s) => s.payload.step);
}

// Editor is a text with its line numbers, which is checked after each pause.
export function Editor({ text: before, done }) {
  const act = useAct();
  const [text, setText] = useState(before);
  const [checked, setChecked] = useState({ problems: [] });
  const lines = useRef(null);
  const turn = useRef(0);
  useEffect(() => {
    const mine = ++turn.current;
    const id = setTimeout(async () => {
      const said = await post("api/v1/flows/check", { text }).catch((e) => ({ problems: [{ text: e.message }] }));
      if (mine === turn.current) setChecked(said);
    }, 500);
    return () => clearTimeout(id);
  }, [text]);
  if (!act) return html`<p class="quiet"><a href="#/login">Log in</a> to write flows.</p>`;
  const problems = checked.problems || [];
  const deploy = async () => {
    const d = await post("api/v1/flows/write", { text });
    if (done) done();
    location.hash = "#/flows/" + part(d.name);
  };
  return html`${!done && html`<h1>Write a flow</h1><p><a href="#/flows">All flows</a></p>`}
    <div class="editor">
      <pre class="numbers" aria-hidden="true" ref=${lines}>${text.split("\n").map((_, i) => html`<span class=${problems.some((p) => p.line === i + 1) ? "wrong" : ""}>${i + 1}</span>`)}</pre>
      <textarea aria-label="Text of the flow, in YAML" spellcheck="false" autocapitalize="off" wrap="off" rows=${Math.min(Math.max(text.split("\n").length + 1, 12), 40)} value=${text}
        onScroll=${(e) => { lines.current.scrollTop = e.target.scrollTop; }} onInput=${(e) => setText(e.target.value)}></textarea>
    </div>
    <ul class="problems" aria-live="polite">${problems.map((p) => html`<li>${p.line > 0 && html`<b>Line ${p.line}:</b> `}${p.text}</li>`)}${(checked.notes || []).map((n) => html`<li class="quiet">${n}</li>`)}</ul>
    ${(checked.graph || []).map((g) => html`<${Graph} key=${g.flow} graph=${g} lit=${[]} />`)}
    <${Button} kind="chosen" disabled=${problems.length > 0} act=${deploy}>Deploy<//>`;
}

function Execution({ deployment, id }) {
  const act = useAct();
  const latest = useStore(executions).find((x) => x.id === id);
  return html`<h1>Execution</h1><p><a href=${"#/flows/" + part(deployment)}>${deployment}</a></p>
    <${Loaded} deps=${[id, latest && latest.status]} load=${() => get("api/v1/flows/execution?id=" + part(id))}>${({ execution: x, events }) => html`
      <p>${x.flow} <span class=${"status " + x.status.toLowerCase()}>${x.status.toLowerCase()}</span>, ${time(x.started)}</p>
      ${x.error && html`<p class="trouble">${x.error}</p>`}
      ${act && !x.ended && html`<${Button} act=${() => post("api/v1/flows/abort", { id })}>End it<//>`}
      <ol class="rows">${events.map((e) => html`<li key=${e.messageId}><small>${time(e.timestamp)}</small> <b>${e.eventType.toLowerCase().replace(/_/g, " ")}</b> ${e.payload && e.payload.step} ${e.payload && e.payload.thing} ${e.payload && e.payload.action}
        ${e.payload && e.payload.error && html`<p class="error">${e.payload.error}</p>`}
        ${e.payload && (e.payload.output || e.payload.input) && html`<code>${JSON.stringify(e.payload.output || e.payload.input).slice(0, 500)}</code>`}</li>`)}</ol>`}<//>`;
}
