package outbox

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// open returns an empty box of each implementation; the tests below are the
// contract of them all.
var open = map[string]func(t *testing.T, l Limits) Box{
	"memory": func(_ *testing.T, l Limits) Box { return NewMemory(l) },
	"disk": func(t *testing.T, l Limits) Box {
		return openDisk(t, t.TempDir(), DiskOptions{Limits: l})
	},
	"disk, always": func(t *testing.T, l Limits) Box {
		return openDisk(t, t.TempDir(), DiskOptions{Limits: l, Sync: SyncAlways})
	},
}

func each(t *testing.T, l Limits, f func(t *testing.T, b Box)) {
	for name, o := range open {
		t.Run(name, func(t *testing.T) { f(t, o(t, l)) })
	}
}

func put(t testing.TB, b Box, payload string) uint64 {
	t.Helper()
	seq, err := b.Append(Record{Topic: "t", Payload: []byte(payload), QoS: 1})
	if err != nil {
		t.Fatalf("append %s: %v", payload, err)
	}
	return seq
}

// contents reads the box from the front.
func contents(t *testing.T, b Box) string {
	t.Helper()
	var s string
	for pos := uint64(0); ; {
		r, ok, err := b.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return s
		}
		s += string(r.Payload)
		pos = r.Seq + 1
	}
}

func TestOrderAndAck(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		for i := range 10 {
			if seq := put(t, b, fmt.Sprint(i)); seq != uint64(i+1) {
				t.Errorf("sequence %d, want %d", seq, i+1)
			}
		}
		if got := contents(t, b); got != "0123456789" {
			t.Errorf("contents %s", got)
		}
		for _, ack := range []uint64{3, 3, 1} { // again and backwards changes nothing
			if err := b.Ack(ack); err != nil {
				t.Fatal(err)
			}
		}
		if got := contents(t, b); got != "3456789" || b.Len() != 7 {
			t.Errorf("contents %s, length %d", got, b.Len())
		}
		if r, ok, _ := b.Next(6); !ok || string(r.Payload) != "5" {
			t.Errorf("record at 6: %s", r.Payload)
		}
		if err := b.Ack(1000); err != nil || b.Len() != 0 || b.Stats().Bytes != 0 {
			t.Errorf("after acknowledging everything: %v, %+v", err, b.Stats())
		}
		if seq := put(t, b, "x"); seq != 11 {
			t.Errorf("sequence numbers start again at %d", seq)
		}
	})
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limits  Limits
		puts    []string
		want    string
		refused int
		dropped uint64
	}{
		{"unlimited", Limits{}, []string{"a", "b", "c"}, "abc", 0, 0},
		{"newest by count", Limits{Messages: 2}, []string{"a", "b", "c", "d"}, "ab", 2, 2},
		{"oldest by count", Limits{Messages: 2, Drop: DropOldest}, []string{"a", "b", "c", "d"}, "cd", 0, 2},
		{"newest by bytes", Limits{Bytes: 6}, []string{"aa", "bb", "c"}, "aabb", 1, 1},
		{"oldest by bytes", Limits{Bytes: 6, Drop: DropOldest}, []string{"aa", "bb", "cccc"}, "cccc", 0, 2},
		{"larger than the box", Limits{Bytes: 6, Drop: DropOldest}, []string{"aa", "bb", "cccccc"}, "aabb", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, tt.limits, func(t *testing.T, b Box) {
				refused := 0
				for _, p := range tt.puts {
					if _, err := b.Append(Record{Topic: "t", Payload: []byte(p)}); errors.Is(err, ErrFull) {
						refused++
					} else if err != nil {
						t.Fatal(err)
					}
				}
				if got := contents(t, b); got != tt.want || refused != tt.refused || b.Stats().Dropped != tt.dropped {
					t.Errorf("contents %s, refused %d, dropped %d; want %s, %d, %d", got, refused, b.Stats().Dropped, tt.want, tt.refused, tt.dropped)
				}
			})
		})
	}
}

