package conf_test

import (
	"fmt"

	"pithings/conf"
)

// Gauge is a section of a configuration.
type Gauge struct {
	Device   string        `json:"device" default:"/dev/ttyS0" expand:"path" change:"local" jsonschema:"serial device"`
	Interval conf.Duration `json:"interval" default:"3s" min:"1s" max:"24h" change:"afar" jsonschema:"time between readings"`
	Unit     string        `json:"unit" default:"bar" enum:"bar,kPa" change:"afar" jsonschema:"unit of the readings"`
}

// read returns the section in a file with nothing else.
func read(file string, data []byte, env []string) (*Gauge, error) {
	g := new(Gauge)
	conf.Fill(g)
	d := conf.NewDecoder(file, conf.NewVariables(env))
	if doc := d.Document(data, "write at least unit: bar"); doc != nil {
		d.Struct(doc, g, "", "gauge")
	}
	if g.Unit == "kPa" && g.Interval.Seconds() < 2 { // what no single tag shows
		d.Bad("interval", "interval: %s is too short for kPa", g.Interval)
	}
	_, err := d.Result()
	return g, err
}

func Example() {
	g, err := read("gauge.yaml", []byte("device: ${PORT}\ninterval: 1m30s\n"), []string{"PORT=/dev/ttyAMA0"})
	fmt.Println(*g, err)

	_, err = read("gauge.yaml", []byte("interval: 3\nunti: bar\nunit: psi\n"), nil)
	fmt.Println(err)
	// Output:
	// {/dev/ttyAMA0 1m30s bar} <nil>
	// gauge.yaml:1:11: interval: "3" has no unit; write 3s or 3ms
	// gauge.yaml:2:1: gauge: unknown key "unti"; did you mean "unit"?
	// gauge.yaml:3:7: unit: "psi" is not one of bar, kPa
}
