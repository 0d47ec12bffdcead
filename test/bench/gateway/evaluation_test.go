//go:build linux

package gateway

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"pithings/test/binary"
)

// seed is the script of the contract, as its document prints it.
const seed = "../../../gateway/script/testdata/scripts/vars_upload_test.py"

// evaluations is how many evaluations a turn has.
const evaluations = 5000

// evaluator is a contender of BenchmarkEvaluation.
type evaluator struct {
	name string
	args []string
	to   io.Writer
	from *bufio.Reader
	last []byte    // message
	cpu  []float64 // of one evaluation in each round, in microseconds
	heap float64   // of a rule
}

// BenchmarkEvaluation is the processor time of one evaluation of the seed's script.
func BenchmarkEvaluation(b *testing.B) {
	n := newBench(b)
	if err := binary.BuildPackage(n.file("evaluator"), "pithings/test/bench/gateway/evaluator"); err != nil {
		b.Fatal(err)
	}
	all := []*evaluator{{name: "pithings", args: []string{n.file("evaluator"), seed}}}
	build := exec.Command("go", "build", "-C", "peers", "-o", n.file("telegraf"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		b.Logf("Telegraf is not compared: its package does not build here: %v: %s", err, out)
	} else {
		all = append(all, &evaluator{name: "telegraf", args: []string{n.file("telegraf"), "testdata/seed.star"}},
			&evaluator{name: "telegraf-fields", args: []string{n.file("telegraf"), "testdata/fields.star"}})
	}
	for _, e := range all {
		n.startEvaluator(e)
		n.evaluate(e) // warm
		e.cpu = nil
		n.ask(e, "rules 200", "%g", &e.heap)
	}
	n.sameWork(all)
	for b.Loop() {
		turns(rounds(40), len(all), func(k int) { n.evaluate(all[k]) })
	}
	b.ReportMetric(0, "ns/op")
	var t table
	for _, e := range all {
		middle, from, to := spread(e.cpu)
		ratio, least, most := spread(ratios(all[0].cpu, e.cpu))
		t.line("%-15s %6.1f µs of processor time an evaluation [%.1f–%.1f], %6.1f KiB a rule  pithings takes %.3f of the time [%.3f–%.3f]", e.name, middle, from, to, e.heap/1024, ratio, least, most)
		b.ReportMetric(middle, e.name+"-µs")
		b.ReportMetric(e.heap, e.name+"-B/rule")
		if e != all[0] {
			b.ReportMetric(ratio, "cpu/"+e.name)
		}
	}
	b.Log(t.String())
}

func (n *bench) startEvaluator(e *evaluator) {
	cmd := exec.Command(e.args[0], e.args[1:]...)
	to, from := n.pipes(cmd)
	e.to, e.from = to, bufio.NewReader(from)
	n.start(e.name, cmd)
}

// ask sends a line and reads the answer.
func (n *bench) ask(e *evaluator, line, format string, answer ...any) {
	fmt.Fprintln(e.to, line)
	text, err := e.from.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(text, format, answer...)
	}
	if err != nil {
		n.Fatalf("%s answers %q to %q: %v", e.name, text, line, err)
	}
}

func (n *bench) evaluate(e *evaluator) {
	var cpu float64
	var message string
	n.ask(e, fmt.Sprint(evaluations), "%g %s", &cpu, &message)
	e.cpu = append(e.cpu, cpu/evaluations/1e3)
	var err error
	if e.last, err = base64.StdEncoding.DecodeString(message); err != nil {
		n.Fatal(err)
	}
}

// want is the message that is asked of all, but for the shape of Telegraf's serializer.
const want = `[{"Device": "S7-1200", "timestamp": 1589538347.560471, "Data": {"Test0": 20.5, "Test1": 21.5, "Test2": 22.5, "Test3": 23.5, "Test4": 24.5, "Test5": 25.5, "Test6": 26.5, "Test7": 27.5, "Test8": 28.5, "Test9": 29.5}}]`

// sameWork fails unless all have made the same message: pithings to the byte, the others to the
// value.
func (n *bench) sameWork(all []*evaluator) {
	for _, e := range all {
		switch {
		case e.name == "pithings" && string(e.last) != want, e.name == "telegraf" && !same(e.last, want),
			e.name == "telegraf-fields" && !bytes.Contains(e.last, []byte(`"Test9":29.5`)):
			n.Fatalf("%s makes %s", e.name, e.last)
		}
	}
}

// same reports whether two texts are the same JSON.
func same(a []byte, b string) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.NewDecoder(strings.NewReader(b)).Decode(&y) == nil && reflect.DeepEqual(x, y)
}
