package history

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/clock/clocktest"
)

// Ten quantities every 3 s, with files that are full, take at most 3 MB of memory: while they wait for the
// time, as many as ever wait, and while they are written. (Issue L, must hold 3.)
func TestMemoryOfTenQuantities(t *testing.T) {
	days := int64(8) // the rings of seconds and minutes have gone round; those of hours are read no more for that
	if testing.Short() || raced {
		days = 1
	}
	const most = 3_000_000
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	synctest.Test(t, func(t *testing.T) {
		m := clocktest.New()
		c := clock.New(clock.Options{Built: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), Machine: m.Machine()})
		ctx, cancel := context.WithCancel(t.Context())
		looked := make(chan struct{})
		go func() { defer close(looked); _ = c.Run(ctx) }()
		p := newPlatter()
		var keys []Key
		now := time.Now().Unix()
		for i := range 10 {
			k := Key{Thing: "hall", Quantity: fmt.Sprint("quantity", i)}
			one := &series{header: header{k, 2}, name: fileName(k), fs: p}
			one.feed(t, now-days*86400, now, 3, wave)
			if err := one.close(); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, k)
		}
		before := heap()
		b := start(t, p, c)
		measure := func(long time.Duration) {
			for range long / (3 * time.Second) {
				for _, k := range keys {
					b.Put(k, 2, time.Now(), wave(time.Now().Unix()))
				}
				time.Sleep(3 * time.Second)
			}
			synctest.Wait()
		}
		measure(2 * time.Hour)
		if s := b.State(); s.Waiting < waitingMost/2 {
			t.Errorf("only %d readings wait", s.Waiting)
		}
		waiting := heap() - before
		m.Synchronise(time.Now())
		time.Sleep(10 * time.Second)
		measure(time.Hour)
		if s := b.State(); s.Waiting != 0 || s.Quantities != 10 {
			t.Errorf("%+v", s)
		}
		writing := heap() - before
		t.Logf("%d bytes while readings wait for the time, %d while they are written", waiting, writing)
		if waiting > most || writing > most {
			t.Errorf("more than %d bytes", most)
		}
		b.end()
		cancel()
		<-looked
	})
}
