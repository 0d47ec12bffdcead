// Peers is Telegraf's starlark processor as Telegraf has it (its package, not a copy), with a
// script that does the work of the seed's, and nothing around it: no network and no disk. It runs
// as Telegraf's agent runs a processor (agent/agent.go, startProcessors and runProcessors): in a
// goroutine of its own, between two channels. The protocol is that of
// pithings/test/bench/gateway/evaluator:
//
//	peers SCRIPT
//
// With a script whose metric has a field "payload", that is the message: the script has made
// the JSON. Any other metric is the message as Telegraf's JSON serializer writes it.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	common "github.com/influxdata/telegraf/plugins/common/starlark"
	"github.com/influxdata/telegraf/plugins/processors/starlark"
	"github.com/influxdata/telegraf/plugins/serializers/json"
)

// variables is how many there are.
const variables = 10

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: peers SCRIPT")
	}
	source, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	one := newFeed(string(source))
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

// channel is how many metrics a channel of Telegraf's agent holds.
const channel = 100

// feed is a processor, and the accumulator that its metrics come to.
type feed struct {
	telegraf.Accumulator // nothing but AddMetric is called
	processor            *starlark.Starlark
	serializer           json.Serializer
	names                []string
	in, out              chan telegraf.Metric
}

func newFeed(source string) *feed {
	f := &feed{in: make(chan telegraf.Metric, channel), out: make(chan telegraf.Metric, channel), processor: &starlark.Starlark{Common: common.Common{Source: source, StarlarkLoadFunc: common.LoadFunc, Log: quiet{}}}}
	if err := f.processor.Init(); err != nil {
		log.Fatal(err)
	}
	if err := f.processor.Start(f); err != nil {
		log.Fatal(err)
	}
	if err := f.serializer.Init(); err != nil {
		log.Fatal(err)
	}
	for i := range variables {
		f.names = append(f.names, fmt.Sprint("Test", i))
	}
	go func() {
		for m := range f.in {
			if err := f.processor.Add(m, f); err != nil {
				log.Fatal(err)
			}
		}
	}()
	return f
}

// AddMetric takes what the processor makes.
func (f *feed) AddMetric(m telegraf.Metric) { f.out <- m }

// at is the time of the seed's example.
var at = time.UnixMicro(1589538347560471)

// evaluate makes a metric of the ten variables, and returns the message.
func (f *feed) evaluate() []byte {
	fields := make(map[string]any, variables)
	for i, name := range f.names {
		fields[name] = 20.5 + float64(i)
	}
	f.in <- metric.New("default", map[string]string{"device": "S7-1200"}, fields, at)
	m := <-f.out
	if payload, ok := m.GetField("payload"); ok {
		return []byte(payload.(string))
	}
	payload, err := f.serializer.Serialize(m)
	if err != nil {
		log.Fatal(err)
	}
	return payload
}

// perRule is the heap of one of n processors that have each evaluated a metric.
func perRule(source string, n int) int {
	newFeed(source).evaluate() // what all share
	before := heap()
	feeds := make([]*feed, n)
	for i := range feeds {
		feeds[i] = newFeed(source)
		feeds[i].evaluate()
	}
	after := heap()
	runtime.KeepAlive(feeds)
	return (after - before) / n
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// quiet is a log that drops all lines, and ends the program with an error.
type quiet struct{}

func (quiet) Level() telegraf.LogLevel  { return telegraf.Error }
func (quiet) AddAttribute(string, any)  {}
func (quiet) Errorf(f string, a ...any) { log.Fatalf(f, a...) }
func (quiet) Error(a ...any)            { log.Fatal(a...) }
func (quiet) Warnf(string, ...any)      {}
func (quiet) Warn(...any)               {}
func (quiet) Infof(string, ...any)      {}
func (quiet) Info(...any)               {}
func (quiet) Debugf(string, ...any)     {}
func (quiet) Debug(...any)              {}
func (quiet) Tracef(string, ...any)     {}
func (quiet) Trace(...any)              {}
