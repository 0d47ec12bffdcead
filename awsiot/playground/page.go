package playground

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// page is an answer for a browser. It is put together by hand: html/template brings reflection of
// methods into the program, with which the linker keeps all of them (2 MB).
type page struct {
	prefix, title, message string
	forms                  bool
	field, secret          string   // of a hidden field; "" for none
	links                  []string // below prefix
	value                  any
}

// style is all that a page loads; its hash is in the policy.
const style = `body{font:16px sans-serif;margin:2em auto;max-width:48em;padding:0 1em}pre{white-space:pre-wrap;overflow-wrap:anywhere}label{display:block;margin:.4em 0}nav a,button{margin-right:.8em}`

// headers are those of each answer.
func headers(h http.Header) {
	sum := sha256.Sum256([]byte(style))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// html is the page.
func (p *page) html() []byte {
	var b bytes.Buffer
	title, prefix := html.EscapeString(p.title), html.EscapeString(p.prefix)
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title><style>%s</style>\n<h1>%[1]s</h1>\n<nav>", title, style)
	for _, r := range Routes() {
		if !r.Changes || r.Path == "/config" { // the others are buttons
			name := strings.TrimPrefix(r.Path, "/")
			if name == "" {
				name = "home"
			}
			fmt.Fprintf(&b, `<a href="%s%s">%s</a>`, prefix, r.Path, name)
		}
	}
	b.WriteString("</nav>\n")
	if p.message != "" {
		fmt.Fprintf(&b, "<p><strong>%s</strong></p>\n", html.EscapeString(p.message))
	}
	if p.forms {
		p.write(&b, prefix)
	}
	for _, l := range p.links {
		fmt.Fprintf(&b, "<a href=\"%s%s\">%[2]s</a>\n", prefix, html.EscapeString(l))
	}
	if _, isAnswer := p.value.(answer); !isAnswer {
		text := bytes.ReplaceAll(plain(p.value, "  "), []byte(`\n`), []byte("\n")) // certificates
		fmt.Fprintf(&b, "<pre>%s</pre>\n", html.EscapeString(string(text)))
	}
	b.WriteString("</html>\n")
	return b.Bytes()
}

// write writes the forms.
func (p *page) write(b *bytes.Buffer, prefix string) {
	hidden := ""
	if p.field != "" {
		hidden = fmt.Sprintf(`<input type="hidden" name="%s" value="%s">`, html.EscapeString(p.field), html.EscapeString(p.secret))
	}
	fmt.Fprintf(b, "<form method=\"post\" action=\"%s/config\">%s\n", prefix, hidden)
	for _, f := range []struct{ name, label string }{
		{"fsampling", "Seconds between two values"}, {"ddm_sr", "Seconds between two reports of Device Defender"}, {"ftopic", "Topic ({} is the name)"}, {"fpayload", "Payload (a JSON object)"},
	} {
		fmt.Fprintf(b, "<label>%s <input name=\"%s\"></label>\n", f.label, f.name)
	}
	fmt.Fprintf(b, "<button>Change</button></form>\n<form method=\"post\" action=\"%s/actions\">%s<p>", prefix, hidden)
	for _, a := range Actions() {
		fmt.Fprintf(b, `<button name="action" value="%s">%[1]s</button>`, a)
	}
	b.WriteString("</p></form>\n")
	for _, state := range []string{"on", "off"} {
		fmt.Fprintf(b, "<form action=\"%s/press_%s\"><button>press %[2]s</button></form>\n", prefix, state)
	}
}
