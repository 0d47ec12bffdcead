//go:build linux

package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"pithings/test/binary"
)

// motions is how many motions a turn has.
const motions = 150

// bad are the six bad rules. Each gets a round every 100 ms.
var bad = map[string]string{
	"loop":      "def main(d, w):\n    while True:\n        pass\n",
	"gigabyte":  "def main(d, w):\n    return [0] * 1000000000\n",
	"recursion": "def main(d, w):\n    return main(d, w)\n",
	"raises":    "def main(d, w):\n    return d['none']\n",
	"callback":  "def again(result, tail, w):\n    w.recall_data(again)\ndef main(d, w):\n    w.recall_data(again)\n",
	"explodes":  "import re\ndef main(d, w):\n    return re.match('(a+)+$', 'a' * 20000 + 'b') is None\n",
}

// agent is a contender of BenchmarkLatency.
type agent struct {
	name     string
	cmd      *exec.Cmd
	line     io.Writer
	messages chan string
	p50, p99 []float64       // of each round, in microseconds
	all      []time.Duration // of all
}

// BenchmarkLatency is the time from an edge of the motion sensor's line to the message at a
// subscriber. "shipped" has the limits of scripts as they come: the rules that meet one
// pause. "unlimited" has the most that may be set, so that the loop runs all the time.
// While one agent is measured the other one is stopped.
func BenchmarkLatency(b *testing.B) {
	for _, variant := range []struct{ name, limits string }{
		{"shipped", "{}"}, {"unlimited", "{steps: 1000000000, time: 1m}"},
	} {
		b.Run(variant.name, func(b *testing.B) {
			n := newBench(b)
			n.broker()
			n.buildDriven()
			c := n.newDriver()
			all := []*agent{n.agent(c, "good", variant.limits, nil), n.agent(c, "bad", variant.limits, bad)}
			for _, a := range all {
				n.resume(a, all)
				n.motions(a) // warm
				a.p50, a.p99, a.all = nil, nil, nil
			}
			for b.Loop() {
				turns(rounds(40), len(all), func(k int) {
					n.resume(all[k], all)
					n.motions(all[k])
				})
			}
			b.ReportMetric(0, "ns/op")
			n.latencies(all)
		})
	}
}

// buildDriven builds the shipped program with a line that the benchmark drives.
func (n *bench) buildDriven() {
	abs := func(path string) string {
		path, err := filepath.Abs(path)
		if err != nil {
			n.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {abs("../../../cmd/pithings/board.go"): abs("testdata/board.go")}})
	if err != nil {
		n.Fatal(err)
	}
	if err := binary.Build(n.file("pithings"), "GOFLAGS=-overlay="+n.write("overlay.json", string(overlay))); err != nil {
		n.Fatal(err)
	}
}

// agent starts an agent with a motion sensor and a gateway.
func (n *bench) agent(d *driver, name, limits string, bad map[string]string) *agent {
	var rules strings.Builder
	for rule, code := range bad {
		fmt.Fprintf(&rules, "    - {name: %[1]s, topic: %[2]s/%[1]s, groups: [default], script: %[3]s}\n", rule, name, n.write(name+"-"+rule+".py", code))
	}
	config := n.write(name+".yaml", fmt.Sprintf(`mqtt: {endpoint: "mqtt://127.0.0.1:%[1]s"}
http: {listen: "127.0.0.1:0"}
things:
  - {name: %[2]s_MS, type: motion, pin: driven, publish: both, warm_up: 0s, debounce: 0s, hold: 0s}
  - {name: %[2]s_BME, type: environment, bus: mock, interval: 1s}
gateway:
  limits: %[3]s
  groups: [{name: default, polling: 100ms, upload: 100ms}]
  variables: [{device: %[2]s_BME}]
  publish:
    - {name: up, topic: %[2]s/up, groups: [default], function: vars_upload_test, script: %[4]s}
%[5]s`, n.port, name, limits, n.write(name+"-up.py", n.read(seed)), rules.String()))
	a := &agent{name: name, messages: make(chan string, 100)}
	d.done(d.Subscribe(name+"_MS/motion", 0, func(_ mqtt.Client, m mqtt.Message) { a.messages <- string(m.Payload()) }))
	up := make(chan struct{}, 1000)
	d.done(d.Subscribe(name+"/up", 0, func(mqtt.Client, mqtt.Message) { up <- struct{}{} }))
	a.cmd = exec.Command(n.file("pithings"), "run", "--mock", "--transcript=false", "--state", n.file(name+"-state"), config)
	var err error
	if a.line, err = a.cmd.StdinPipe(); err != nil {
		n.Fatal(err)
	}
	n.start(name, a.cmd)
	select {
	case <-up: // the good rule works, and so the others do
		d.done(d.Unsubscribe(name + "/up"))
	case <-time.After(binary.Patience):
		n.Fatalf("the good rule of %s publishes nothing", name)
	}
	return a
}

