package playground

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Route is one of the playground's.
type Route struct {
	Path    string
	Methods []string
	Changes bool   // it changes the device, or makes it act, also by GET
	Doc     string // what it does
	Query   string // an example of what can be given
}

// Routes returns all of them.
func Routes() []Route {
	get, both := []string{http.MethodGet}, []string{http.MethodGet, http.MethodPost}
	return []Route{
		{"/", get, false, "show what the device is and does", ""},
		{"/config", both, true, "change it while it runs: seconds between two values of telemetry, and between two reports of Device Defender; topic and payload of telemetry; whether it says goodbye before it reconnects",
			`time=5&ddm_sr=300&topic=newtopic/{}&payload={"temp":31}&clean&reconnect (also fsampling, ftopic, fpayload)`},
		{"/actions", both, true, "make it do something, with a form", "action=" + strings.Join(Actions(), "|")},
		{"/press_on", get, true, "press a switch: its device is switched on", ""},
		{"/press_off", get, true, "press a switch: its device is switched off", ""},
		{"/name", get, false, "show its name", ""},
		{"/endpoint", get, false, "show which broker it connects to", ""},
		{"/cert", get, false, "show its certificate; there is no way to its key", ""},
		{"/shadow", get, false, "get its shadow", ""},
		{"/log", get, false, "show what was done to it from outside", ""},
		{"/help", get, false, "show these routes", ""},
	}
}

// answer is what a request is answered with.
type answer struct {
	Device  string `json:"device"`
	Message string `json:"message"` // the last value, or the text of the error
	OK      bool   `json:"ok"`
}

// Serve answers a request for a path below prefix, which ends in no slash. The request has been let in.
func Serve(w http.ResponseWriter, r *http.Request, prefix, path string, t Target) {
	routes := Routes()
	i := slices.IndexFunc(routes, func(route Route) bool { return route.Path == path })
	if i < 0 {
		Refuse(w, r, t.Title(), http.StatusNotFound, "there is no such route: see /help")
		return
	}
	if !slices.Contains(routes[i].Methods, r.Method) { // HEAD, too: GET changes things
		w.Header().Set("Allow", strings.Join(routes[i].Methods, ", "))
		Refuse(w, r, t.Title(), http.StatusMethodNotAllowed, "the method is not for this route")
		return
	}
	p := page{prefix: prefix, title: t.Title(), forms: path == "/" || path == "/config"}
	if l, ok := t.(Linker); ok && path == "/" {
		p.links = l.Links()
	}
	if f, ok := t.(Formed); ok {
		p.field, p.secret = f.Field(r)
	}
	p.value = p.serve(w, r, path, t)
	p.send(w, r, http.StatusOK)
}

// Refuse answers a request that is not let in, or asks for what there is not, with a status of its own. It
// is also for those who serve these routes. device may be empty.
func Refuse(w http.ResponseWriter, r *http.Request, device string, status int, message string) {
	p := page{title: cmp.Or(device, http.StatusText(status)), message: message, value: answer{device, message, false}}
	p.send(w, r, status)
}

// send writes the answer.
func (p *page) send(w http.ResponseWriter, r *http.Request, status int) {
	headers(w.Header())
	text, kind := plain(p.value, ""), "application/json"
	if wantsPage(r) {
		text, kind = p.html(), "text/html; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has gone
}

// serve does what is asked for.
func (p *page) serve(w http.ResponseWriter, r *http.Request, path string, t Target) any {
	said := func(message string, err error) answer {
		if err != nil {
			message = err.Error()
		}
		p.message = message
		return answer{t.Title(), message, err == nil}
	}
	if err := params(w, r); err != nil {
		return said("", err)
	}
	switch path {
	case "/config":
		c, last, err := readConfig(r)
		if err == nil && !c.Empty() {
			err = t.Config(r.Context(), &c)
		}
		return said(last, err)
	case "/actions":
		return said(act(r, t))
	case "/press_on", "/press_off":
		return said(strings.TrimPrefix(path, "/press_"), t.Press(r.Context(), path == "/press_on"))
	case "/help":
		return map[string]any{"help": help()}
	}
	what := View(path[1:])
	v, err := t.Read(r.Context(), what)
	switch {
	case err != nil:
		return said("", err)
	case what == Home:
		return v
	}
	return map[string]any{string(what): v}
}

// act does an action. Forms that are not sent, and unknown actions, are answered as in the playground.
func act(r *http.Request, t Target) (string, error) {
	action := r.PostForm.Get("action")
	switch {
	case r.Method != http.MethodPost:
		return "", errForm
	case !slices.Contains(Actions(), action):
		return "", errAction
	}
	return action, t.Act(r.Context(), action)
}

// text is an error without more.
type text string

func (t text) Error() string { return string(t) }

const (
	errForm   text = "All the form fields are required."
	errAction text = "Invalid action."
)

// hint is a line of the help.
type hint struct {
	Route string `json:"route"`
	Query string `json:"query,omitempty"`
	Doc   string `json:"doc"`
}

func help() []hint {
	var all []hint
	for _, r := range Routes() {
		all = append(all, hint{strings.Join(r.Methods, ", ") + " " + r.Path, r.Query, r.Doc})
	}
	return all
}

// wantsPage reports whether a browser asks: others get JSON.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// plain is a value as JSON, with < and > as they are.
func plain(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		_ = e.Encode(answer{Message: err.Error()})
	}
	return b.Bytes()
}
