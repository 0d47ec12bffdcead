package outbox

import (
	"sync"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
)

// BenchmarkAlways compares one message a sync.
func BenchmarkAlways(b *testing.B) { compare(b, 1, 40) }

// BenchmarkBatch compares a hundred messages a sync.
func BenchmarkBatch(b *testing.B) { compare(b, 100, 10) }

func compare(b *testing.B, n, rounds int) {
	limit, end, err := Limit(b.TempDir(), n)
	if err != nil {
		b.Fatal(err)
	}
	defer end()
	box, end2, err := Outbox(b.TempDir(), n)
	if err != nil {
		b.Fatal(err)
	}
	defer end2()
	device := DeviceOf(b.TempDir())
	time.Sleep(time.Second) // what the making has left for the kernel to write
	for b.Loop() {
		rs, err := Alternate(device, rounds, 50, limit, box)
		if err != nil {
			b.Fatal(err)
		}
		report(b, rs[1].Over(rs[0]), "p50/limit")
		b.ReportMetric(float64(rs[0].P50)/1e3, "limit-µs")
		b.ReportMetric(rs[1].Written, "devB/msg")
		b.ReportMetric(rs[0].Written, "limit-devB/msg")
		b.ReportMetric(rs[1].Written/Payload, "devB/payload")
	}
	allocs := testing.AllocsPerRun(100, func() {
		if err := box.Do(); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(allocs, "allocs/append")
	b.ReportMetric(0, "ns/op") // says nothing here
}

func report(b *testing.B, r Ratio, unit string) {
	b.ReportMetric(r.P50, unit)
	b.ReportMetric(r.Low, "low-"+unit)
	b.ReportMetric(r.High, "high-"+unit)
}

// BenchmarkProducers compares eight producers with one, in alternating blocks.
func BenchmarkProducers(b *testing.B) {
	d, err := outbox.Open(b.TempDir(), outbox.DiskOptions{Sync: outbox.SyncAlways})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	r := outbox.Record{Topic: "bench/topic", Payload: make([]byte, Payload), QoS: 1}
	run := func(producers, each int) time.Duration {
		began := time.Now()
		var wg sync.WaitGroup
		for range producers {
			wg.Go(func() {
				for range each {
					if _, err := d.Append(r); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		return time.Since(began)
	}
	run(8, 4000) // into prepared segments
	for b.Loop() {
		one, eight := Result{}, Result{}
		for range 40 {
			one.Blocks = append(one.Blocks, 8*run(1, 50))
			eight.Blocks = append(eight.Blocks, run(8, 50))
		}
		one.P50, eight.P50 = median(one.Blocks), median(eight.Blocks)
		report(b, one.Over(eight), "times-one")
	}
	b.ReportMetric(0, "ns/op")
}
