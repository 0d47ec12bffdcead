// A flow as a graph: a step stands below those that it waits for, and lines lead from what sets an
// event to what waits for it.

import { html } from "./vendor/preact.js";

const wide = 190, high = 62, gap = 26, lead = 34;

// place finds the row of each step: below the lowest that it waits for.
export function place(steps) {
  const setters = {};
  for (const s of steps) for (const e of s.sets || []) (setters[e] ||= []).push(s.name);
  const before = Object.fromEntries(steps.map((s) => [s.name, [...new Set(events(s, setters).flatMap((e) => setters[e] || []))].filter((n) => n !== s.name)]));
  const row = {};
  const find = (name, seen) => {
    if (row[name] !== undefined) return row[name];
    if (seen.has(name)) return 0; // a loop
    seen.add(name);
    return (row[name] = Math.max(-1, ...before[name].map((b) => find(b, seen))) + 1);
  };
  for (const s of steps) find(s.name, new Set());
  const columns = {};
  return { before, at: Object.fromEntries(steps.map((s) => {
    const r = row[s.name];
    const c = (columns[r] = (columns[r] ?? -1) + 1);
    return [s.name, { row: r, column: c }];
  })) };
}

// events are those that a step waits for, in a list or in an expression.
const events = (s, setters) => [...(s.after || []), ...Object.keys(setters).filter((e) => s.when && new RegExp("(^|[^A-Za-z0-9_])" + e.replace(/[^A-Za-z0-9_]/g, "\\$&") + "($|[^A-Za-z0-9_])").test(s.when))];

const short = (text, n) => (text && text.length > n ? text.slice(0, n - 1) + "…" : text || "");

export function Graph({ graph, lit }) {
  const steps = graph.steps || [];
  if (!steps.length) return null;
  const { at, before } = place(steps);
  const x = (n) => at[n].column * (wide + gap), y = (n) => at[n].row * (high + lead);
  const width = Math.max(...steps.map((s) => x(s.name))) + wide + 2, height = Math.max(...steps.map((s) => y(s.name))) + high + 2;
  const said = steps.map((s) => s.name + ": " + (s.does || s.kind) + (before[s.name].length ? ", after " + before[s.name].join(" and ") : "")).join(". ");
  return html`<figure class="graph" tabindex="0" aria-label=${"Graph of " + graph.flow}><svg role="img" aria-label=${graph.flow + ". " + said} width=${width} height=${height} viewBox=${"-1 -1 " + width + " " + height}>
    ${steps.flatMap((s) => before[s.name].map((b) => html`<path key=${b + ">" + s.name} class="arrow" d=${`M ${x(b) + wide / 2} ${y(b) + high} C ${x(b) + wide / 2} ${y(b) + high + lead}, ${x(s.name) + wide / 2} ${y(s.name) - lead}, ${x(s.name) + wide / 2} ${y(s.name)}`} />`))}
    ${steps.map((s) => html`<g key=${s.name} class=${"step " + s.kind + (lit.includes(s.name) ? " lit" : "")}>
      <rect x=${x(s.name)} y=${y(s.name)} width=${wide} height=${high} rx="10" />
      <text class="name" x=${x(s.name) + 12} y=${y(s.name) + 25}>${short(s.name, 20)}</text>
      <text x=${x(s.name) + 12} y=${y(s.name) + 46}>${short(s.does || s.kind, 24)}</text>
    </g>`)}
  </svg></figure>`;
}
