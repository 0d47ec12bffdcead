// Values and times as people read them.

const numbers = new Map();

// value writes a value with a quantity's decimal places.
export function value(v, precision) {
  if (v === null || v === undefined) return "not measured";
  if (typeof v === "boolean") return v ? "yes" : "no";
  if (typeof v !== "number") return typeof v === "object" ? JSON.stringify(v) : String(v);
  const places = precision ?? (Number.isInteger(v) ? 0 : 2);
  if (!numbers.has(places)) numbers.set(places, new Intl.NumberFormat(undefined, { minimumFractionDigits: places, maximumFractionDigits: places }));
  return numbers.get(places).format(v);
}

// name makes words of a key: gas_resistance.
export const name = (key) => key.replace(/[_-]/g, " ").replace(/^./, (c) => c.toUpperCase());

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// time writes a time; the day only if it is another.
export function time(t) {
  const d = new Date(t);
  if (isNaN(d) || d.getTime() <= 0) return "at an unknown time";
  return d.toDateString() === new Date().toDateString() ? clock.format(d) : day.format(d);
}

// since says how long ago a time was.
export function since(t, at = Date.now()) {
  const s = Math.round((at - new Date(t)) / 1000);
  if (isNaN(s)) return "";
  if (s < 5) return "now";
  if (s < 90) return s + " s ago";
  if (s < 5400) return Math.round(s / 60) + " min ago";
  if (s < 129600) return Math.round(s / 3600) + " h ago";
  return Math.round(s / 86400) + " days ago";
}

// size writes a number of bytes.
export function size(n) {
  if (!n) return "0 B";
  const unit = Math.min(Math.floor(Math.log2(n) / 10), 3);
  return (n / 2 ** (10 * unit)).toFixed(unit ? 1 : 0) + " " + ["B", "KiB", "MiB", "GiB"][unit];
}
