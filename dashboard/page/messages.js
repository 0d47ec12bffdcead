// Messages that pass through the connections, while one looks: filter, pause, copy. The stream is one of
// its own, so that a page that does not show them costs nothing.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { time } from "./format.js";

const most = 200;

export function Messages() {
  const [watching, setWatching] = useState(false);
  const [held, setHeld] = useState(false);
  const [words, setWords] = useState("");
  const [all, setAll] = useState([]);
  const [error, setError] = useState("");
  const paused = useRef(false);
  const n = useRef(0);
  paused.current = held;
  useEffect(() => {
    if (!watching) return;
    const source = new EventSource("api/v1/events?kinds=message");
    source.addEventListener("open", () => setError(""));
    source.addEventListener("error", () => setError("The stream has ended; it is opened again."));
    source.addEventListener("message", (e) => {
      // Its own event without a kind is of the same name, and never sent.
      if (paused.current) return;
      const m = { ...JSON.parse(e.data), n: ++n.current };
      setAll((before) => [m, ...before].slice(0, most));
    });
    return () => source.close();
  }, [watching]);
  const shown = all.filter((m) => !words || (m.topic + " " + (m.payload || "")).toLowerCase().includes(words.toLowerCase()));
  return html`<section><h2>Messages</h2>
    <div class="choices filters">
      <button type="button" aria-pressed=${watching} onClick=${() => setWatching(!watching)}>${watching ? "Stop watching" : "Watch"}</button>
      ${watching && html`<div class="field"><label for="words">With these words</label><input id="words" type="search" value=${words} onInput=${(e) => setWords(e.target.value)} /></div>
      <button type="button" aria-pressed=${held} onClick=${() => setHeld(!held)}>${held ? "Go on" : "Pause"}</button>
      <button type="button" onClick=${() => setAll([])}>Clear</button>`}
    </div>
    ${watching && error && html`<p class="error" role="alert">${error}</p>`}
    ${watching && html`<ol class="rows messages">${shown.map((m) => html`<li key=${m.n}><small>${time(m.time)}</small> <span class="kind">${m.direction}</span> <b>${m.topic}</b>${" "}
      ${m.payload !== undefined ? html`<code>${m.payload}${m.cut && "…"}</code> <${Copy} text=${m.payload} />` : html`<span class="quiet">${m.bytes} bytes${m.binary ? ", no text" : ""}</span>`}
      ${m.left_out > 0 && html` <span class="quiet">${m.left_out} more were left out</span>`}</li>`)}</ol>`}</section>`;
}

// Copy puts a text where it can be pasted from. Without TLS a browser lets a page do so by a selection
// only.
function Copy({ text }) {
  const [done, setDone] = useState(false);
  const copy = () => {
    const field = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    field.select();
    setDone(document.execCommand("copy"));
    field.remove();
  };
  return html`<button type="button" class="small" onClick=${copy}>${done ? "Copied" : "Copy"}</button>`;
}
