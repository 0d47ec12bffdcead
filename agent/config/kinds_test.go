package config

import (
	"slices"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/things"
)

// valve is a kind of things that the program does not have: what is checked follows from
// its settings alone.
type valve struct {
	things.Settings `json:"-"` // what no configuration asks

	Device string `json:"device"`
	Owner  string `json:"owner" required:"write a name"`
	Least  int    `json:"least"`
	Most   int    `json:"most"`
	Key    string `json:"key" payload:"key"`
}

func (v *valve) Part() (key, where string) { return "device", v.Device }

func (v *valve) Check(report func(path, format string, args ...any)) {
	if v.Least > v.Most {
		report("least", "least (%d) is more than most (%d)", v.Least, v.Most)
	}
}

func TestSettingsCheckThemselves(t *testing.T) {
	d := &checker{Report: conf.NewReport("c.yaml")}
	c := &Config{Things: []Thing{
		{Name: "a", Settings: &valve{Device: "/dev/v0", Owner: "x"}},
		{Name: "b", Settings: &valve{Device: "/dev/v0", Least: 2, Most: 1, Key: "room"}, Extra: map[string]string{"room": "hall"}},
	}}
	d.Mark("things[1].least", conf.Place{Source: "c.yaml", Line: 7, Column: 3})
	for i := range c.Things {
		d.thing(c, i)
	}
	_, err := d.Result()
	want := []string{
		"c.yaml:7:3: least (2) is more than most (1)",
		"c.yaml: device /dev/v0 is already that of thing \"a\"",
		"c.yaml: key: the payload has the key \"room\" already; choose another",
		"c.yaml: thing \"b\" has no owner; write a name",
	}
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("%v\nwant %s", err, strings.Join(want, "\n"))
	}
}

// A part is one thing's, whatever their types; a bus is for several sensors.
func TestPartsAreShared(t *testing.T) {
	thing := func(s things.Settings) *Thing { return &Thing{Settings: s} }
	for name, row := range map[string]struct {
		a, b things.Settings
		same bool
	}{
		"one line":           {&things.MotionSettings{Pin: "GPIO1"}, &things.MotionSettings{Pin: "GPIO1"}, true},
		"two lines":          {&things.MotionSettings{Pin: "GPIO1"}, &things.MotionSettings{Pin: "GPIO2"}, false},
		"two types":          {&things.CameraSettings{Device: "/dev/x"}, &things.ScreenSettings{Device: "/dev/x"}, true},
		"two addresses":      {&things.EnvironmentSettings{Bus: "1", Address: 0x76}, &things.EnvironmentSettings{Bus: "1", Address: 0x77}, false},
		"one address":        {&things.EnvironmentSettings{Bus: "1", Address: 0x76}, &things.EnvironmentSettings{Bus: "1", Address: 0x76}, true},
		"one may be found":   {&things.EnvironmentSettings{Bus: "1"}, &things.EnvironmentSettings{Bus: "1", Address: 0x76}, true},
		"addresses, 2 buses": {&things.EnvironmentSettings{Bus: "1", Address: 0x76}, &things.EnvironmentSettings{Bus: "3", Address: 0x76}, false},
	} {
		if got := samePart(thing(row.a), thing(row.b)); got != row.same {
			t.Errorf("%s: %v", name, got)
		}
	}
	if samePart(&Thing{}, thing(&things.MotionSettings{})) {
		t.Error("a thing of which the type is not known has a part")
	}
}

// What an output does at start and end may be written as people say it, without quotes.
func TestOutputSettings(t *testing.T) {
	c, warnings := parse(t, head+"things: [{name: x, type: output, pin: GPIO5, at_start: on, at_exit: off, max_on: 90m, retained: obey, interlock: [y]}, {name: y, type: output, pin: GPIO6}]\n")
	x, y := c.Things[0].Settings.(*things.OutputSettings), c.Things[1].Settings.(*things.OutputSettings)
	if len(warnings) > 0 || x.AtStart != "on" || x.AtExit != "off" || x.MaxOn.String() != "1h30m" || x.Retained != "obey" || !slices.Equal(x.Interlock, []string{"y"}) {
		t.Errorf("%+v, %v", x, warnings)
	}
	if y.AtStart != "off" || y.AtExit != "off" || y.MaxOn.Duration != 0 || y.Retained != "ignore" || y.Interlock != nil {
		t.Errorf("without keys: %+v", y)
	}
}