// resume lets an agent run, and stops the others.
func (n *bench) resume(a *agent, all []*agent) {
	for _, other := range all {
		signal := unix.SIGSTOP
		if other == a {
			signal = unix.SIGCONT
		}
		if err := other.cmd.Process.Signal(signal); err != nil {
			n.Fatal(err)
		}
	}
}

// motions drives the line through a turn's motions, each once the end of the one before has
// arrived, at random moments.
func (n *bench) motions(a *agent) {
	times := make([]time.Duration, motions)
	for i := range times {
		time.Sleep(time.Millisecond + rand.N(4*time.Millisecond))
		times[i] = n.edge(a, "1", `{"isMotionDetected": true}`)
		n.edge(a, "0", `{"isMotionDetected": false}`)
	}
	a.all = append(a.all, times...)
	slices.Sort(times)
	a.p50 = append(a.p50, micros(times[len(times)/2]))
	a.p99 = append(a.p99, micros(times[len(times)*99/100]))
}

// edge sets the level of the line, and returns how long the message took.
func (n *bench) edge(a *agent, level, message string) time.Duration {
	began := time.Now()
	if _, err := io.WriteString(a.line, level); err != nil {
		n.Fatalf("%s: %v", a.name, err)
	}
	select {
	case got := <-a.messages:
		if took := time.Since(began); got == message {
			return took
		}
		n.Fatalf("%s published %s, not %s", a.name, got, message)
	case <-time.After(binary.Patience):
		n.Fatalf("%s publishes nothing for an edge", a.name)
	}
	return 0
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// latencies prints a line for each agent, and what the bad rules change.
func (n *bench) latencies(all []*agent) {
	var t table
	for _, a := range all {
		times := slices.Sorted(slices.Values(a.all))
		p50, p99 := micros(times[len(times)/2]), micros(times[len(times)*99/100])
		cpu, err := processor(a.cmd)
		if err != nil {
			n.Fatal(err)
		}
		round50, _, _ := spread(ratios(a.p50, all[0].p50))
		round99, from, to := spread(ratios(a.p99, all[0].p99))
		t.line("%-5s p50 %6.0f µs  p99 %6.0f µs of %d motions, %5.1f s of processor time  through those of good: all %.3f and %.3f, by round %.3f and %.3f [%.3f–%.3f]",
			a.name, p50, p99, len(times), cpu.Seconds(), p50/value(all[0].all, 50), p99/value(all[0].all, 99), round50, round99, from, to)
		n.ReportMetric(p50, a.name+"-p50-µs")
		n.ReportMetric(p99, a.name+"-p99-µs")
		if a != all[0] {
			n.ReportMetric(p50/value(all[0].all, 50), "p50/good")
			n.ReportMetric(p99/value(all[0].all, 99), "p99/good")
		}
	}
	n.Log(t.String())
}

// value is a percentile in microseconds.
func value(times []time.Duration, percent int) float64 {
	times = slices.Sorted(slices.Values(times))
	return micros(times[len(times)*percent/100])
}
