//go:build faults && linux

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pithings/test/binary"
)

// station is pithings run with simulated environment sensors, started again and again
// on one state folder. Its readings are numbered by the run and, within it, by the
// sequence that they have.
type station struct {
	t       *testing.T
	start   func(*exec.Cmd) error
	state   string
	mqtt    string // of the configuration, as YAML between braces
	sensors int
	extra   int // bytes added to each reading
	client  *client
	runs    uint64
	file    string // the configuration of the last run
}

// quantities are what a sensor without a heater measures, each on a topic of its own.
var quantities = []string{"temperature", "humidity", "pressure"}

// run starts a run.
func (a *station) run() *process {
	a.t.Helper()
	a.file = filepath.Join(a.t.TempDir(), "pithings.yaml")
	a.configure()
	// Its sensors are simulated by their names. With --mock it would refuse a folder in
	// which a pub has been first.
	return run(a.t, a.start, func(string) {}, binary.Path, "run", "--config", a.file)
}

// configure writes the configuration of another run, whose readings have topics of their
// own.
func (a *station) configure() {
	a.t.Helper()
	a.runs++
	var topics []string
	for _, q := range append(quantities, "state") {
		topics = append(topics, fmt.Sprintf(`%s: "agent/%d/{thing}/%s"`, q, a.runs, q))
	}
	text := fmt.Sprintf("mqtt: {%s}\nclock: trust\nhttp: {listen: \"127.0.0.1:0\"}\nstate: %s\nthings:\n", a.mqtt, a.state)
	for i := range a.sensors {
		text += fmt.Sprintf("  - {name: w%d, type: environment, bus: mock, interval: 100ms, schema: script, heater: {enabled: false}, "+
			"oversampling: {temperature: 1, pressure: 1, humidity: 1}, topics: {%s}, extra: {padding: %q}}\n",
			i, strings.Join(topics, ", "), padding[:a.extra])
	}
	if err := os.WriteFile(a.file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// reading takes note of one that has arrived.
func (a *station) reading(topic string, payload []byte) error {
	var run uint64
	var stream string
	if _, err := fmt.Sscanf(topic, "agent/%d/%s", &run, &stream); err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	if strings.HasSuffix(stream, "/state") {
		return nil // it has no number
	}
	var p struct {
		Sequence *uint64 `json:"sequence"`
		Padding  string  `json:"padding"`
	}
	if err := json.Unmarshal(payload, &p); err != nil || p.Sequence == nil || p.Padding != padding[:a.extra] {
		return fmt.Errorf("%s: a damaged payload: %.60q… of %d bytes (%v)", topic, payload, len(payload), err)
	}
	a.client.hasArrived(stream, run<<32|(*p.Sequence+1))
	return nil
}

// gapless notes as safe what a run published before the last reading that has
// arrived of it: a single reading is not reported safe, but none before a later one
// may be missing.
func (a *station) gapless() {
	a.client.mu.Lock()
	defer a.client.mu.Unlock()
	for _, s := range a.client.streams {
		most := map[uint64]uint64{}
		for _, n := range s.arrived {
			most[n>>32] = max(most[n>>32], n&(1<<32-1))
		}
		for run, last := range most {
			for n := uint64(1); n <= last; n++ {
				s.safe = append(s.safe, run<<32|n)
				a.client.safe++
			}
		}
	}
}
