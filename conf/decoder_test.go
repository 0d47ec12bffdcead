package conf

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// house is a section with all that a section can have.
type house struct {
	Name   string            `json:"name" expand:"name" required:"write the street" change:"local"`
	Floors int               `json:"floors" default:"1" min:"1" max:"9" change:"afar"`
	Height float64           `json:"height" default:"2.5" min:"1" max:"10" change:"afar"`
	Lit    bool              `json:"lit" default:"true" change:"afar"`
	Code   Secret            `json:"code" change:"local"`
	Nets   []string          `json:"nets" form:"network" change:"local"`
	Files  []string          `json:"files" form:"folder" change:"local"`
	Labels map[string]string `json:"labels" change:"afar"`
	Color  color             `json:"color" default:"red" change:"afar"`
	Door   struct {
		Width Size `json:"width" default:"80x200" change:"afar"`
	} `json:"door"`
	Rooms []room `json:"rooms"`
	Attic *room  `json:"attic"`
	kind  any
}

type room struct {
	Area Bytes `json:"area" default:"1KiB" change:"afar"`
	Rate Rate  `json:"rate" default:"2/s" change:"afar"`
}

// Extension returns the keys of the house's kind.
func (h *house) Extension() any { return h.kind }

type farm struct {
	Cows int `json:"cows" default:"3" change:"afar"`
}

// color is a type with a notation of its own.
type color int

func (c *color) UnmarshalText(text []byte) error {
	*c = color(strings.Index("red green", string(text)))
	if *c < 0 {
		return errors.New("this is no color")
	}
	return nil
}

func (c color) MarshalText() ([]byte, error) {
	return []byte(strings.Fields("red green")[min(c, 1)]), nil
}

func (c color) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Enum: []any{"red", "green"}}
}

var _ encoding.TextUnmarshaler = new(color)

func decode(text string) (*house, *Decoder) {
	h := &house{kind: new(farm)}
	Fill(h)
	d := NewDecoder("h.yaml", NewVariables([]string{"TOWN=Ulm"}))
	if doc := d.Document([]byte(text), "write a house"); doc != nil {
		d.Struct(doc, h, "", "house")
	}
	return h, d
}

func TestAnyStructIsASection(t *testing.T) {
	h, d := decode(`
name: "h-{env.TOWN}"
floors: 3
height: 2.75
lit: false
code: hush
nets: [10.0.0.0/8]
files: [/srv]
labels: {a: b}
color: green
door: {width: 90x210}
cows: 7
rooms:
  - &first {area: 2KiB}
  - {<<: *first, rate: unlimited}
attic: {rate: 1/h}
`)
	if _, err := d.Result(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ got, want any }{
		{h.Name, "h-Ulm"}, {h.Floors, 3}, {h.Height, 2.75}, {h.Lit, false}, {h.Code.Reveal(), "hush"},
		{h.Nets[0], "10.0.0.0/8"}, {h.Files[0], "/srv"}, {h.Labels["a"], "b"}, {h.Color, color(4)},
		{h.Door.Width, Size{90, 210}}, {h.kind.(*farm).Cows, 7},
		{h.Rooms[0], room{2048, 2}}, {h.Rooms[1], room{2048, Unlimited}}, {h.Attic.Area, Bytes(1024)}, {h.Attic.Rate, Rate(1.0 / 3600)},
	} {
		if row.got != row.want {
			t.Errorf("got %v, want %v", row.got, row.want)
		}
	}
	for path, want := range map[string]string{
		"floors": "h.yaml:3", "rooms[1].rate": "h.yaml:15", "labels": "h.yaml:9", "labels.a": "h.yaml:9", "door.height": ByDefault,
	} {
		if got := d.Origin(path); got != want {
			t.Errorf("%s is from %s, want %s", path, got, want)
		}
	}
}

func TestMistakesHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                            `h.yaml: the file is empty; write a house`,
		"floors: 10":                  `h.yaml:1:9: floors: "10" is out of range; from 1 to 9`,
		"floors: '2'":                 `h.yaml:1:9: floors: write 2 without quotes`,
		"name: true":                  `h.yaml:1:7: name: put true in quotes if it is meant as a text`,
		"name:":                       `h.yaml:1:1: name has no value; give it one or remove the line`,
		"door: 7":                     `h.yaml:1:7: door: a single value stands where "key: value" lines belong`,
		"rooms: 7":                    `h.yaml:1:8: rooms: a single value stands where a list belongs; begin each item with "- "`,
		"rooms: [{arae: 1}]":          `h.yaml:1:10: rooms: unknown key "arae"; did you mean "area"?`,
		"attic: {rate: 2}":            `h.yaml:1:15: rate: "2" is not a rate; write 2/s, 30/min or unlimited`,
		"nets: [10.0.0.0/8, 10]":      `h.yaml:1:20: nets: "10" is not a network; write 192.168.0.0/16 or fd00::/8, one address with /32 or /128`,
		"files: [srv]":                `h.yaml:1:9: files: "srv" is not a full path; begin with /`,
		"files: ['']":                 `h.yaml:1:9: files: "" is not a full path; begin with /`,
		"color: blue":                 `h.yaml:1:8: color: this is no color`,
		"name: '{env.NOWHERE}'":       `h.yaml:1:7: name: the environment has no variable NOWHERE; set it (in a service: Environment=NOWHERE=…)`,
		"cows: 1\ncows: 2":            `h.yaml:2:1: key "cows" is given twice; the first is at 1:1`,
		"labels: &x {a: 1}\nlit: *y":  `h.yaml:2:6: alias "*y" has no anchor "&y" before it`,
		"rooms: !!seq []":             `h.yaml:1:8: YAML tags (!!seq) are not supported; remove it`,
		"name: a\n---\nname: b":       `h.yaml:3:1: a second YAML document begins here; a configuration is one document`,
		"name: a\nfloors: {a: 1}":     `h.yaml:2:9: floors: a mapping (key: value) stands where a single value belongs`,
		"name: a\nunheard_of_key: 12": `h.yaml:2:1: house: unknown key "unheard_of_key"; known: name, floors, height, lit, code, nets, files, labels, color, door, rooms, attic, cows`,
	} {
		_, d := decode(text)
		if _, err := d.Result(); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestValuesFromElsewhere(t *testing.T) {
	h, d := decode("floors: 2\n")
	fields := Fields(h)
	find := func(key string) Field {
		return fields[slices.IndexFunc(fields, func(f Field) bool { return f.Key == key })]
	}
	d.SetFrom("FLOORS", find("floors"), "floors", "4")
	d.SetFrom("HEIGHT", find("height"), "height", "99")
	if h.Floors != 4 || h.Height != 2.5 || d.InFile("floors") || !d.Given("floors") || d.Origin("floors") != "FLOORS" {
		t.Errorf("%+v from %s", h, d.Origin("floors"))
	}
	if missing := d.Missing(h, "houses[0]", "house 1"); !slices.Equal(missing, []string{"name"}) {
		t.Errorf("missing %q", missing)
	}
	_, err := d.Result()
	if want := "HEIGHT: \"99\" is out of range; from 1 to 10\nh.yaml: house 1 has no name; write the street"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLeavesAreAllKeys(t *testing.T) {
	var got []string
	for _, f := range Leaves(&house{kind: new(farm)}) {
		got = append(got, f.Path)
		if f.Change() == "" {
			t.Errorf("%s has no mark", f.Path)
		}
	}
	want := "name floors height lit code nets files labels color door.width rooms[].area rooms[].rate attic.area attic.rate cows"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

func TestSchemaOfASection(t *testing.T) {
	s, err := Schema(&house{kind: new(farm)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{
		`{"name": "x", "floors": 2, "rooms": [{"area": "2KiB"}], "attic": null, "cows": 2, "color": "green", "nets": []}`: true,
		`{"floors": 2}`:                false, // name is required
		`{"name": "x", "floors": 10}`:  false,
		`{"name": "x", "color": "b"}`:  false,
		`{"name": "x", "cow": 1}`:      false,
		`{"name": "x", "rooms": [{}]}`: true,
		`{"name": "x", "lit": "yes"}`:  false,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := r.Validate(v); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := fmt.Sprintf("%v %v", s.Properties["name"].Extra[ChangeKeyword], s.Properties["door"].Extra); got != "local map[]" {
		t.Errorf("marks %s", got)
	}
}

// What is shown can be read again, and hides secrets.
func TestShownIsRead(t *testing.T) {
	h, d := decode("name: x\ncode: hush\nrooms: [{area: 5}, {}]\nattic: {}\n")
	text := Show(h, func(path string) string { return d.Origin(path) }, func(v Value) string { return v.Source + " " + string(v.Change) })
	for _, want := range []string{
		"name: \"x\"                                          # h.yaml:1 local\n",
		"code: \"[set]\"", "  - area: \"5\"", "    rate: \"2/s\"", "attic:\n  area: ", "labels: {}", "nets: []", "cows: 3 ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	again, d2 := decode(text)
	if _, err := d2.Result(); err != nil || again.Rooms[0] != h.Rooms[0] || len(again.Rooms) != 2 || *again.Attic != *h.Attic {
		t.Errorf("%v\n%s", err, text)
	}
	values := Values(h, func(string) string { return "s" })
	if v := values[4]; v.Path != "code" || string(v.Value) != `"[set]"` || v.Change != Local {
		t.Errorf("%+v", v)
	}
}

// FuzzDecode: whatever the file, there is a result or a problem with a bounded text.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{"name: x", "rooms: [{area: 1}]", "a: &a [*a]", "<<: {name: y}", "rooms:\n- <<: [{area: 1}, {rate: 1/s}]", "attic: {rate: unlimited}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, d := decode(string(data))
		if _, err := d.Result(); err != nil && len(err.Error()) > 30_000 {
			t.Errorf("%d bytes of problems", len(err.Error()))
		}
	})
}

// A relative path is in the folder of credentials, or beside the file that gives it.
func TestPathsAreLocated(t *testing.T) {
	type paths struct {
		Key   string `json:"key" file:"credential"`
		Flow  string `json:"flow" file:"beside"`
		Other string `json:"other"`
		List  []struct {
			Key string `json:"key" file:"credential"`
		} `json:"list"`
	}
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "a.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var p paths
	d := NewDecoder("/etc/p/c.yaml", Variables{})
	d.Struct(d.Document([]byte("{key: a.key, flow: a.key, other: x, list: [{key: b.key}, {key: /b.key}, {key: ../a.key}]}"), ""), &p, "", "paths")
	d.Locate(&p, "", credentials)
	got := []string{p.Key, p.Flow, p.Other, p.List[0].Key, p.List[1].Key, p.List[2].Key}
	want := []string{filepath.Join(credentials, "a.key"), "/etc/p/a.key", "x", "/etc/p/b.key", "/b.key", "/etc/a.key"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	d.SetFrom("KEY", Fields(&p)[0], "key", "here.key")
	d.Locate(&p, "", credentials)
	if p.Key != "here.key" {
		t.Errorf("a path of a variable is %s", p.Key)
	}
}
