// Small parts that the views are made of.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { since, time } from "./format.js";
import { useStore } from "./store.js";

// Button does something that takes time, and shows why it did not work.
export function Button({ act, children, label, kind, disabled, confirm: question }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [done, setDone] = useState("");
  const click = async () => {
    if (question && !window.confirm(question)) return;
    setBusy(true);
    setError("");
    setDone("");
    try {
      const said = await act();
      if (typeof said === "string") setDone(said);
    } catch (e) {
      setError(e.message);
    }
    setBusy(false);
  };
  return html`<span class="act">
    <button type="button" class=${kind} aria-label=${label} aria-busy=${busy} disabled=${disabled || busy} onClick=${click}>${children}</button>
    <span class="said" role="status">${done}</span>
    ${error && html`<span class="error" role="alert">${error}</span>`}
  </span>`;
}

// Ago is how long ago something was, and stays right while it is shown.
export function Ago({ at }) {
  const [, draw] = useState(0);
  useEffect(() => {
    const id = setInterval(() => draw((n) => n + 1), 5000);
    return () => clearInterval(id);
  }, []);
  return html`<time datetime=${at} title=${time(at)}>${since(at)}</time>`;
}

// State is the state of a part, in words and with a sign that needs no colour.
export function State({ state }) {
  const sign = { up: "●", online: "●", down: "▲", starting: "◌", connecting: "◌" }[state] || "○";
  return html`<span class=${"state " + state}><span aria-hidden="true">${sign}</span> ${state}</span>`;
}

// Loaded shows what load returns, or that it is under way, or why it failed.
export function Loaded({ load, every, deps = [], children }) {
  const [got, setGot] = useState({});
  const latest = useRef(0);
  const read = async () => {
    const turn = ++latest.current;
    try {
      const value = await load();
      if (turn === latest.current) setGot({ value });
    } catch (error) {
      if (turn === latest.current) setGot((g) => ({ ...g, error }));
    }
  };
  useEffect(() => {
    read();
    const id = every && setInterval(read, every);
    return () => { latest.current++; clearInterval(id); };
  }, deps);
  return html`${got.error && html`<p class="error" role="alert">${got.error.message}</p>`}
    ${got.value !== undefined ? children(got.value, read) : !got.error && html`<p class="quiet">reading …</p>`}`;
}

// useAct is whether the client may act.
const role = (s) => s.session && s.session.role;
export const useAct = () => useStore(role) === "act";

// Empty says that there is nothing, and what to do.
export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;
