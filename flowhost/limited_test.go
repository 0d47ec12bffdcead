package flowhost

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pithings/flow"
)

// problems are those of a text, in lines.
func (h *house) problems(text string) (all []string) {
	h.Helper()
	before := h.f.count()
	c, err := h.edit().Inspect(h.Context(), WriteRequest{Text: text})
	if err != nil {
		h.Fatal(err)
	}
	for _, p := range c.Problems {
		all = append(all, fmt.Sprintf("%d: %s", p.Line, p.Text))
	}
	if h.f.count() != before {
		h.Error("a check has changed what is deployed")
	}
	return all
}

const ownModel = `name: Lamp
things: {lamp: {thing: lamp, model: mine}}
trigger: {every: 1 hour}
steps: [{name: On, thing: lamp, action: turn, input: {level: 3}}]
models: {mine: {actions: {turn: {topic: "{thing}/set", params: {level: integer}}}}}
`

const ownService = `name: Tell
trigger: {every: 1 hour}
steps: [{name: Send, service: ntfy, action: send, input: {text: hello}}]
services:
  ntfy:
    secrets: {token: ntfy}
    actions: {send: {method: POST, url: "http://ntfy.example/house", params: {text: string}, header: {Authorization: "Bearer ${token}"}, text: "${text}"}}
`

