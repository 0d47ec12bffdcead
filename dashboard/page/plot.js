// The library of charts, apart, so that the page begins without it.
export { default } from "./vendor/uplot.js";
