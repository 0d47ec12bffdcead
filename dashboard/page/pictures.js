// The gallery: pictures that are kept, the newest first.

import { html, useState } from "./vendor/preact.js";
import { get, part, post } from "./api.js";
import { size, time } from "./format.js";
import { Button, Empty, Loaded, useAct } from "./ui.js";

export function Pictures() {
  const act = useAct();
  const [pages, setPages] = useState([""]);
  return html`<h1>Pictures</h1>
    ${pages.map((from) => html`<${Loaded} key=${from} load=${() => get("api/v1/pictures?limit=24" + (from ? "&from=" + part(from) : ""))}>${(page, again) => html`
      ${!page.pictures.length && !from && html`<${Empty}>No picture is kept yet: let a camera take one.<//>`}
      ${!from && page.count > 0 && html`<p class="quiet">${page.count} pictures, ${size(page.bytes)}</p>`}
      <ul class="gallery">${page.pictures.map((p) => html`<li key=${p.name}>
        <a href=${"pictures/" + part(p.name)} target="_blank" rel="noopener"><img src=${"pictures/" + part(p.name)} alt=${"picture of " + (p.thing || "a camera") + ", " + time(p.time)} loading="lazy" /></a>
        <div>${p.thing} ${time(p.time)} <small>${size(p.size)}</small></div>
        <a href=${"pictures/" + part(p.name)} download=${p.name}>Download</a>
        ${act && html`<${Button} kind="danger" confirm="Delete this picture?" act=${async () => { await post("api/v1/pictures/" + part(p.name) + "/delete"); await again(); }}>Delete<//>`}
      </li>`)}</ul>
      ${page.next && pages[pages.length - 1] === from && html`<button type="button" onClick=${() => setPages((all) => [...all, page.next])}>Older pictures</button>`}`}<//>`)}`;
}
