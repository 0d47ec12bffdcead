package things

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/hw/mock"
	"pithings/hw/probe"
	"pithings/mqttlink"
)

var update = flag.Bool("update", false, "write the files in testdata and the tables in docs anew")

// variants are settings other than the usual ones with which a kind's messages differ: they
// run one after the other.
var variants = map[string][]func(Settings){
	"motion": {
		func(s Settings) { s.(*MotionSettings).Publish = PublishBoth },
		func(s Settings) { s.(*MotionSettings).TimeKey = "time" },
	},
	"environment": {
		func(s Settings) { s.(*EnvironmentSettings).Schema = Script },
	},
	"input": {
		func(s Settings) { s.(*InputSettings).DoublePress = seconds(10) },
	},
	"host": {
		func(s Settings) { s.(*HostSettings).Status = true },
	},
	"modbus": {
		func(s Settings) { s.(*ModbusSettings).Each = true },
	},
}

// Each kind, simulated, publishes what its description says: the documented topics, each of
// them, with the documented QoS, and payloads with the documented keys. The exact payloads are
// in testdata/kinds, so that a change of a byte is seen: go test ./things -update.
func TestEachKindRuns(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			w := witnessOf(t, k)
			for _, problem := range w.problems {
				t.Error(problem)
			}
			golden(t, filepath.Join("testdata", "kinds", k.Name+".txt"), w.text.String())
		})
	}
}

// A description that is not what a thing does is found.
func TestWhatAKindDoesOtherwiseIsFound(t *testing.T) {
	for name, row := range map[string]struct {
		of     *Kind
		change func(k *Kind)
		want   string
	}{
		"as it is":       {of: inputKind, change: func(*Kind) {}},
		"topic":          {inputKind, func(k *Kind) { k.Topics = k.Topics[:1] }, "x/event is not documented"},
		"template":       {inputKind, func(k *Kind) { k.Topics[0].Template = "{thing}/level" }, "x/state is not documented"},
		"QoS":            {inputKind, func(k *Kind) { k.Topics[0].QoS = 0 }, "x/state: QoS 1"},
		"retained":       {inputKind, func(k *Kind) { k.Topics[0].Retain = false }, "retained true"},
		"alarm":          {inputKind, func(k *Kind) { k.Topics[1].Alarm = false }, "alarm true"},
		"payload":        {inputKind, func(k *Kind) { k.Topics[0].Payloads = []Payload{{`{"level":"on"}`, "x"}} }, `the payload {"state":"off"} is not documented`},
		"topic too many": {inputKind, func(k *Kind) { k.Topics = append(k.Topics, Topic{Role: "more", Template: "{thing}/more"}) }, "nothing was published on {thing}/more"},
		"command":        {outputKind, func(k *Kind) { k.Topics[0].Template = "{thing}/get" }, "there is no subscription to x/get"},
		"simulation":     {inputKind, func(k *Kind) { k.Name, k.New = "other", func() Settings { return new(unsimulated) } }, "Probe: "},
		"probe":          {inputKind, func(k *Kind) { k.Name, k.New = "other", func() Settings { return new(unprobed) } }, "Probe returns nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			k := *row.of
			k.Topics = slices.Clone(k.Topics)
			row.change(&k)
			problems := witnessOf(t, &k).problems
			if row.want == "" && len(problems) > 0 || row.want != "" && !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, row.want) }) {
				t.Errorf("%q, want %q", problems, row.want)
			}
		})
	}
}

// unsimulated are settings that stay as they are for a simulation, and unprobed those whose
// part is not looked at.
type (
	unsimulated struct{ InputSettings }
	unprobed    struct{ InputSettings }
)

func (s *unsimulated) Simulate() {}

func (s *unprobed) Probe(context.Context, *probe.Prober, string) []probe.Result { return nil }

// golden compares a text with that of a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date; got\n%s", file, got)
	}
}

// witness compares what things of a kind publish with the description.
type witness struct {
	*testing.T
	kind     *Kind
	problems []string
	seen     map[string]bool // roles
	forms    map[string]bool // that are in the golden
	text     strings.Builder // the golden
}

