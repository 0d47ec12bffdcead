package outbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// openDisk opens a box that is closed at the end of the test.
func openDisk(t testing.TB, dir string, o DiskOptions) *Disk {
	t.Helper()
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// What is in the box is there when it is opened again, and so is what was
// delivered not.
func TestReopen(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := t.TempDir()
			next := uint64(1)
			for round := range 5 {
				d := openDisk(t, dir, DiskOptions{Sync: mode, segment: 16 << 10})
				for range 100 {
					if seq := put(t, d, strings.Repeat("x", 300)); seq != next {
						t.Fatalf("sequence %d, want %d", seq, next)
					}
					next++
				}
				if err := d.Ack(next - 11); err != nil {
					t.Fatal(err)
				}
				if d.Len() != 10 || len(payloads(t, d)) != 10 || d.Stats().Bytes != 10*301 {
					t.Fatalf("round %d: %+v", round, d.Stats())
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Several append, one reads, one acknowledges: all arrive once, and those of each
// producer in order.
func TestConcurrent(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		t.Run(mode.String(), func(t *testing.T) {
			d := openDisk(t, t.TempDir(), DiskOptions{Sync: mode, Interval: 5 * time.Millisecond, segment: 64 << 10})
			const producers, each = 8, 400
			var wg sync.WaitGroup
			kick := make(chan struct{}, 1)
			for p := range producers {
				wg.Go(func() {
					for i := range each {
						r := Record{Topic: fmt.Sprint("p/", p), Payload: fmt.Appendf(nil, "%d %s", i, strings.Repeat(".", rand.IntN(300))), QoS: 1}
						if _, err := d.Append(r); err != nil {
							t.Errorf("append: %v", err)
							return
						}
						select {
						case kick <- struct{}{}:
						default:
						}
					}
				})
			}
			acks := make(chan uint64, 20)
			wg.Go(func() {
				for seq := range acks {
					if err := d.Ack(seq); err != nil {
						t.Errorf("ack: %v", err)
					}
				}
			})
			var next [producers]int
			pos := uint64(1)
			for n := 0; n < producers*each; {
				r, ok, err := d.Next(pos)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					<-kick
					continue
				}
				var p, i int
				fmt.Sscanf(r.Topic, "p/%d", &p)
				fmt.Sscanf(string(r.Payload), "%d", &i)
				if r.Seq != pos || i != next[p] {
					t.Fatalf("message %d, want %d; number %d of producer %d, want %d", r.Seq, pos, i, p, next[p])
				}
				next[p]++
				pos++
				n++
				acks <- r.Seq
			}
			close(acks)
			wg.Wait()
			if s := d.Stats(); s.Messages != 0 || s.Bytes != 0 || s.Damaged != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// At intervals the log reaches the disk, without a request.
func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatter()
		d, err := Open("platter", DiskOptions{fs: p, Interval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(0, 3)) // a power cut that takes all that is not synced
		lost := func() int {
			d, err := Open("platter", DiskOptions{fs: p.powerCut(r), still: true})
			if err != nil {
				t.Fatal(err)
			}
			n := d.Len()
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			return n
		}
		put(t, d, "a")
		time.Sleep(time.Second)
		synctest.Wait()
		for range 20 {
			if n := lost(); n != 1 {
				t.Fatalf("after a second %d messages are on the disk", n)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The position of messages without acknowledgement outlives the process.
func TestHanded(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir, DiskOptions{})
	put(t, d, "a")
	put(t, d, "b")
	d.SetHanded(2)
	d.SetHanded(1)
	p := newPlatter()
	h, err := Open("platter", DiskOptions{fs: p, still: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, h, "a")
	p.setFail(syscall.EIO, 0)
	if _, err := h.Append(Record{Topic: "t", Payload: []byte("unsaved")}); !errors.Is(err, ErrUnsaved) {
		t.Fatal(err)
	}
	p.setFail(nil, 0)
	h.SetHanded(1000) // no more than there are
	if err := h.position.save(true); err != nil {
		t.Fatal(err)
	}
	// Killed: the number of the message that was unsaved and handed over is not used
	// again, or what has it then would pass for handed over.
	if h, err = Open("platter", DiskOptions{fs: p, still: true}); err != nil || h.Handed() != 2 || put(t, h, "new") != 3 {
		t.Errorf("handed %d, next %d, %v", h.Handed(), h.NextSeq(), err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d = openDisk(t, dir, DiskOptions{}); d.Handed() != 2 {
		t.Errorf("handed %d", d.Handed())
	}
}

// The wall clock decides nothing but ages: it may jump, and need not be known.
func TestClockJumps(t *testing.T) {
	now := time.Time{}
	dir := t.TempDir()
	o := DiskOptions{Now: func() time.Time { return now }, Limits: Limits{Age: time.Hour}, still: true}
	d := openDisk(t, dir, o)
	for _, t2 := range []time.Time{{}, time.Unix(100, 0), time.Unix(1786000000, 0), time.Unix(5, 0)} {
		now = t2
		put(t, d, fmt.Sprint(len(payloads(t, d))))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDisk(t, dir, o)
	if got := contents(t, d); got != "0123" {
		t.Errorf("contents %s", got)
	}
	now = time.Unix(1786000000, 0)
	d.position.age()
	if got := contents(t, d); got != "0123" {
		t.Errorf("a message without a time is the first: nothing ages, but %s is left", got)
	}
	if err := d.Ack(1); err != nil {
		t.Fatal(err)
	}
	d.position.age()
	if got := contents(t, d); got != "23" {
		t.Errorf("contents %s", got)
	}
}

// Segments are used again, and there are never more files than messages need.
func TestRecycling(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir, DiskOptions{segment: 64 << 10, still: true})
	names := func() (n int) {
		l, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(l)
	}
	for range 100 {
		for range 200 {
			put(t, d, strings.Repeat("x", 300))
		}
		if err := d.Ack(1 << 40); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			d.keeper.tend(time.Now())
		}
		if n := names(); n > 6 { // lock, ack, log, spares
			t.Fatalf("%d files", n)
		}
	}
	if s := d.Stats(); s.Damaged != 0 || s.DamagedFiles != 0 || s.Torn != 0 {
		t.Errorf("%+v", s)
	}
}

func TestParseSync(t *testing.T) {
	for _, s := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		if got, err := ParseSync(s.String()); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if _, err := ParseSync("sometimes"); err == nil {
		t.Error("sometimes")
	}
}
