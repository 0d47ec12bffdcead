package flowhost

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pithings/flow"
	"pithings/flow/history"
	"pithings/mqttlink"
)

// documentSets are all whole documents that are kept as test data, of Things Graph's guide
// and of the public exports, and what the tests here have besides. A folder is one set, but
// each file of flows is a set of its own.
func documentSets(t *testing.T) map[string][]File {
	t.Helper()
	sets := map[string][]File{"aws": {{"feed.graphql", atAWS}}}
	names, err := filepath.Glob(filepath.Join("..", "flow", "tdm", "testdata", "*", "*.graphql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		key := filepath.Base(filepath.Dir(name))
		if key == "flows" {
			key = filepath.Base(name)
		}
		sets[key] = append(sets[key], f)
	}
	for _, key := range []string{"security", "visitors", "letters", "parcels", "door.graphql", "gauge.graphql", "hourly.graphql", "meter.graphql", "nursery.graphql"} {
		if sets[key] == nil {
			t.Errorf("%s is missing in %s", key, names)
		}
	}
	return sets
}

// played is all that is seen of a deployment that is run: its executions, commands
// and requests.
// starts are how many executions each of the events starts.
func (h *house) played(a *asked, d Deployed, starts [2]uint64) string {
	h.Helper()
	h.link.Forget()
	a.mu.Lock()
	a.list = nil
	a.mu.Unlock()
	shown, err := h.f.Show(h.Context(), d.Name, 0)
	if err != nil {
		h.Fatal(err)
	}
	var started uint64
	settled := func(more uint64) {
		h.Helper()
		started += more
		h.until("the executions", func() bool {
			var n uint64
			for _, s := range h.f.Stats()[d.Name] {
				if s.Running+s.Waiting > 0 {
					return false
				}
				n += s.Started
			}
			return n >= started
		})
	}
	for _, b := range shown.Things {
		topic := b.Thing + "/motion"
		if !h.link.Subscribed(topic) {
			continue
		}
		for i, payload := range []string{`{"isMotionDetected": true}`, `{"isMotionDetected": false}`} {
			h.inject(topic, payload)
			settled(starts[i])
		}
	}
	for _, f := range shown.Flows {
		if _, err := h.f.Start(h.Context(), StartRequest{Deployment: d.Name, Flow: f.Flow}); err == nil {
			settled(1)
		}
	}
	list, err := h.f.Executions(h.Context(), filterOf(d.Name))
	if err != nil {
		h.Fatal(err)
	}
	var lines []string
	for _, x := range list {
		story, err := h.f.Execution(h.Context(), x.ID)
		if err != nil {
			h.Fatal(err)
		}
		var steps []string
		for _, e := range story.Events {
			steps = append(steps, fmt.Sprintf("%s %s %v", e.Type, e.Payload.Step, e.Payload.Output))
		}
		slices.Sort(steps) // steps run beside each other
		lines = append(lines, fmt.Sprintf("%s of %s by %s: %s\n  %s", x.Status, x.Flow, x.Trigger, x.Reason, strings.Join(steps, "\n  ")))
	}
	for _, m := range h.link.Published("#") {
		if !strings.HasSuffix(m.Topic, "/finished") {
			lines = append(lines, fmt.Sprintf("%s %s", m.Topic, m.Payload))
		}
	}
	lines = append(lines, a.all()...)
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Every document that is whole goes the whole way round: it is imported, deployed,
// run and exported, and the export runs the same. Before, the export left devices
// and services out, and said nothing.
func TestExportRunsTheSame(t *testing.T) {
	for set, files := range documentSets(t) {
		t.Run(set, func(t *testing.T) {
			a := newAsked(t)
			o := Options{Carrier: "broker"}
			text := ""
			for _, f := range files {
				text += strings.ReplaceAll(strings.ToLower(f.Text), `\"`, `"`)
			}
			for service, at := range map[string]string{"Reader": a.URL, "playMusic": a.URL + "/play", "updateEvent": a.URL + "/update", "Ingest": a.URL + "/in", "Topic": a.URL,
				"Finder": a.URL, "FetchLetter": a.URL + "/letter", "ShortenLetter": a.URL + "/short", "KeepLetter": a.URL + "/keep", "HourOf": a.URL + "/hour"} {
				if strings.Contains(text, strings.ToLower(":service:"+service+`"`)) {
					if o.Services == nil {
						o.Services = map[string]string{}
					}
					o.Services[service] = at
				}
			}
			made, _, _, err := Import(files, o)
			if err != nil || len(made) != 1 {
				t.Fatalf("%v, %v", made, err)
			}
			h := newHouse(t)
			h.open()
			h.f.p.Services.AllowNets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			h.run()
			var taken atomic.Int64 // no two pictures or labels are the same
			for topic, payload := range map[string]string{
				"+/capture": `{"lastClickedImage": "http://x/%[1]d", "s3BucketName": "pictures", "s3ItemName": "%[1]d.jpg"}`,
				"+/scan":    `{"id": "label %d"}`,
				"+/measure": `2%d`,
			} {
				if _, err := h.link.Subscribe(topic, 1, func(ctx context.Context, m mqttlink.Message) {
					_ = h.link.Publish(ctx, mqttlink.Message{Topic: m.Topic + "/finished", Payload: fmt.Appendf(nil, payload, taken.Add(1))})
				}); err != nil {
					t.Fatal(err)
				}
			}
			play := func(name string, files []File, o Options) string {
				t.Helper()
				o.Name = name
				d, err := h.f.Deploy(t.Context(), DeployRequest{Files: files, Options: o})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				defer func() {
					if _, err := h.f.Undeploy(t.Context(), name); err != nil {
						t.Error(err)
					}
				}()
				taken.Store(0)
				return h.played(a, d[0], map[string][2]uint64{"security": {1, 1}, "visitors": {1, 1}, "door.graphql": {3, 2}, "nursery.graphql": {1, 0}, "meter.graphql": {2, 1}}[set])
			}
			want := play("Imported", made, Options{Carrier: "broker"})
			if !strings.Contains(want, string(flow.Succeeded)+" of ") {
				t.Fatalf("no execution succeeded:\n%s", want)
			}
			exported, err := Export(made[0])
			if err != nil {
				t.Fatal(err)
			}
			for round := range 2 {
				if got := play(fmt.Sprint("Exported", round), exported, Options{Carrier: "broker"}); got != want {
					t.Errorf("round %d: the export runs as\n%s\nwant\n%s\n%s", round, got, want, exported)
				}
				// And once more through our own format.
				made, needs, _, err := Import(exported, Options{})
				if err != nil || len(needs) > 0 || len(made) != 1 {
					t.Fatalf("%v, %v, %v", made, needs, err)
				}
				if exported, err = Export(made[0]); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What our own format has besides is exported, too, or refused by name.
func TestExportOfOwnModels(t *testing.T) {
	const text = `name: Plug
things: {plug: {thing: p, model: smart-plug}, lamp: {thing: kitchen, model: tasmota}}
trigger: {thing: plug, event: Told, when: event.n > 3.0}
steps:
  - {name: Level, thing: plug, action: level, input: {n: 3}}
  - {name: Toggle, thing: lamp, action: toggle}
  - {name: Tell, service: my-ntfy, action: send, input: {n: 5}, output: answer}
models:
  smart-plug:
    events: {Told: {topic: "x/{thing}/told", payload: {keys: {n: number, more: object}}}, Raw: {topic: "x/{thing}/raw", payload: {bare: any}}}
    actions:
      level: {topic: "x/{thing}/set", params: {n: integer}, request: {level: "${n * 2}", on: true, note: "at ${n}"}}
      raw: {topic: "x/{thing}/raw", params: {n: any}, request: "on,${n}"}
services:
  my-ntfy: {actions: {send: {method: POST, url: "http://h/${n}", params: {n: integer}, header: {X: "${n}"}, body: {n: "${n}", three: 3}}}}
`
	documents, err := Export(File{"plug.yaml", text})
	if err != nil {
		t.Fatal(err)
	}
	made, needs, _, err := Import(documents, Options{})
	if err != nil || len(needs) > 0 || len(made) != 1 {
		t.Fatalf("%v, %v, %v\n%s", made, needs, err, documents)
	}
	for _, want := range []string{`topic: x/{thing}/told`, `n: number`, `more: object`, `bare: any`, `level: ${n * 2}`, `note: at ${n}`, `request: on,${n}`,
		`request: TOGGLE`, `topic: cmnd/{thing}/POWER`, `url: http://h/${n}`, `three: 3`, `X: ${n}`} {
		if !strings.Contains(strings.ReplaceAll(made[0].Text, `"`, ""), want) {
			t.Errorf("there is no %q in\n%s", want, made[0].Text)
		}
	}
	for change, says := range map[string]string{
		`request: {level: "${n * 2}"`:           `request: {level: [1]`,
		`params: {n: integer}, request: {level`: `params: {n: integer}, retain: true, request: {level`,
		`actions: {send`:                        `secrets: {t: f}, actions: {send`,
	} {
		if _, err := Export(File{"plug.yaml", strings.Replace(text, change, says, 1)}); err == nil || !strings.Contains(err.Error(), "Things Graph's language cannot say") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func filterOf(deployment string) history.Filter { return history.Filter{Deployment: deployment} }
