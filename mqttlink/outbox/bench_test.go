package outbox

import (
	"runtime"
	"testing"
	"time"
)

var benchRecord = Record{Topic: "bench/topic", Payload: make([]byte, 256), QoS: 1}

// prepared waits until a segment has been prepared, and begins it.
func prepared(b testing.TB, d *Disk) {
	b.Helper()
	for range 2 {
		for {
			d.unsaved.mu.Lock()
			d.log.mu.Lock()
			n, whole := len(d.log.spares), d.unsaved.enc != nil && d.unsaved.enc.size == d.o.segment
			d.log.mu.Unlock()
			d.unsaved.mu.Unlock()
			if whole {
				return
			}
			if _, err := d.Append(benchRecord); err != nil {
				b.Fatal(err)
			}
			if n > 0 {
				d.unsaved.mu.Lock()
				d.unsaved.busy = true
				d.committer.commit(false)
				if err := d.committer.roll(1000); err != nil {
					b.Fatal(err)
				}
				d.unsaved.release()
				d.unsaved.mu.Unlock()
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func benchmarkAppend(b *testing.B, mode Sync) {
	d := openDisk(b, b.TempDir(), DiskOptions{Sync: mode})
	if mode != SyncNever {
		prepared(b, d)
	}
	b.SetBytes(256)
	b.ReportAllocs()
	for b.Loop() {
		seq, err := d.Append(benchRecord)
		if err != nil {
			b.Fatal(err)
		}
		if seq%1000 == 0 {
			d.Ack(seq)
		}
	}
}

func BenchmarkAppendAlways(b *testing.B)   { benchmarkAppend(b, SyncAlways) }
func BenchmarkAppendInterval(b *testing.B) { benchmarkAppend(b, SyncInterval) }

// BenchmarkProducers appends with eight goroutines at a time: compare with
// BenchmarkAppendAlways.
func BenchmarkProducers(b *testing.B) {
	d := openDisk(b, b.TempDir(), DiskOptions{Sync: SyncAlways})
	prepared(b, d)
	b.SetBytes(256)
	b.ReportAllocs()
	b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := d.Append(benchRecord); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkThrough is a message's way through the box while the network is well.
func BenchmarkThrough(b *testing.B) { benchmarkThrough(b, (*Disk).Ack) }

// BenchmarkOvertaking is the same ahead of a backlog.
func BenchmarkOvertaking(b *testing.B) { benchmarkThrough(b, (*Disk).AckOne) }

func benchmarkThrough(b *testing.B, ack func(*Disk, uint64) error) {
	d := openDisk(b, b.TempDir(), DiskOptions{})
	prepared(b, d)
	if err := d.Ack(1 << 40); err != nil {
		b.Fatal(err)
	}
	put(b, d, "backlog")
	b.ReportAllocs()
	b.SetBytes(256)
	for b.Loop() {
		seq, err := d.Append(benchRecord)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok, err := d.Next(seq); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if err := ack(d, seq); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDrain(b *testing.B) {
	d := openDisk(b, b.TempDir(), DiskOptions{})
	const n = 100000
	fill := func() uint64 {
		rs := make([]Record, 100)
		for i := range rs {
			rs[i] = benchRecord
		}
		var first uint64
		for i := range n / len(rs) {
			a, err := d.AppendAll(rs)
			if err != nil {
				b.Fatal(err)
			}
			if i == 0 {
				first = a.First
			}
		}
		return first
	}
	seq, left := uint64(0), 0
	b.ReportAllocs()
	b.SetBytes(256)
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			seq, left = fill(), n
			b.StartTimer()
		}
		r, ok, err := d.Next(seq)
		if !ok || err != nil {
			b.Fatal(ok, err)
		}
		if err := d.Ack(r.Seq); err != nil {
			b.Fatal(err)
		}
		seq = r.Seq + 1
		left--
	}
}

func fill(b testing.TB, dir string, n int) {
	b.Helper()
	d, err := Open(dir, DiskOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rs := make([]Record, 100)
	for i := range rs {
		rs[i] = benchRecord
	}
	for range n / len(rs) {
		if _, err := d.AppendAll(rs); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen opens a box with 100,000 messages.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, 100000)
	b.ReportAllocs()
	for b.Loop() {
		d, err := Open(dir, DiskOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if d.Len() != 100000 {
			b.Fatal(d.Len())
		}
		d.Close()
		b.StartTimer()
	}
}

// An append allocates nothing, whatever the mode.
func TestAppendAllocatesNothing(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		t.Run(mode.String(), func(t *testing.T) {
			d := openDisk(t, t.TempDir(), DiskOptions{Sync: mode})
			if mode != SyncNever {
				prepared(t, d)
			}
			for range 200 {
				d.Append(benchRecord)
			}
			if n := testing.AllocsPerRun(200, func() { d.Append(benchRecord) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