// What comes over the network is checked without a change, deployed if it uses what things can do
// together, and refused if it reaches more.
func TestWrittenFlowsReachNoMore(t *testing.T) {
	h := newHouse(t)
	h.run()
	if got := h.problems(hall); got != nil {
		t.Fatalf("a flow of the things that there are: %q", got)
	}
	d, err := h.edit().Write(t.Context(), WriteRequest{Text: hall})
	if err != nil || d.Status != DeployedInTarget || d.Revision != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	elsewhere := func(model, thing, action string) string {
		return fmt.Sprintf("name: Far\nthings: {a: {thing: %q, model: %s}}\ntrigger: {every: 1 hour}\nsteps:\n  - {name: Do, thing: a, action: %s}\n", thing, model, action)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"a mistake, with its line":     {strings.Replace(hall, "action: capture", "action: explode", 1), `5: step Camera: thing TG_Camera is of type camera and has not the action "explode"`},
		"no YAML":                      {"name: [\n", "1:"},
		"Things Graph's documents":     {"query { }", ""},
		"a model of its own":           {ownModel, "1: the model mine"},
		"a service of its own":         {ownService, "1: the service ntfy"},
		"a plug of a maker":            {elsewhere("tasmota", "kitchen", "on"), ""},
		"a relay of another Pi":        {strings.Replace(elsewhere("output", "relay2", "set"), "set}", "set, input: {state: 'on'}}", 1), ""},
		"a console":                    {strings.Replace(elsewhere("tasmota", "kitchen", "command"), "command}", "command, input: {command: 'OtaUrl http://x'}}", 1), "5: step Do: command takes all commands of kitchen"},
		"a console in other letters":   {strings.Replace(elsewhere("tasmota", "kitchen", "COMMAND"), "COMMAND}", "COMMAND, input: {command: 'Status'}}", 1), "5: step Do: COMMAND takes all"},
		"calls of a Shelly":            {strings.Replace(elsewhere("shelly", "plug", "rpc"), "rpc}", "rpc, input: {method: 'Script.PutCode'}}", 1), "5: step Do: rpc takes all"},
		"a topic of AWS":               {elsewhere("esphome", "$aws/things/pi/jobs/start-next", "on"), "2: role a: $aws/things/pi/jobs/start-next/"},
		"a topic of commands":          {elsewhere("esphome", "cmd/ac/pi", "on"), "2: role a: cmd/ac/pi/"},
		"the name of one of ours":      {strings.Replace(hall, "name: Hall", "name: Other", 1), ""},
		"a name that is no file's":     {strings.Replace(hall, "name: Hall", "name: ../../etc", 1), ""},
		"a service without its models": {"name: X\ntrigger: {every: 1 hour}\nsteps: [{name: S, service: s, action: a}]\n", "3:"},
	} {
		got := h.problems(tc.text)
		if tc.want == "" && name != "Things Graph's documents" && name != "a name that is no file's" && got != nil || tc.want != "" && !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, tc.want) }) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
			continue
		}
		before := h.f.count()
		d, err := h.edit().Write(t.Context(), WriteRequest{Text: tc.text})
		if (err == nil) != (got == nil) {
			t.Errorf("%s: %+v, %v, and the check says %q", name, d, err, got)
		}
		if err != nil && h.f.count() != before {
			t.Errorf("%s: refused, and something is deployed", name)
		}
		if err == nil {
			if _, err := h.f.Delete(t.Context(), d.Name, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range []WriteRequest{{}, {Text: hall, Deployment: "Hall"}, {Deployment: "none"}, {Deployment: "Hall", Revision: 9}} {
		if _, err := h.edit().Write(t.Context(), r); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}

// Who stood at the machine may have deployed more: it can be edited around that, for the same things,
// and returned to.
func TestWrittenFlowsKeepWhatWasDeployed(t *testing.T) {
	h := newHouse(t)
	h.run()
	h.f.p.Services.Secrets = t.TempDir()
	if err := os.WriteFile(filepath.Join(h.f.p.Services.Secrets, "ntfy"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.deploy(ownModel, Options{})
	h.deploy(ownService, Options{})
	for name, tc := range map[string]struct{ text, want string }{
		"the model as it is":       {strings.Replace(ownModel, "level: 3", "level: 4", 1), ""},
		"the model's topic":        {strings.Replace(ownModel, "{thing}/set", "{thing}/reset", 1), "the model mine"},
		"the model, another thing": {strings.Replace(ownModel, "thing: lamp, model", "thing: door, model", 1), "role lamp: the model mine is for the things"},
		"the model, another name":  {strings.Replace(ownModel, "name: Lamp", "name: Lamp2", 1), "the model mine"},
		"the service as it is":     {strings.Replace(ownService, "text: hello", "text: good bye", 1), ""},
		"the service's host":       {strings.Replace(ownService, "ntfy.example", "evil.example", 1), "the service ntfy"},
		"another secret":           {strings.Replace(ownService, "token: ntfy", "token: other", 1), "the service ntfy"},
		"a second service":         {ownService + "  more: {actions: {get: {method: GET, url: 'http://10.0.0.1/'}}}\n", "the service more"},
	} {
		got := h.problems(tc.text)
		if tc.want == "" && got != nil || tc.want != "" && !strings.Contains(strings.Join(got, "\n"), tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if d, err := h.edit().Write(t.Context(), WriteRequest{Text: strings.Replace(ownModel, "level: 3", "level: 4", 1)}); err != nil || d.Revision != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := h.edit().Write(t.Context(), WriteRequest{Deployment: "Lamp", Revision: 1}); err != nil || d.Revision != 3 {
		t.Errorf("back: %+v, %v", d, err)
	}
	// What was taken out of force is kept, and counts; what was deleted does not.
	if _, err := h.f.Undeploy(t.Context(), "Lamp"); err != nil {
		t.Fatal(err)
	}
	if got := h.problems(ownModel); got != nil {
		t.Errorf("undeployed: %q", got)
	}
	if _, err := h.f.Delete(t.Context(), "Lamp", false); err != nil {
		t.Fatal(err)
	}
	if got := h.problems(ownModel); got == nil {
		t.Error("a model of what was deleted is taken")
	}
	p, err := h.edit().Public(t.Context(), "Tell", 0)
	if err != nil || p.Text != "" || p.Hidden == "" || strings.Contains(fmt.Sprintf("%+v", p), "ntfy.example") || len(p.Graph) != 1 || p.Graph[0].Steps[0].Kind != "service" {
		t.Errorf("a flow with services: %+v, %v", p, err)
	}
}

// A deployment is shown with its text as it was written, its revisions and its graph.
func TestPublicFlow(t *testing.T) {
	h := newHouse(t)
	h.run()
	text := "# what the hall does\n" + hall
	for range 2 {
		if _, err := h.edit().Write(t.Context(), WriteRequest{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	p, err := h.edit().Public(t.Context(), "Hall", 1)
	if err != nil || p.Text != text || p.Shown != 1 || p.Revision != 2 || fmt.Sprint(p.Revisions) != "[1 2]" || len(p.Things) != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	steps := p.Graph[0].Steps
	if len(steps) != 2 || steps[0].Does != "capture of camera" || steps[0].After != nil || len(steps[0].Sets) != 1 || !reflect.DeepEqual(steps[1].After, steps[0].Sets) {
		t.Errorf("the graph: %+v", steps)
	}
	if _, err := h.edit().Public(t.Context(), "none", 0); err == nil {
		t.Error("one that is not there is shown")
	}
	h.deploy(text, Options{Name: "Other", Things: map[string]string{"screen": "far_Screen"}})
	if p, err := h.edit().Public(t.Context(), "Other", 0); err != nil || !strings.Contains(p.Text, "far_Screen") || !strings.Contains(p.Text, "name: Other") {
		t.Errorf("with options: %+v, %v", p, err)
	}
}

// The recipes can be written over the network, but for those with a web service or a model of their own.
func TestRecipesCanBeWritten(t *testing.T) {
	h := newHouse(t)
	h.run()
	pages, err := filepath.Glob("../docs/recipes/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%q, %v", pages, err)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		if name == "README" {
			continue
		}
		got := strings.Join(h.problems(recipe(t, name)), "\n")
		if refused := strings.Contains(got, "at the machine only"); refused != (name == "ntfy" || name == "debounce") || got != "" && !refused {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// An execution can be ended by hand.
func TestAbort(t *testing.T) {
	h := newHouse(t)
	if err := h.start().edit().Abort(t.Context(), "x"); err == nil {
		t.Error("one that does not run is ended")
	}
	if _, err := h.edit().Write(t.Context(), WriteRequest{Text: "name: Slow\nsteps: [{name: Wait, wait: 1h}]\n"}); err != nil {
		t.Fatal(err)
	}
	id, err := h.f.Start(t.Context(), StartRequest{Deployment: "Slow"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.edit().Abort(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	x, err := Await(t.Context(), h.f, id)
	if err != nil || x.Status != flow.Aborted {
		t.Errorf("%+v, %v", x, err)
	}
}

func (h *house) start() *house {
	h.run()
	return h
}

func (h *house) edit() Editor { return Editor{h.f} }
