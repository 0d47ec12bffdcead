// The doctor's checks: what is wrong, and what mends it.

import { html, useState } from "./vendor/preact.js";
import { get } from "./api.js";
import { time } from "./format.js";
import { Button } from "./ui.js";

const sign = { ok: "●", note: "○", warn: "▲", fail: "▲" };

export function Doctor() {
  const [report, setReport] = useState(null);
  return html`<h1>Doctor</h1>
    <p class="quiet">Looks at the machine and all parts. It switches nothing, and takes up to half a minute.</p>
    <${Button} kind="chosen" act=${async () => setReport(await get("api/v1/doctor"))}>Examine<//>
    ${report && html`<p role="status">${report.failed ? report.failed + " problems" : "Nothing is wrong"}${report.warnings ? ", " + report.warnings + " warnings" : ""}, ${time(report.time)}</p>
    <ul class="rows">${report.checks.map((c, i) => html`<li key=${i} class=${c.status}><span aria-hidden="true">${sign[c.status]}</span> <b>${c.part}</b> <span class="quiet">${c.status}</span> ${c.found}
      ${c.problem && html`<p class="error">${c.problem}</p>`}${c.fix && html`<p>${c.fix}</p>`}</li>`)}</ul>`}`;
}
