// Package browser holds the tests of the page (package dashboard) in a real browser: Chromium
// without a window, driven by chromedp, against the built pithings with simulated parts.
//
// It is a module of its own, so that building pithings needs none of its modules. Its own script is
// axe-core 4.14.1 (testdata, MPL-2.0, https://github.com/dequelabs/axe-core), unchanged, which finds
// what keeps people from using a page: contrast, names, roles.
package browser
