package config

import (
	"strings"
	"testing"

	"pithings/conf"
)

// `config show` says of each value where it comes from.
func TestShow(t *testing.T) {
	const text = `mqtt:
  endpoint: mqtts://h
  username: u
  password: hush
  queue:
    max: 7
things:
  - name: x
    type: motion
    pin: GPIO1
    topics: {motion: a/b}
    mqtt:
      window: 3
flows: []
`
	c, _ := parse(t, text, "PITHINGS_LOG_LEVEL=warn")
	from := map[string]conf.Value{}
	for _, v := range c.Values() {
		from[v.Path] = v
	}
	for path, want := range map[string][2]string{
		"version":                  {`1`, "default"},
		"mqtt.endpoint":            {`"mqtts://h"`, "c.yaml:2"},
		"mqtt.password":            {`"[set]"`, "c.yaml:4"},
		"mqtt.queue.max":           {`7`, "c.yaml:6"},
		"mqtt.queue.max_bytes":     {`"1GiB"`, "default"},
		"log.level":                {`"warn"`, "PITHINGS_LOG_LEVEL"},
		"things[0].pin":            {`"GPIO1"`, "c.yaml:10"},
		"things[0].warm_up":        {`"1m"`, "default"},
		"things[0].topics":         {`{"motion":"a/b"}`, "c.yaml:11"},
		"things[0].mqtt.window":    {`3`, "c.yaml:13"},
		"things[0].mqtt.endpoint":  {`"mqtts://h"`, "c.yaml:2"},
		"things[0].mqtt.client_id": {`"x"`, "default"},
	} {
		if v := from[path]; string(v.Value) != want[0] || v.Source != want[1] {
			t.Errorf("%s: %s from %q, want %s from %q", path, v.Value, v.Source, want[0], want[1])
		}
	}
	if strings.Contains(c.Show(source), "hush") {
		t.Error("a secret is shown")
	}
	for _, want := range []string{"mqtt:\n", `  endpoint: "mqtts://h"`, "    max: 7 ", "things:\n  - name: \"x\"", "      window: 3", "flows: []"} {
		if !strings.Contains(c.Show(source), want) {
			t.Errorf("%q is missing in\n%s", want, c.Show(source))
		}
	}
}

// What is shown can be read again, and means the same.
func TestShowIsAConfiguration(t *testing.T) {
	for name, c := range map[string]*Config{"example": first(parse(t, string(fullExample()))), "sample": first(parse(t, sample)), "mock": Mock()} {
		again, _, err := Parse("shown", []byte(c.Show(source)), nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, c.Show(source))
			continue
		}
		if again.String() != c.String() {
			t.Errorf("%s: read again it is\n%s\nand was\n%s", name, again, c)
		}
	}
}

func first(c *Config, _ []conf.Warning) *Config { return c }

func source(v conf.Value) string { return v.Source }
