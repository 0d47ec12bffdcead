// Package peers compares the outbox with engines that pithings does not use:
//
//	cd test/bench/outbox/peers && go test -bench .
package peers

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	bench "pithings/test/bench/outbox"
)

// BenchmarkPebble compares one message a sync with pebble and with the least that
// the disk allows.
func BenchmarkPebble(b *testing.B) {
	limit, end, err := bench.Limit(b.TempDir(), 1)
	if err != nil {
		b.Fatal(err)
	}
	defer end()
	box, end2, err := bench.Outbox(b.TempDir(), 1)
	if err != nil {
		b.Fatal(err)
	}
	defer end2()
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	payload := make([]byte, bench.Payload)
	var key [8]byte
	n := uint64(0)
	peer := bench.Contender{Name: "pebble", Messages: 1, Do: func() error {
		n++
		binary.BigEndian.PutUint64(key[:], n)
		return db.Set(key[:], payload, pebble.Sync)
	}}
	time.Sleep(time.Second)
	for b.Loop() {
		rs, err := bench.Alternate(bench.DeviceOf(b.TempDir()), 30, 50, limit, box, peer)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(rs[1].Over(rs[0]).P50, "p50/limit")
		r := rs[1].Over(rs[2])
		b.ReportMetric(r.P50, "p50/pebble")
		b.ReportMetric(r.Low, "low-p50/pebble")
		b.ReportMetric(r.High, "high-p50/pebble")
		b.ReportMetric(rs[1].Written, "devB/msg")
		b.ReportMetric(rs[2].Written, "pebble-devB/msg")
	}
	b.ReportMetric(0, "ns/op")
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(f)
}