func (w *witness) bad(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// witnessOf runs simulated things of a kind with all settings that make a difference.
func witnessOf(t *testing.T, k *Kind) *witness {
	t.Helper()
	w := &witness{T: t, kind: k, seen: map[string]bool{}, forms: map[string]bool{}}
	changes := append([]func(Settings){func(Settings) {}}, variants[k.Name]...)
	for _, change := range changes {
		w.run(change)
	}
	for _, topic := range k.Topics {
		if !topic.In && !w.seen[topic.Role] {
			w.bad("nothing was published on %s", topic.Template)
		}
	}
	return w
}

// run runs a simulated thing with changed settings, and gives it all documented commands.
func (w *witness) run(change func(Settings)) {
	onBench(w.T, mock.Options{Motion: mock.Motion{First: 10 * time.Second, Every: 8 * time.Second, Width: 3 * time.Second}}, func(b *bench) {
		s := w.kind.New()
		conf.Fill(s)
		s.Simulate()
		change(s)
		results := s.Probe(b.Context(), probe.New(b.board, nil), "x")
		if len(results) == 0 {
			w.bad("Probe returns nothing")
		}
		for _, r := range results {
			if r.Status != probe.OK {
				w.bad("Probe: %+v", r)
				return // it would not open either
			}
		}
		self := Self{Version: "1.4.0", Parts: map[string]string{"x": "up"}}
		env := b.env(quiet)
		env.Self, env.State = func() Self { return self }, func() (string, error) { return b.TempDir(), nil }
		thing := b.in(env, Options{Thing: "x"}, s)
		if thing.Name() != "x" {
			w.bad("its name is %q", thing.Name())
		}
		d := w.kind.Describe(s, nil)
		for event := range d.Model.Events {
			stop, err := thing.Watch(event, func(map[string]any, time.Time) {})
			if err != nil {
				w.bad("event %s of the model: %v", event, err)
				continue
			}
			stop()
		}
		stop := b.run(thing)
		time.Sleep(time.Second)
		for _, t := range w.kind.Topics {
			if !t.In {
				continue
			}
			topic := strings.ReplaceAll(t.Template, "{thing}", "x")
			if !b.link.Subscribed(topic) {
				w.bad("there is no subscription to %s", topic)
			}
			for _, p := range t.Payloads {
				b.inject(topic, strings.ReplaceAll(p.Example, "https://…", ""), false)
			}
		}
		time.Sleep(time.Minute)
		if err := b.last(); err != nil {
			w.bad("the part does not work: %v", err)
		}
		if m, ok := thing.(Measuring); ok && len(m.Quantities()) == 0 {
			w.bad("it measures nothing")
		}
		stop()
		w.look(b.link.Published("#"))
	})
}

// look compares messages with the description, and adds the first of each form to the golden.
func (w *witness) look(messages []mqttlink.Message) {
	for _, m := range messages {
		t := w.documented(m.Topic)
		if t == nil {
			w.bad("%s is not documented", m.Topic)
			continue
		}
		w.seen[t.Role] = true
		if m.QoS != t.QoS || m.Retain != t.Retain || m.Alarm != t.Alarm {
			w.bad("%s: QoS %d, retained %v, alarm %v, but documented %d, %v, %v", m.Topic, m.QoS, m.Retain, m.Alarm, t.QoS, t.Retain, t.Alarm)
		}
		keys := keysIn(string(m.Payload))
		if !slices.ContainsFunc(t.Payloads, func(p Payload) bool { return formOf(p.Example).MatchString(keys) }) {
			w.bad("%s: the payload %s is not documented", m.Topic, m.Payload)
		}
		if !json.Valid(m.Payload) {
			w.bad("%s: the payload %s is not JSON", m.Topic, m.Payload)
		}
		form := m.Topic + " " + keys + wordIn(m.Payload)
		if w.forms[form] {
			continue
		}
		w.forms[form] = true
		retained := ""
		if m.Retain {
			retained = " retained"
		}
		fmt.Fprintf(&w.text, "%s QoS %d%s\n  %s\n", m.Topic, m.QoS, retained, steady(m.Payload))
	}
}

// documented returns what is documented of a topic. One with a name of its own is no quantity.
func (w *witness) documented(topic string) (found *Topic) {
	for i := range w.kind.Topics {
		t := &w.kind.Topics[i]
		if !t.In && templateOf(t.Template).MatchString(topic) && (found == nil || !strings.Contains(t.Template, quantityPlaceholder)) {
			found = t
		}
	}
	return found
}

var (
	pictureName = regexp.MustCompile(`pictures/[0-9a-z]{16,}`)
	diskInAll   = regexp.MustCompile(`("disk_[a-z]+": )[0-9.]+`)
	diskAlone   = regexp.MustCompile(`("value": )[0-9.]+(, "origin": "x disk_)`)
)

// steady replaces what differs from run to run: the name of a picture, and the disk, which a
// simulation has of the machine that it runs on.
func steady(payload []byte) []byte {
	payload = pictureName.ReplaceAll(payload, []byte("pictures/RANDOM"))
	payload = diskInAll.ReplaceAll(payload, []byte("${1}0.0"))
	return diskAlone.ReplaceAll(payload, []byte("${1}0.0${2}"))
}

// wordIn returns the value of a message with a single key, of which each value is worth a line.
func wordIn(payload []byte) string {
	var values map[string]any
	if json.Unmarshal(payload, &values) != nil || len(values) != 1 {
		return ""
	}
	for _, v := range values {
		switch v := v.(type) {
		case bool:
			return fmt.Sprint(v)
		case string:
			return v[:min(len(v), 12)]
		}
	}
	return ""
}

// templateOf matches the topics of a template of the thing x.
func templateOf(template string) *regexp.Regexp {
	text := regexp.QuoteMeta(strings.ReplaceAll(template, "{thing}", "x"))
	return regexp.MustCompile("^" + strings.ReplaceAll(text, regexp.QuoteMeta(quantityPlaceholder), "[a-z0-9_]+") + "$")
}

// formOf matches the keys of payloads like an example, in their order. QUANTITY stands for
// any number of keys.
func formOf(example string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(keysIn(example)), "QUANTITY", "[a-z0-9_]+( [a-z0-9_]+)*") + "$")
}
