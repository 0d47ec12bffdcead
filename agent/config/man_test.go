package config

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/conf"
	"pithings/test/manual"
	"pithings/things"
)

var update = flag.Bool("update", false, "write testdata/local-keys.txt and deploy/man/pithings.yaml.5 anew")

// The page of pithings.yaml is made of the schema, which has all keys, their ranges,
// defaults and meanings.
func TestManual(t *testing.T) {
	p := manual.New("pithings.yaml", 5, "configuration of pithings")
	p.Section("DESCRIPTION")
	p.Text(`The file describes what one agent of pithings(1) does: its connection to a broker, the things made of the board's parts, and the
flows between them. It is YAML. Every key but those marked required can be left out. Unknown keys are errors.

  pithings config check FILE     all that is wrong, with its place
  pithings config show FILE      what would be used, and where each value comes from
  pithings config example        a file with every key

Keys outside lists can be overridden by environment variables: mqtt.endpoint by PITHINGS_MQTT_ENDPOINT.

Durations are written 500ms, 3s, 1m30s; amounts 512KiB, 64MiB; rates 2/s, 30/min. Relative paths of certificates, keys and password
files are looked up in $CREDENTIALS_DIRECTORY and then beside the file.

Names, topics and client ids may have {hostname}, {serial} (of the board), {machine} (an id made of /etc/machine-id) and {env.NAME};
paths, endpoints, user names and passwords ${NAME} of the environment.

Keys marked local are changed on the machine alone; all others may also be changed through the network, by programs that manage devices.`)

	top, err := conf.Schema(new(Config))
	if err != nil {
		t.Fatal(err)
	}
	p.Section("KEYS")
	for _, key := range top.PropertyOrder {
		s := top.Properties[key]
		if len(below(s)) == 0 {
			term(p, key, s, slices.Contains(top.Required, key))
		}
	}
	for _, key := range top.PropertyOrder {
		if s := top.Properties[key]; key != "things" && len(below(s)) > 0 {
			p.Subsection(title(key, s))
			if s.Description != "" {
				p.Text(sentence(s))
			}
			keys(p, "", section(s))
		}
	}
	p.Section("THINGS")
	p.Text(sentence(top.Properties["things"]))
	common, err := conf.Schema(new(Thing))
	if err != nil {
		t.Fatal(err)
	}
	p.Subsection("Keys of all things")
	common.Properties["mqtt"].Description += "; the keys are those of mqtt"
	common.Properties["mqtt"].PropertyOrder = nil // they are above
	keys(p, "", common)
	for _, name := range things.KindNames() {
		s, err := thingSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		own := *s
		own.PropertyOrder = slices.DeleteFunc(slices.Clone(s.PropertyOrder), func(key string) bool {
			return key != "topics" && slices.Contains(common.PropertyOrder, key)
		})
		p.Subsection("type: " + name)
		p.Text(things.KindOf(name).Doc)
		keys(p, "", &own)
	}
	p.Section("EXAMPLES")
	p.Text("A motion sensor and a camera, and the broker of a house:")
	p.Verbatim(manualExample)
	if _, _, err := Parse("pithings.yaml", []byte(manualExample), nil); err != nil {
		t.Errorf("the example of the page: %v", err)
	}
	p.SeeAlso("pithings(1)", "pithings-config(1)", "pithings-reload(1)")

	dir := filepath.Join("..", "..", "deploy", "man")
	manual.Check(t, dir, "*.5", map[string]string{p.File(): p.String()}, *update)
	manual.Lint(t, dir, p.File())
}

const manualExample = `version: 1
mqtt: {endpoint: "mqtt://broker.local", client_id: "hall-{hostname}"}
things:
  - {name: "Motion-{hostname}", type: motion, pin: GPIO17}
  - {name: "Camera-{hostname}", type: camera}
`

// keys writes the keys of a section and of those below it, by their whole paths.
func keys(p *manual.Page, path string, s *jsonschema.Schema) {
	for _, key := range s.PropertyOrder {
		sub := s.Properties[key]
		term(p, path+key, sub, slices.Contains(s.Required, key))
		if len(below(sub)) > 0 {
			mark := "."
			if list(sub) {
				mark = "[]."
			}
			keys(p, path+key+mark, section(sub))
		}
	}
}

// section is what has the keys: of a list that is each item.
func section(s *jsonschema.Schema) *jsonschema.Schema {
	if s.Items != nil {
		return s.Items
	}
	return s
}

func below(s *jsonschema.Schema) []string { return section(s).PropertyOrder }
func list(s *jsonschema.Schema) bool      { return s.Items != nil }

func title(key string, s *jsonschema.Schema) string {
	if list(s) {
		return key + " (a list)"
	}
	return key
}

func term(p *manual.Page, path string, s *jsonschema.Schema, required bool) {
	about := sentence(s)
	if required {
		about += " Required."
	}
	if len(s.Enum) > 0 {
		var all []string
		for _, v := range s.Enum {
			all = append(all, fmt.Sprint(v))
		}
		about += " One of " + strings.Join(all, ", ") + "."
	}
	if s.Minimum != nil && s.Maximum != nil && *s.Minimum < *s.Maximum {
		about += fmt.Sprintf(" From %s to %s.", number(*s.Minimum), number(*s.Maximum))
	}
	if d := defaultText(s.Default); d != "" {
		about += " Default: " + d
	}
	p.Term(path, "", strings.TrimSpace(about))
}

// sentence is the meaning of a key, with its mark.
func sentence(s *jsonschema.Schema) string {
	text := s.Description
	if text != "" {
		text = strings.TrimRight(text, ".") + "."
	}
	switch s.Extra[conf.ChangeKeyword] {
	case conf.Local:
		text += " [local]"
	case conf.WithSecret:
		text += " [with secret]"
	}
	return text
}

// number writes the largest numbers with an exponent: no line is long enough for 300 zeros.
func number(f float64) string {
	if math.Abs(f) >= 1e15 {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// defaultText is a default as one writes it in YAML.
func defaultText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
