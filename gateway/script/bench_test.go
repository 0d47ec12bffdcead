package script

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
)

// collected is what a group of variables hands to a script.
func collected(variables int) *Dict {
	vars := NewDict()
	for i := range variables {
		v := NewDict()
		v.SetStr("raw_data", Float(20.5+float64(i)))
		v.SetStr("status", Int(1))
		vars.SetStr(fmt.Sprintf("Test%d", i), v)
	}
	values := NewDict()
	values.SetStr("S7-1200", vars)
	d := NewDict()
	d.SetStr("timestamp", Float(1589538347.560471))
	d.SetStr("group_name", Str("default"))
	d.SetStr("values", values)
	return d
}

func seedProgram(b testing.TB) *Program {
	source, err := os.ReadFile("testdata/scripts/vars_upload_test.py")
	if err != nil {
		b.Fatal(err)
	}
	p, err := Compile("vars_upload_test", string(source))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkSeed is the seed's script with ten variables, from the values of the group to
// the JSON that is published.
func BenchmarkSeed(b *testing.B) {
	ctx := context.Background()
	s, err := New(ctx, seedProgram(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		v, err := s.Call(ctx, "vars_upload_test", collected(10), None)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.JSON(ctx, v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoop is plain computation: 10,000 rounds of a loop.
func BenchmarkLoop(b *testing.B) {
	ctx := context.Background()
	s, err := start(b, "def f(n):\n    s = 0\n    for i in range(n):\n        if i % 3 == 0:\n            s += i * 2\n    return s\n", Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Call(ctx, "f", Int(10_000)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRule reports the heap that a rule with the seed's script keeps, program included.
func BenchmarkRule(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(ruleBytes(b, 200)), "B/rule")
	}
}

// ruleBytes is the heap of one of n rules that have each been called.
func ruleBytes(t testing.TB, n int) int {
	ctx := context.Background()
	rules := make([]*Script, n)
	make1 := func() *Script {
		s, err := New(ctx, seedProgram(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Call(ctx, "vars_upload_test", collected(10), None); err != nil {
			t.Fatal(err)
		}
		return s
	}
	make1() // what all rules share
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range rules {
		rules[i] = make1()
	}
	after := heap()
	runtime.KeepAlive(rules)
	return int(after-before) / n
}

func TestARuleTakesLittleMemory(t *testing.T) {
	if n := ruleBytes(t, 100); n > 60<<10 || n < 1000 {
		t.Errorf("a rule takes %d bytes of heap, at most 60 kB are wanted", n)
	}
}
