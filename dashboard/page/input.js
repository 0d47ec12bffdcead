// Fields for the inputs of an action, made from its description.

import { html, useState } from "./vendor/preact.js";
import { name } from "./format.js";
import { Button } from "./ui.js";

// read is what was typed, as the type that the input has; undefined: nothing.
function read(input, text) {
  if (text === "" || text === undefined) {
    if (input.required) throw new Error(name(input.name) + " is needed");
    return undefined;
  }
  switch (input.type) {
    case "boolean": return text === "true" || text === true;
    case "integer":
    case "number": {
      const n = Number(text);
      if (!Number.isFinite(n)) throw new Error(name(input.name) + ": " + text + " is no number");
      return n;
    }
    case "object":
    case "any":
      try { return JSON.parse(text); } catch { if (input.type === "any") return text; }
      throw new Error(name(input.name) + " is no JSON object");
  }
  return text;
}

function Field({ id, input, text, set }) {
  const common = { id, required: input.required, "aria-describedby": input.doc ? id + "-doc" : undefined };
  let field;
  if (input.values || input.type === "boolean") {
    const values = input.values || ["true", "false"];
    field = html`<select ...${common} value=${text ?? ""} onChange=${(e) => set(e.target.value)}>
      ${!(input.required && text) && html`<option value=""></option>`}
      ${values.map((v) => html`<option value=${v}>${v}</option>`)}
    </select>`;
  } else {
    const number = input.type === "number" || input.type === "integer";
    field = html`<input ...${common} type=${number ? "number" : input.format === "uri" ? "url" : "text"} step=${input.type === "integer" ? 1 : "any"}
      min=${input.min} max=${input.max} value=${text ?? ""} placeholder=${input.format === "duration" ? "such as 5s" : ""} onInput=${(e) => set(e.target.value)} />`;
  }
  return html`<div class="field">
    <label for=${id}>${name(input.name)}${input.unit && html` <span class="unit">${input.unit}</span>`}</label>
    ${field}
    ${input.doc && html`<small id=${id + "-doc"}>${input.doc}</small>`}
  </div>`;
}

// Form has the inputs of an action and the button that starts it.
export function Form({ id, label, input, act, kind, values = {} }) {
  const [texts, setTexts] = useState(values);
  const go = () => {
    const body = {};
    for (const one of input) {
      const v = read(one, texts[one.name]);
      if (v !== undefined) body[one.name] = v;
    }
    return act(body);
  };
  return html`<form class="form" onSubmit=${(e) => e.preventDefault()}>
    ${input.map((one) => html`<${Field} key=${one.name} id=${id + "-" + one.name} input=${one} text=${texts[one.name]}
      set=${(text) => setTexts((all) => ({ ...all, [one.name]: text }))} />`)}
    <${Button} act=${go} kind=${kind}>${label}<//>
  </form>`;
}
