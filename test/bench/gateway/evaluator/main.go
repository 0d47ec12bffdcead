//go:build linux

// Evaluator is a publish rule with the seed's script, fed with rounds of ten variables and
// nothing around it: no network and no disk. Its protocol is that of the peers:
//
//	evaluator SCRIPT
//
// For each line N of its input it evaluates N rounds, and prints the processor time in
// nanoseconds and, in base64, the last message. For the line "rules N" it prints the bytes of
// heap that one of N rules keeps.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"log"
	"log/slog"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"pithings/conf"
	"pithings/gateway/collect"
	"pithings/gateway/rule"
	"pithings/mqttlink"
)

// variables is how many there are.
const variables = 10

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: evaluator SCRIPT")
	}
	source, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	one := newFeed(string(source), 1)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n int
		if _, err := fmt.Sscanf(in.Text(), "rules %d", &n); err == nil {
			fmt.Println(perRule(string(source), n))
			continue
		}
		if _, err := fmt.Sscan(in.Text(), &n); err != nil {
			log.Fatal(err)
		}
		began := processor()
		var payload []byte
		for range n {
			payload = one.evaluate()
		}
		fmt.Println((processor() - began).Nanoseconds(), base64.StdEncoding.EncodeToString(payload))
	}
}

// processor is the time that this process has taken, the kernel's for it too.
func processor() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		log.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// feed is publish rules, and what they publish.
type feed struct {
	mqttlink.Client // nothing but Publish is called
	rules           *rule.Rules
	names           []collect.Variable
	published       chan []byte
}

func newFeed(source string, rules int) *feed {
	f := &feed{published: make(chan []byte, rules)}
	var s rule.Settings
	for i := range rules {
		p := rule.Publish{Name: fmt.Sprint("rule", i), Topic: "awsiot/test", QoS: 1, Groups: []string{"default"}}
		p.Function, p.Code, p.API = "vars_upload_test", source, "auto"
		s.Publish = append(s.Publish, p)
	}
	for i := range variables {
		var v collect.Variable
		conf.Fill(&v)
		v.Device, v.Name = "S7-1200", fmt.Sprint("Test", i)
		f.names = append(f.names, v)
	}
	env := &rule.Env{Link: f, Log: slog.New(slog.DiscardHandler)}
	conf.Fill(&env.Limits)
	f.rules = rule.New(env, s, nil)
	if err := f.rules.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	return f
}

// Publish takes a message.
func (f *feed) Publish(_ context.Context, m mqttlink.Message) error {
	f.published <- m.Payload
	return nil
}

// Connected reports that it takes messages.
func (f *feed) Connected() bool { return true }

// at is the time of the seed's example.
var at = time.UnixMicro(1589538347560471)

// evaluate makes a round of the ten variables, and returns the message of the first rule.
func (f *feed) evaluate() []byte {
	samples := make([]collect.Sample, variables)
	for i := range samples {
		samples[i] = collect.Sample{Variable: &f.names[i], Value: 20.5 + float64(i), Good: true, At: at}
	}
	f.rules.Handle(context.Background(), rule.Batch{Rounds: []collect.Round{{Group: "default", At: at, Samples: samples}}})
	return <-f.published
}

// perRule is the heap of one of n rules that have each evaluated a round.
func perRule(source string, n int) int {
	newFeed(source, 1).evaluate() // what all rules share
	before := heap()
	f := newFeed(source, n)
	f.evaluate()
	for range n - 1 {
		<-f.published
	}
	f.rules.Drain(context.Background())
	after := heap()
	runtime.KeepAlive(f)
	return (after - before) / n
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
