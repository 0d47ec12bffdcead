// Package dashboard is the page of an agent: what its things see and measure, their actions, its
// connections and pictures, in a browser. It stands on the HTTP API alone (docs/api.md), so that
// whatever the page can do a program can, too.
//
// The page is made of few small files, whose sources are in page and which dashboard/build makes:
//
//	page/*.js, page/vendor ─┐
//	page/style.css ─────────┼─ go -C dashboard/build run . ─▶ assets/*.gz ─▶ embedded, handed out as they are
//	page/index.html ────────┘
//
// A new kind of thing needs no line here: the page shows what the thing's description says.
package dashboard