// Readings and alarms can have limits of their own: then alarms stay while older
// and newer readings give way.
func TestClasses(t *testing.T) {
	l := Limits{Messages: 3, Drop: DropOldest, Alarms: &Limits{Messages: 2}}
	each(t, l, func(t *testing.T, b Box) {
		for _, p := range []string{"a", "B", "c", "d", "E", "f", "G", "h"} {
			r := Record{Topic: "t", Payload: []byte(p)}
			if p < "a" {
				r.Class = Alarm
			}
			if _, err := b.Append(r); p == "G" != errors.Is(err, ErrFull) {
				t.Errorf("append %s: %v", p, err)
			}
		}
		if got := contents(t, b); got != "BdEfh" {
			t.Errorf("contents %s", got)
		}
		if s := b.Stats(); s.Messages != 5 || s.Alarms != 2 || s.Bytes != 10 || s.Dropped != 3 {
			t.Errorf("%+v", s)
		}
		if err := b.Ack(4); err != nil { // B, dropped c, d
			t.Fatal(err)
		}
		if got := contents(t, b); got != "Efh" || b.Len() != 3 {
			t.Errorf("contents %s, length %d", got, b.Len())
		}
	})
}

// Every field comes back.
func TestFields(t *testing.T) {
	want := Record{
		Topic: "a/b", Payload: []byte(`{"time":null}`), QoS: 2, Retain: true, Class: Alarm,
		Time: time.UnixMilli(1786000000123), Expiry: 90 * time.Second,
		Stamp: Stamp{Boot: [16]byte{1, 2, 3}, Mono: 17 * time.Second},
		Field: TimeField{Offset: 8, Length: 4, Format: 2},
	}
	each(t, Limits{}, func(t *testing.T, b Box) {
		seq, err := b.Append(want)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := b.Next(0)
		w := want
		w.Seq = seq
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Errorf("%v, got\n%+v, want\n%+v", err, got, w)
		}
		if o := b.Stats().Oldest; !o.Equal(w.Time) {
			t.Errorf("oldest of %v", o)
		}
	})
}

func TestTooLarge(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		if _, err := b.Append(Record{Topic: strings.Repeat("t", 65536)}); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
	})
}

// Messages that are too old are dropped, with the clock that a test moves.
func TestAge(t *testing.T) {
	for name := range open {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := Limits{Age: time.Hour}
				var b Box = NewMemory(l)
				if name != "memory" {
					b = openDisk(t, dir, DiskOptions{Limits: l})
				}
				put(t, b, "a")
				time.Sleep(40 * time.Minute)
				put(t, b, "b")
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				if got := contents(t, b); got != "b" || b.Len() != 1 || b.Stats().Dropped != 1 {
					t.Errorf("contents %s, %+v", got, b.Stats())
				}
			})
		})
	}
}

func TestAppendCopies(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		p := []byte("before")
		if _, err := b.Append(Record{Topic: "t", Payload: p}); err != nil {
			t.Fatal(err)
		}
		copy(p, "behind")
		if got := contents(t, b); got != "before" {
			t.Errorf("the caller's later change reached the box: %s", got)
		}
	})
}

func TestClosed(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		put(t, b, "a")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		calls := map[string]error{
			"Ack": b.Ack(1), "AckOne": b.AckOne(1), "AckLater": b.AckLater(1), "AckOneLater": b.AckOneLater(1), "Sync": b.Sync(),
		}
		_, calls["Append"] = b.Append(Record{Topic: "t"})
		_, calls["AppendAll"] = b.AppendAll([]Record{{Topic: "t"}})
		_, calls["Stage"] = b.Stage(Record{Topic: "t"})
		_, _, calls["Next"] = b.Next(0)
		for name, err := range calls {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		b.Save()
		b.SetHanded(1)
		if err := b.Close(); err != nil {
			t.Errorf("Close after Close: %v", err)
		}
	})
}

// What Safety says is what DiskOptions.Sync asks for.
func TestSafety(t *testing.T) {
	want := map[string]Safety{"memory": InMemory, "disk": InKernel, "disk, always": OnDisk}
	for name, o := range open {
		if got := o(t, Limits{}).Safety(); got != want[name] {
			t.Errorf("%s: %d, want %d", name, got, want[name])
		}
	}
}

