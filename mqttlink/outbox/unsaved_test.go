package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A disk that fails and heals under load loses nothing that is not acknowledged.
func TestConcurrentFailing(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval} {
		t.Run(mode.String(), func(t *testing.T) {
			p := newPlatter()
			d, err := Open("platter", DiskOptions{fs: p, Sync: mode, Interval: time.Millisecond, Retry: time.Millisecond, RetryMax: 2 * time.Millisecond, segment: 32 << 10})
			if err != nil {
				t.Fatal(err)
			}
			const producers, each = 4, 1500
			var wg sync.WaitGroup
			var unsaved atomic.Int64
			for q := range producers {
				wg.Go(func() {
					for i := range each {
						_, err := d.Append(Record{Topic: fmt.Sprint(q), Payload: fmt.Append(nil, i)})
						if errors.Is(err, ErrUnsaved) {
							unsaved.Add(1)
						} else if err != nil {
							t.Error(err)
						}
					}
				})
			}
			stop := make(chan struct{})
			go func() {
				wg.Wait()
				close(stop)
			}()
			for bad := false; ; bad = !bad {
				select {
				case <-stop:
				case <-time.After(3 * time.Millisecond):
					if p.setFail(nil, 0); bad {
						p.setFail(syscall.EIO, rand.IntN(5))
					}
					continue
				}
				break
			}
			p.setFail(nil, 0)
			if err := d.Safe(t.Context(), producers*each); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if d, err = Open("platter", DiskOptions{fs: p}); err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var next [producers]int
			n := 0
			for pos := uint64(0); ; n++ {
				r, ok, err := d.Next(pos)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				var q, i int
				fmt.Sscan(r.Topic, &q)
				fmt.Sscan(string(r.Payload), &i)
				if i != next[q] {
					t.Fatalf("number %d of producer %d, want %d", i, q, next[q])
				}
				next[q]++
				pos = r.Seq + 1
			}
			if n != producers*each {
				t.Errorf("%d messages, want %d", n, producers*each)
			}
			t.Logf("%d of %d were unsaved", unsaved.Load(), n)
		})
	}
}

