// The log: its last lines, by level and part, as they come.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { get, part, post } from "./api.js";
import { time } from "./format.js";
import { Button, Loaded, useAct } from "./ui.js";

const levels = ["debug", "info", "warn", "error"];
const most = 500;
const pause = 2000; // between two looks, in milliseconds

export function Log() {
  const [level, setLevel] = useState("info");
  const [words, setWords] = useState("");
  const [lines, setLines] = useState([]);
  const [error, setError] = useState("");
  const [held, setHeld] = useState(false);
  const last = useRef(0);
  useEffect(() => {
    let gone = false, timer;
    last.current = 0;
    setLines([]);
    const read = async () => {
      try {
        const more = held && last.current ? [] : await get("api/v1/log?level=" + level + "&limit=" + most + (last.current ? "&after=" + last.current : ""));
        if (gone) return;
        setError("");
        if (more.length) {
          // An agent that was started again counts from the beginning.
          last.current = more[more.length - 1].n;
          setLines((before) => [...before, ...more].slice(-most));
        }
      } catch (e) {
        if (!gone) setError(e.message);
      }
      if (!gone) timer = setTimeout(read, pause);
    };
    read();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [level, held]);
  const shown = lines.filter((l) => !words || (l.part + " " + l.message + " " + l.attrs).toLowerCase().includes(words.toLowerCase()));
  return html`<h1>Log</h1>
    <div class="choices filters">
      <div class="field"><label for="level">Level</label><select id="level" value=${level} onChange=${(e) => setLevel(e.target.value)}>${levels.map((l) => html`<option value=${l}>${l}</option>`)}</select></div>
      <div class="field"><label for="words">With these words</label><input id="words" type="search" value=${words} onInput=${(e) => setWords(e.target.value)} /></div>
      <button type="button" aria-pressed=${held} onClick=${() => setHeld(!held)}>${held ? "Go on" : "Pause"}</button>
    </div>
    ${error && html`<p class="error" role="alert">${error}</p>`}
    <ol class="rows log">${shown.slice().reverse().map((l) => html`<li key=${l.n} class=${l.level.toLowerCase()}><small>${time(l.time)}</small> <b>${l.level.toLowerCase()}</b> <span class="quiet">${l.part}</span> ${l.message} <code>${l.attrs}</code></li>`)}</ol>
    <${Levels} />`;
}

function Levels() {
  const act = useAct();
  return html`<section><h2>What is logged</h2><${Loaded} load=${() => get("api/v1/log/levels")}>${(all, again) => html`<dl class="values">${all.map((one) => html`<div key=${one.part}>
    <dt>${one.part}</dt><dd>${act ? html`<span class="choices" role="group" aria-label=${"Level of " + one.part}>${["debug", "info", "warn"].map((l) => html`<${Button} key=${l} kind=${one.level === l ? "chosen" : ""} label=${one.part + ": " + l} act=${async () => { await post("api/v1/log/levels", { part: one.part, level: l, for: "1h" }); await again(); }}>${l}<//>`)}
      ${one.set && html`<${Button} label=${one.part + ": as configured"} act=${async () => { await post("api/v1/log/levels", { part: one.part, level: "" }); await again(); }}>as configured<//>`}</span>` : one.level}</dd>
  </div>`)}</dl><p class="quiet">A level that is set here stays for an hour.</p>`}<//></section>`;
}