// Stage gives the place, Settle makes it safe, and one that came later settles all
// before it.
func TestStage(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		for i := range 3 {
			seq, err := b.Stage(Record{Topic: "t", Payload: fmt.Append(nil, i), QoS: 1})
			if err != nil || seq != uint64(i+1) || b.NextSeq() != seq+1 {
				t.Fatalf("stage: %d, %v; next %d", seq, err, b.NextSeq())
			}
		}
		if b.Len() != 3 {
			t.Errorf("length %d", b.Len())
		}
		for _, seq := range []uint64{3, 1, 3} {
			if err := b.Settle(seq); err != nil {
				t.Fatal(err)
			}
		}
		if got := contents(t, b); got != "012" {
			t.Errorf("contents %s", got)
		}
		if err := errors.Join(b.Safe(t.Context(), 3), b.Sync()); err != nil {
			t.Error(err)
		}
	})
}

// AppendAll takes what fits, and says why it has not taken the rest.
func TestAppendAll(t *testing.T) {
	each(t, Limits{Messages: 5}, func(t *testing.T, b Box) {
		put(t, b, "0")
		rs := make([]Record, 6)
		for i := range rs {
			rs[i] = Record{Topic: "t", Payload: fmt.Append(nil, i+1)}
		}
		a, err := b.AppendAll(rs)
		if a != (Appended{2, 5, 4}) || !errors.Is(err, ErrFull) {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err := b.AppendAll(nil); a != (Appended{}) || err != nil {
			t.Errorf("nothing: %+v, %v", a, err)
		}
		if got := contents(t, b); got != "01234" {
			t.Errorf("contents %s", got)
		}
	})
}

// An acknowledgement counts at once, whether it is saved or not.
func TestAckLater(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		for i := range 5 {
			put(t, b, fmt.Sprint(i))
		}
		if err := errors.Join(b.AckLater(1), b.AckOneLater(4)); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, b); got != "124" || b.Len() != 3 {
			t.Errorf("contents %s, length %d", got, b.Len())
		}
		b.Save()
		if !b.Saved() {
			t.Error("not saved")
		}
	})
}

// What was handed over never goes back, and is never more than there is.
func TestHandedUpTo(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		put(t, b, "a")
		put(t, b, "b")
		for _, tt := range []struct{ set, want uint64 }{{1, 1}, {100, 2}, {1, 2}} {
			if b.SetHanded(tt.set); b.Handed() != tt.want {
				t.Errorf("handed %d, want %d", b.Handed(), tt.want)
			}
		}
	})
}

// The queue is compacted as it moves: a model that is not must agree with it.
func FuzzMemory(f *testing.F) {
	f.Add([]byte{1, 1, 1, 0, 2, 1, 0x80, 0x83})
	f.Add([]byte{0x3f, 0x3f, 0x45, 0x45, 0x45, 0x50, 0x81, 0x45})
	f.Fuzz(func(t *testing.T, ops []byte) {
		b := NewMemory(Limits{Messages: 100, Drop: DropOldest})
		var model []uint64
		next := uint64(1)
		for _, op := range ops {
			switch n := int(op & 0x7f); {
			case op < 0x40:
				for range op {
					b.Append(Record{Topic: "t"})
					model = append(model, next)
					next++
				}
				model = model[max(0, len(model)-100):]
			case op < 0x80: // a row of them, from one on
				for i := int(op&0x3f) % max(len(model), 1); len(model) > i && n > 0x40; n-- {
					b.AckOne(model[i])
					model = slices.Delete(model, i, i+1)
				}
			case n > 0 && len(model) > 0:
				n = min(n, len(model))
				b.Ack(model[n-1])
				model = model[n:]
			}
			if b.Len() != len(model) {
				t.Fatalf("length %d, want %d", b.Len(), len(model))
			}
			for i, seq := range model {
				if r, ok, _ := b.Next(seq); !ok || r.Seq != seq {
					t.Fatalf("record %d of %d is %d, want %d", i, len(model), r.Seq, seq)
				}
			}
		}
	})
}

func BenchmarkMemory(b *testing.B) {
	box := NewMemory(Limits{})
	payload := make([]byte, 256)
	b.ReportAllocs()
	b.SetBytes(256)
	for b.Loop() {
		seq, _ := box.Append(Record{Topic: "bench/topic", Payload: payload})
		box.Next(seq)
		box.Ack(seq)
	}
}
