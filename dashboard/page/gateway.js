// The gateway: alarms, which can be acknowledged, rules with what went wrong last, groups, and a trial
// of a rule's script.

import { html, useState } from "./vendor/preact.js";
import { get, part, post } from "./api.js";
import { value } from "./format.js";
import { useStore } from "./store.js";
import { Ago, Button, Empty, Loaded, useAct } from "./ui.js";

const alarms = (s) => s.alarms;

export function Gateway() {
  const act = useAct();
  const now = useStore(alarms);
  return html`<h1>Gateway</h1><${Loaded} every=${10000} load=${() => get("api/v1/gateway")}>${(g) => html`
    <section><h2>Alarms</h2>
      ${!g.alarms.length && html`<${Empty}>No alarm is configured.<//>`}
      <ul class="rows">${g.alarms.map((a) => ({ ...a, ...now[a.name] })).map((a) => html`<${Alarm} key=${a.name} of=${a} act=${act} />`)}</ul></section>
    <section><h2>Rules</h2>
      ${!g.rules.length && html`<${Empty}>No rule is configured.<//>`}
      <ul class="rows">${g.rules.map((r) => html`<li key=${r.kind + r.name} class=${r.error ? "fail" : ""}><b>${r.name}</b> <span class="kind">${r.kind}</span>${" "}
        ${r.calls} calls, ${r.failed} failed, ${r.published} messages${r.refused > 0 && html`, ${r.refused} refused`}
        ${r.error && html`<p class="error">${r.error}</p>`}
        ${act && (g.scripts || []).some((s) => s.kind === r.kind && s.rule === r.name) && html`<${Trial} kind=${r.kind} rule=${r.name} />`}</li>`)}</ul></section>
    <section><h2>Groups</h2><ul class="rows">${(g.groups || []).map((one) => html`<li key=${one.name}><b>${one.name}</b> <code>${value(one)}</code></li>`)}</ul></section>`}<//>`;
}

function Alarm({ of: a, act }) {
  return html`<li class=${a.on ? "raised" : ""}><b>${a.name}</b> <span class="status">${a.on ? "raised" : "not raised"}${a.on && a.acknowledged ? ", acknowledged" : ""}</span>${a.since && html` <${Ago} at=${a.since} />`}
    <p>${a.content} <span class="quiet">${[a.group, a.device, a.variable].filter(Boolean).join(" / ")}${a.value !== undefined && html`: ${value(a.value)}`}</span></p>
    ${act && a.on && !a.acknowledged && html`<${Button} label=${"Acknowledge " + a.name} act=${() => post("api/v1/gateway/alarms/" + part(a.name) + "/acknowledge")}>Acknowledge<//>`}</li>`;
}

function Trial({ kind, rule }) {
  const [data, setData] = useState("{}");
  const [said, setSaid] = useState(null);
  const id = "try-" + kind + "-" + rule;
  return html`<details><summary>Try its script</summary>
    <div class="field"><label for=${id}>What its main function gets, as JSON</label><textarea id=${id} rows="3" value=${data} onInput=${(e) => setData(e.target.value)}></textarea></div>
    <${Button} act=${async () => setSaid(await post("api/v1/gateway/try", { kind, rule, data: JSON.parse(data) }))}>Try it<//>
    ${said && html`<pre class="source">${[].concat(said.output || []).join("\n")}</pre>${said.error && html`<p class="error">${said.error}</p>`}`}
  </details>`;
}
