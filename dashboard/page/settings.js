// The configuration: what may be changed from afar as a form, the difference before it is saved, and
// the last versions.

import { html, useState } from "./vendor/preact.js";
import { get, post } from "./api.js";
import { time, value } from "./format.js";
import { useStore } from "./store.js";
import { Button, Empty, Loaded, useAct } from "./ui.js";

const reloads = (s) => s.reloads;

export function Settings() {
  const act = useAct();
  const [typed, setTyped] = useState({}); // by name
  const [checked, setChecked] = useState(null);
  const [all, setAll] = useState(false);
  const [trial, setTrial] = useState(false); // what is in force changes by itself while it lasts
  const again = useStore(reloads);
  const load = async () => {
    const [config, schema, revisions] = await Promise.all([get("api/v1/config"), get("api/v1/config/schema"), get("api/v1/config/revisions").catch(() => [])]);
    setTrial(config.trial > 0 || revisions.some((r) => r.state === "trial"));
    return { config, schema, revisions };
  };
  return html`<h1>Settings</h1><${Loaded} load=${load} every=${trial && 2000} deps=${[trial, again]}>${({ config, schema, revisions }, read) => {
    const values = config.values.filter((v) => all || v.change === "afar");
    const changes = () => nested(typed, config.values);
    const check = async () => setChecked(await post("api/v1/config/check", { base: config.base, changes: changes() }));
    const save = async () => {
      const made = await post("api/v1/config", { base: config.base, changes: changes() });
      setTyped({});
      setChecked(null);
      await read();
      return "Version " + made.revision + " is tried; it stays if the agent still connects.";
    };
    return html`${config.why && html`<p class="note">${config.why}</p>`}
      ${config.trial > 0 && html`<p class="note">Version ${config.trial} is on trial.</p>`}
      <p><button type="button" aria-pressed=${all} onClick=${() => setAll(!all)}>Show what can only be changed on the machine, too</button></p>
      ${!values.length && html`<${Empty}>Nothing can be changed from here.<//>`}
      <dl class="values">${values.map((v) => html`<${Setting} key=${v.name} of=${v} schema=${find(schema, v.name, config.values)} text=${typed[v.name]} act=${act && !config.why}
        set=${(text) => { setChecked(null); setTyped((t) => { const next = { ...t }; if (text === undefined) delete next[v.name]; else next[v.name] = text; return next; }); }} />`)}</dl>
      ${act && Object.keys(typed).length > 0 && html`<section class="card"><h2>Changes</h2>
        ${checked ? html`<${Checked} of=${checked} /><div class="choices">${checked.ok && html`<${Button} kind="chosen" act=${save}>Save<//>`}<button type="button" onClick=${() => { setTyped({}); setChecked(null); }}>Forget them</button></div>`
          : html`<${Button} kind="chosen" act=${check}>Show the difference<//>`}</section>`}
      ${act && !config.why && config.values.filter((v) => v.name.endsWith("mqtt.endpoint") && v.change === "with_secret").map((v) =>
        html`<${Broker} key=${v.name} at=${v.name.slice(0, -".endpoint".length)} config=${config} read=${read} />`)}
      <section><h2>Versions</h2>${!revisions.length && html`<${Empty}>The file counts; nothing was changed from afar.<//>`}
        <ul class="rows">${revisions.map((r) => html`<li key=${r.revision}><b>${r.revision}</b> ${r.state.replace("_", " ")}${r.in_force ? ", in force" : ""} <small>${time(r.time)}, ${r.from}</small>
          ${r.reason && html`<p class="error">${r.reason}</p>`}${(r.keys || []).length > 0 && html`<p class="quiet">${r.keys.join(", ")}</p>`}
          ${act && !r.in_force && html`<${Button} act=${async () => { await post("api/v1/config/revert", { base: config.base, revision: r.revision }); await read(); }}>Return to version ${r.revision}<//>`}</li>`)}
        ${act && revisions.length > 0 && html`<li><${Button} act=${async () => { await post("api/v1/config/revert", { base: config.base, revision: 0 }); await read(); }}>Return to the file alone<//></li>`}</ul></section>`;
  }}<//>`;
}

// Broker changes where a connection goes. The password is typed anew with it, so that one that is kept
// never goes to another address.
function Broker({ at, config, read }) {
  const before = (key) => (config.values.find((v) => v.name === at + "." + key) || {}).value || "";
  const [typed, setTyped] = useState({ endpoint: before("endpoint"), username: before("username"), password: "" });
  const [checked, setChecked] = useState(null);
  const changes = () => at.split(".").reduceRight((inner, key) => ({ [key]: inner }), typed);
  const field = (key, label, type, words) => html`<div class="field"><label for=${at + "-" + key}>${label}</label>
    <input id=${at + "-" + key} type=${type} autocomplete="off" value=${typed[key]} onInput=${(e) => { setChecked(null); setTyped((t) => ({ ...t, [key]: e.target.value })); }} />${words && html`<small>${words}</small>`}</div>`;
  return html`<details class="card"><summary>${at === "mqtt" ? "The broker" : "The broker of " + at.split(".")[1]}</summary>
    <div class="form">${field("endpoint", "Address", "text", "mqtts://HOST:8883 or mqtt://HOST:1883")}${field("username", "User name", "text")}${field("password", "Password", "password", "typed anew with each change; empty: none")}
    ${checked && html`<${Checked} of=${checked} />`}
    ${checked && checked.ok ? html`<${Button} kind="chosen" act=${async () => {
      await post("api/v1/config", { base: config.base, changes: changes() });
      setChecked(null);
      await read();
      return "It is tried; without a connection the broker before comes back.";
    }}>Save<//>` : html`<${Button} act=${async () => setChecked(await post("api/v1/config/check", { base: config.base, changes: changes() }))}>Show the difference<//>`}</div></details>`;
}

function Setting({ of: v, schema, text, set, act }) {
  const id = "set-" + v.name;
  const words = (schema && schema.description) || "";
  const can = act && v.change === "afar" && (v.value === null || typeof v.value !== "object");
  const choices = (schema && schema.enum) || (typeof v.value === "boolean" ? [true, false] : null);
  let field = html`<span class="text">${value(v.value)}</span>`;
  if (can && choices) {
    field = html`<select id=${id} value=${String(text ?? v.value)} onChange=${(e) => set(e.target.value === String(v.value) ? undefined : e.target.value)}>${choices.map((c) => html`<option value=${String(c)}>${String(c)}</option>`)}</select>`;
  } else if (can) {
    field = html`<input id=${id} type="text" value=${text ?? v.value ?? ""} onInput=${(e) => set(e.target.value === String(v.value) ? undefined : e.target.value)} />`;
  }
  const range = schema && [schema["x-minimum"] ?? schema.minimum, schema["x-maximum"] ?? schema.maximum].filter((x) => x !== undefined).join(" to ");
  return html`<div class=${text !== undefined ? "changed" : ""}><dt><label for=${can ? id : null}><code>${v.name}</code></label> <small>${words}${range && ", " + range} ${v.from !== "default" && "(" + v.from + ")"}</small></dt><dd>${field}</dd></div>`;
}

function Checked({ of }) {
  return html`<ul class="rows">${(of.differences || []).map((d) => html`<li key=${d.key}><code>${d.key}</code> ${d.secret ? "a secret" : html`<del>${value(d.before)}</del> <ins>${value(d.after)}</ins>`}</li>`)}
    ${(of.problems || []).map((p) => html`<li class="fail"><span class="error">${p.key && p.key + ": "}${p.message}</span></li>`)}
    ${(of.warnings || []).map((p) => html`<li>${p.message}</li>`)}
    ${(of.restart || []).length > 0 && html`<li>At the next start: ${of.restart.join(", ")}</li>`}</ul>`;
}

// nested makes a change of what was typed: {"log.level": "debug"} becomes {log: {level: "debug"}}.
function nested(typed, values) {
  const root = {};
  for (const [name, text] of Object.entries(typed)) {
    const before = values.find((v) => v.name === name);
    const path = name.split(".");
    let at = root;
    for (const key of path.slice(0, -1)) at = at[key] ||= {};
    at[path[path.length - 1]] = as(before && before.value, text);
  }
  return root;
}

// as is a text as a value of the type that was there.
function as(before, text) {
  if (typeof before === "number" && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  if (typeof before === "boolean") return text === "true";
  return text;
}

// find is the schema of a key: things.NAME.interval is that of the thing's type.
function find(schema, name, values) {
  const path = name.split(".");
  let at = schema;
  for (let i = 0; at && i < path.length; i++) {
    if (i === 0 && path[0] === "things") {
      const kind = values.find((v) => v.name === "things." + path[1] + ".type");
      at = kind && schema.$defs && schema.$defs[kind.value];
      i = 1;
    } else at = at.properties && at.properties[path[i]];
  }
  return at;
}
