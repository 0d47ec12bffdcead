package history

import (
	"testing"
	"testing/synctest"
	"time"
)

// A state that is held fills each second of its time, and the mean of any part is the share of the time on.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, newPlatter(), nil)
		k := Key{Thing: "relay", Quantity: "state"}
		hold := func(minutes int, v float64) {
			for range minutes {
				from := time.Now()
				time.Sleep(time.Minute)
				b.Hold(k, 0, from, time.Now(), v)
			}
			synctest.Wait()
		}
		mean := func(long time.Duration) float64 {
			t.Helper()
			a := b.ask(k, long, 1)
			if len(a.Mean) != 1 || a.Mean[0] == nil {
				t.Fatalf("the last %v: %v %v", long, a.Times, a.Mean)
			}
			return *a.Mean[0]
		}
		hold(60, 0)
		hold(15, 1)
		if m := mean(15 * time.Minute); m != 1 {
			t.Errorf("while it is on: %v", m)
		}
		hold(45, 0)
		if m := mean(time.Hour); m != 0.25 {
			t.Errorf("on for 15 of 60 minutes: %v", m)
		}
		if a := b.ask(k, 2*time.Hour, 120); len(a.Times) != 120 || *a.Min[59] != 0 || *a.Max[59] != 0 || *a.Min[60] != 1 || *a.Max[74] != 1 || *a.Max[75] != 0 {
			t.Errorf("minute by minute: %+v", a)
		}
		now := time.Now()
		b.Hold(k, 0, now.Add(-maxHold-time.Second), now, 1) // the machine slept
		b.Hold(k, 0, now, now.Add(-time.Minute), 1)         // a clock that was set
		b.Hold(k, 0, now, now, 1)
		synctest.Wait()
		if m := mean(30 * time.Minute); m != 0 {
			t.Errorf("after times that are none: %v", m)
		}
		time.Sleep(time.Hour) // nothing is known
		hold(1, 1)
		values, gaps := count(b.ask(k, 30*time.Minute, 30))
		if values != 1 {
			t.Errorf("after an hour: %d values, %d gaps", values, gaps)
		}
		if a := b.ask(k, 2*time.Hour, 120); a.Mean[len(a.Mean)-1] == nil || a.Mean[len(a.Mean)-2] != nil {
			t.Errorf("the hour is no gap: %+v", a)
		}
		b.end()
	})
}
