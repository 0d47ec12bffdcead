// A chart of a quantity: the mean as a line between the least and the greatest, gaps as gaps. The
// library is fetched when the first chart is shown.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { get, part } from "./api.js";
import { name, value } from "./format.js";
import { Empty } from "./ui.js";

let library;

const color = (key) => getComputedStyle(document.documentElement).getPropertyValue(key).trim();

export function Chart({ thing, quantity, unit, span }) {
  const at = useRef(null);
  const [error, setError] = useState("");
  const [none, setNone] = useState(false);
  const path = "api/v1/history/" + part(thing.name) + "/" + part(quantity);
  useEffect(() => {
    let chart, watch, gone = false;
    (async () => {
      try {
        library ||= import("./plot.js");
        const [{ default: Plot }, h] = await Promise.all([library, get(path + "?from=" + span + "&points=600")]);
        if (gone || !at.current) return;
        if (!h.times.length) return setNone(true);
        const width = () => Math.max(at.current.clientWidth, 200);
        const unitText = unit ? " " + unit : "";
        chart = new Plot({
          width: width(), height: 200,
          scales: { y: { range: (u, min, max) => (min === max ? [min - 1, max + 1] : Plot.rangeNum(min, max, 0.1, true)) } },
          series: [
            { label: "Time" },
            { label: "mean", stroke: color("--accent"), width: 1.5, value: (u, v) => (v == null ? "–" : value(v) + unitText) },
            { label: "least", stroke: color("--faint"), width: 0.5, value: (u, v) => (v == null ? "–" : value(v) + unitText) },
            { label: "greatest", stroke: color("--faint"), width: 0.5, value: (u, v) => (v == null ? "–" : value(v) + unitText) },
          ],
          bands: [{ series: [3, 2], fill: color("--band") }],
          axes: [{ stroke: color("--text"), grid: { stroke: color("--rule"), width: 1 } }, { stroke: color("--text"), grid: { stroke: color("--rule"), width: 1 }, size: 60 }],
        }, [h.times, h.mean, h.min, h.max], at.current);
        watch = new ResizeObserver(() => at.current && chart.setSize({ width: width(), height: 200 }));
        watch.observe(at.current);
      } catch (e) {
        if (!gone) setError(e.message);
      }
    })();
    return () => {
      gone = true;
      if (watch) watch.disconnect();
      if (chart) chart.destroy();
    };
  }, [path, span]);
  return html`<figure class="chart">
    <figcaption>${name(quantity)}${unit && html` <span class="unit">${unit}</span>`} <a href=${path + "/history.csv?from=" + span} download>CSV</a></figcaption>
    ${error && html`<p class="error" role="alert">${error}</p>`}
    ${none && html`<${Empty}>Nothing in this time.<//>`}
    <div ref=${at} role="img" aria-label=${"Chart of " + name(quantity) + "; the CSV has its values"}></div>
  </figure>`;
}