// The same with two that deliver, the latest first and the oldest first, while what is
// unsaved is being written: nothing is lost, nothing counted twice.
func TestConcurrentFailingAcks(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval} {
		t.Run(mode.String(), func(t *testing.T) {
			p := newPlatter()
			o := DiskOptions{fs: p, Sync: mode, Interval: time.Millisecond, Retry: time.Millisecond, RetryMax: 2 * time.Millisecond, segment: 32 << 10}
			d, err := Open("platter", o)
			if err != nil {
				t.Fatal(err)
			}
			const producers, left = 3, 100
			each := 10000
			if testing.Short() {
				each = 2000
			}
			var producing, wg sync.WaitGroup
			var unsaved atomic.Int64
			for range producers {
				producing.Go(func() {
					for i := 0; i < each || unsaved.Load() == 0; i++ {
						_, err := d.Append(Record{Topic: "t", Payload: fmt.Append(nil, i), Class: Class(i % 2)})
						if errors.Is(err, ErrUnsaved) {
							unsaved.Add(1)
						} else if err != nil {
							t.Error(err)
						}
					}
				})
			}
			var mu sync.Mutex
			gone := map[uint64]bool{}
			stop := make(chan struct{})
			deliver := func(next func() uint64, ack func(uint64) error) {
				for {
					select {
					case <-stop:
						return
					default:
					}
					r, ok, err := d.Next(next())
					if err != nil {
						t.Error(err)
						return
					}
					if !ok || d.Len() < left {
						runtime.Gosched()
						continue
					}
					mu.Lock()
					gone[r.Seq] = true
					mu.Unlock()
					if err := ack(r.Seq); err != nil {
						t.Error(err)
						return
					}
				}
			}
			wg.Go(func() { deliver(func() uint64 { return 0 }, d.AckOne) })
			wg.Go(func() { deliver(func() uint64 { return max(d.NextSeq(), 10) - 10 }, d.AckOne) })
			wg.Go(func() { // the disk
				for bad := false; ; bad = !bad {
					select {
					case <-stop:
						p.setFail(nil, 0)
						return
					case <-time.After(2 * time.Millisecond):
						if p.setFail(nil, 0); bad {
							p.setFail(syscall.EIO, rand.IntN(5))
						}
					}
				}
			})
			producing.Wait()
			close(stop)
			wg.Wait()
			last := d.NextSeq() - 1
			if err := d.Safe(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			check := func(when string) {
				t.Helper()
				found := map[uint64]bool{}
				for pos := uint64(0); ; {
					r, ok, err := d.Next(pos)
					if err != nil {
						t.Fatal(err)
					}
					if !ok {
						break
					}
					found[r.Seq], pos = true, r.Seq+1
				}
				for seq := uint64(1); seq <= last; seq++ {
					if found[seq] == gone[seq] {
						t.Fatalf("%s: message %d: found %v, acknowledged %v", when, seq, found[seq], gone[seq])
					}
				}
				if s := d.Stats(); s.Messages != len(found) || s.Damaged > 0 {
					t.Errorf("%s: %d messages found: %+v", when, len(found), s)
				}
			}
			check("healed")
			t.Logf("%d of %d were unsaved", unsaved.Load(), last)
			// Not more gaps than can be written down, whatever they count.
			for len(d.position.sacks.list) > maxSaved/2 {
				r, ok, err := d.Next(0)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				gone[r.Seq] = true
				if err := d.AckOne(r.Seq); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if d, err = Open("platter", o); err != nil {
				t.Fatal(err)
			}
			check("opened again")
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A read-only, full or failing disk: Append says so, the message is there all the
// same, it is reported once, and it becomes safe by itself.
func TestUnsaved(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
		t.Run(cause.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				p := newPlatter()
				d, err := Open("platter", DiskOptions{fs: p, Sync: SyncAlways, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				put(t, d, "a")
				p.setFail(cause, 0)
				for _, m := range []string{"b", "c"} {
					if seq, err := d.Append(Record{Topic: "t", Payload: []byte(m)}); !errors.Is(err, ErrUnsaved) || !errors.Is(err, cause) || seq == 0 {
						t.Fatalf("append %s: %d, %v", m, seq, err)
					}
				}
				if s := d.Stats(); s.Unsaved != 2 || s.UnsavedBytes != 4 || !errors.Is(s.Err, cause) || s.Messages != 3 {
					t.Errorf("%+v", s)
				}
				if got := contents(t, d); got != "abc" {
					t.Errorf("contents %s", got)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				if err := d.Safe(ctx, 3); !errors.Is(err, ErrUnsaved) {
					t.Errorf("safe: %v", err)
				}
				cancel()
				p.setFail(nil, 0)
				began := time.Now()
				if err := d.Safe(t.Context(), 3); err != nil || time.Since(began) > 30*time.Second {
					t.Errorf("%v after %s", err, time.Since(began))
				}
				if s := d.Stats(); s.Unsaved != 0 || s.Err != nil {
					t.Errorf("%+v", s)
				}
				put(t, d, "d")
				if n := strings.Count(log.String(), "\n"); n != 2 {
					t.Errorf("log:\n%s", log.String())
				}
				// No Close: the process is killed.
				q := p.powerCut(rand.New(rand.NewPCG(1, 1)))
				d2, err := Open("platter", DiskOptions{fs: q})
				if err != nil {
					t.Fatal(err)
				}
				if got := contents(t, d2); got != "abcd" {
					t.Errorf("contents %s", got)
				}
				if err := errors.Join(d.Close(), d2.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What is unsaved is bounded; what has been delivered is not written any more.
func TestUnsavedLimit(t *testing.T) {
	p := newPlatter()
	d, err := Open("platter", DiskOptions{fs: p, MaxUnsaved: 10, still: true, Retry: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.setFail(syscall.ENOSPC, 0)
	for i, want := range []error{ErrUnsaved, ErrUnsaved, ErrFull} {
		if _, err := d.Append(Record{Topic: "t", Payload: []byte("1234")}); !errors.Is(err, want) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	if err := d.Ack(1); err != nil {
		t.Fatal(err)
	}
	if err := d.Safe(t.Context(), 1); err != nil {
		t.Errorf("delivered: %v", err)
	}
	if err := d.Close(); !errors.Is(err, ErrUnsaved) || !strings.Contains(err.Error(), "1 messages were never written") {
		t.Errorf("close: %v", err)
	}
}

// A disk that fails for long, while some messages stay and those behind them come and
// go, does not fill the memory, and the log has no hole afterwards.
func TestUnsavedPlaces(t *testing.T) {
	for _, drop := range []bool{true, false} {
		t.Run(fmt.Sprintf("dropped %v", drop), func(t *testing.T) {
			p := newPlatter()
			o := DiskOptions{fs: p, still: true, Retry: time.Nanosecond, RetryMax: time.Nanosecond, segment: 64 << 10, MaxUnsaved: 10000}
			if drop {
				o.Limits = Limits{Messages: 5, Drop: DropOldest, Alarms: &Limits{}}
			}
			d, err := Open("platter", o)
			if err != nil {
				t.Fatal(err)
			}
			put(t, d, "first ")
			p.setFail(syscall.EROFS, 0)
			const n = 20000
			want := "first "
			for i := range n {
				r := Record{Topic: "t", Payload: fmt.Append(nil, i, " ")}
				if i%2500 == 0 {
					r.Class = Alarm
				}
				seq, err := d.Append(r)
				if !errors.Is(err, ErrUnsaved) {
					t.Fatal(err)
				}
				if !drop && r.Class == Reading && i < n-5 {
					if err := d.AckOne(seq); err != nil {
						t.Fatal(err)
					}
				}
				if r.Class == Alarm || i >= n-5 {
					want += string(r.Payload)
				}
			}
			if drop { // it counts among the readings
				want = strings.TrimPrefix(want, "first ")
			}
			if len(d.unsaved.list) > 300 {
				t.Errorf("%d places for %d messages", len(d.unsaved.list), d.Stats().Unsaved)
			}
			look := func(when string) {
				t.Helper()
				got := contents(t, d)
				if s := d.Stats(); got != want || s.Messages != len(strings.Fields(want)) || s.Damaged > 0 {
					t.Errorf("%s: contents %s, want %s; %+v", when, got, want, s)
				}
			}
			look("unsaved")
			p.setFail(nil, 0)
			for range 3 {
				d.keeper.tend(time.Now().Add(time.Hour))
			}
			if s := d.Stats(); s.Unsaved > 0 || s.Err != nil {
				t.Fatalf("%+v", s)
			}
			look("healed")
			put(t, d, "new ")
			if want += "new "; drop {
				want = strings.Replace(want, "19995 ", "", 1)
			}
			for range 2 {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if d, err = Open("platter", o); err != nil {
					t.Fatal(err)
				}
				look("opened again")
			}
			if err := d.Ack(n + 2); err != nil || d.Len() != 0 {
				t.Errorf("%v, length %d", err, d.Len())
			}
		})
	}
}
