package pace

import (
	"testing"
	"time"
)

// At no time do more messages or bytes than the limit pass within a second, and nearly as
// many as it allows do.
func TestRatesKeepEverySecond(t *testing.T) {
	for _, tt := range []struct {
		name            string
		messages, bytes int
		each            int // bytes of a message
		most            int // messages in any second
	}{
		{"messages", 100, 0, 10, 100},
		{"bytes", 0, 10_000, 100, 100},
		{"both", 50, 10_000, 100, 50},
		{"one a second", 1, 0, 10, 2}, // one at once, and one a second later
		{"no limit", 0, 0, 10, 1 << 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRates(tt.messages, tt.bytes)
			now := time.Unix(0, 0)
			var sent []time.Time
			for len(sent) < 1000 {
				if wait := r.TakeBytes(tt.each, now); wait > 0 {
					now = now.Add(wait)
					continue
				}
				for wait := r.TakeMessage(now); wait > 0; wait = r.TakeMessage(now) {
					now = now.Add(wait)
				}
				sent = append(sent, now)
			}
			begin := 0
			for i, at := range sent {
				for at.Sub(sent[begin]) >= time.Second {
					begin++
				}
				if n := i - begin + 1; n > tt.most {
					t.Fatalf("%d messages within a second, at most %d are allowed", n, tt.most)
				}
			}
			if tt.most < 1<<30 && tt.most > 10 {
				if took, ideal := now.Sub(sent[0]), time.Duration(1000/float64(tt.most)*float64(time.Second)); took > ideal*13/10 {
					t.Errorf("1000 messages took %s, at best %s", took, ideal)
				}
			}
		})
	}
}

func TestTakeAtOnce(t *testing.T) {
	now := time.Unix(0, 0)
	r := NewRates(20, 1000) // 2 messages and 100 bytes at once
	for i, want := range []bool{true, true, false} {
		if got := r.Take(50, now); got != want {
			t.Errorf("message %d: %v", i, got)
		}
	}
	r = NewRates(20, 1000)
	if !r.Take(5000, now) || r.Take(1, now.Add(time.Second)) { // more than the whole bucket: it owes the rest
		t.Error("what is larger than the bucket")
	}
	r = NewRates(10, 1000) // 1 message at once
	if !r.Take(1, now) || r.Take(99, now) {
		t.Error("the second message")
	}
	if wait := r.TakeBytes(99, now); wait != 0 {
		t.Errorf("a message that was not taken has taken bytes: %s", wait)
	}
}

func TestDrain(t *testing.T) {
	now := time.Unix(0, 0)
	d := NewDrain(10)
	for i, want := range []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if got := d.Take(now); got != want { // none is waited for
			t.Errorf("message %d waits %s, want %s", i, got, want)
		}
	}
	if due := d.Due(now.Add(time.Second)); due > 0 {
		t.Errorf("a second later: %s", due)
	}
	if !d.Spacing() {
		t.Error("not spacing")
	}
	if d.Rest(); d.Spacing() || d.Take(now) != 0 {
		t.Error("still spacing after the backlog")
	}
	if free := NewDrain(0); free.Spacing() || free.Take(now)+free.Take(now) != 0 {
		t.Error("spacing without a rate")
	}
}

func TestWindow(t *testing.T) {
	w := NewWindow(2)
	if first, second, third := w.Take(), w.Take(), w.Take(); !first || !second || third || w.Taken() != 2 {
		t.Error("two places")
	}
	if w.GiveBack(2); w.Taken() != 0 {
		t.Error("places given back")
	}
}

func TestPatience(t *testing.T) {
	var p Patience
	for i, tt := range []struct {
		acks     int
		timedOut bool
		want     time.Duration // of 1 s
	}{
		{0, false, 1}, {0, true, 2}, {0, true, 4}, {0, false, 4}, {0, true, 8}, {0, true, 16}, {0, true, 16}, {3, true, 1}, {0, true, 2}, {1, false, 1},
	} {
		p.Ended(tt.acks, tt.timedOut)
		if got := p.Timeout(1); got != tt.want {
			t.Errorf("session %d: %d, want %d", i, got, tt.want)
		}
	}
}
