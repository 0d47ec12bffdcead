package rule_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pithings/gateway/collect"
	"pithings/gateway/rule"
)

// ten is a round of ten variables.
func ten(r *rig) collect.Round {
	round := r.round()
	for i := range 10 {
		v := variable(fmt.Sprintf("Test%d", i+1))
		s := collect.Sample{Variable: &v, Value: 20.5 + float64(i), Good: true, At: at}
		if i < len(round.Samples) {
			round.Samples[i] = s
		} else {
			round.Samples = append(round.Samples, s)
		}
	}
	return round
}

// BenchmarkUpload is a round of ten variables through the script of the AWS manual, from the
// values to the message.
func BenchmarkUpload(b *testing.B) {
	r := newRig(b, publish(strings.ReplaceAll(strings.Replace(upload, "logging.info(result)", "pass", 1), "END", "return result")))
	batch := rule.Batch{Rounds: []collect.Round{ten(r)}}
	b.ReportAllocs()
	for b.Loop() {
		r.Handle(b.Context(), batch)
		if len(r.link.Published("#")) != 1 {
			b.Fatal(r.log.String())
		}
		r.link.Forget()
	}
}

// A rule takes little memory: its script, its modules and its variables.
func TestMemoryOfARule(t *testing.T) {
	const rules = 100
	s := publish(strings.ReplaceAll(upload, "END", "return result"))
	for i := range rules {
		p := s.Publish[0]
		p.Name = fmt.Sprint("rule", i)
		s.Publish = append(s.Publish, p)
	}
	before := heap()
	r := newRig(t, s)
	r.Handle(t.Context(), rule.Batch{Rounds: []collect.Round{ten(r)}})
	r.link.Forget()
	each := (heap() - before) / rules
	if t.Logf("%d bytes a rule", each); each > 60<<10 {
		t.Errorf("%d bytes a rule, want at most 60 KiB", each)
	}
	runtime.KeepAlive(r)
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
