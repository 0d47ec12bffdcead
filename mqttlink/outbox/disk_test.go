package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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
			var held atomic.Int64
			for q := range producers {
				wg.Go(func() {
					for i := range each {
						_, err := d.Append(Record{Topic: fmt.Sprint(q), Payload: fmt.Append(nil, i)})
						if errors.Is(err, ErrHeld) {
							held.Add(1)
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
			t.Logf("%d of %d were held", held.Load(), n)
		})
	}
}

// The same with two that deliver, the latest first and the oldest first, while what is
// held is being written: nothing is lost, nothing counted twice.
func TestConcurrentFailingAcks(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval} {
		t.Run(mode.String(), func(t *testing.T) {
			p := newPlatter()
			o := DiskOptions{fs: p, Sync: mode, Interval: time.Millisecond, Retry: time.Millisecond, RetryMax: 2 * time.Millisecond, segment: 32 << 10}
			d, err := Open("platter", o)
			if err != nil {
				t.Fatal(err)
			}
			const producers, each, left = 3, 10000, 100
			var producing, wg sync.WaitGroup
			var held atomic.Int64
			for range producers {
				producing.Go(func() {
					for i := 0; i < each || held.Load() == 0; i++ {
						_, err := d.Append(Record{Topic: "t", Payload: fmt.Append(nil, i), Class: Class(i % 2)})
						if errors.Is(err, ErrHeld) {
							held.Add(1)
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
			t.Logf("%d of %d were held", held.Load(), last)
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
// same, it is told once, and it becomes safe by itself.
func TestHeld(t *testing.T) {
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
					if seq, err := d.Append(Record{Topic: "t", Payload: []byte(m)}); !errors.Is(err, ErrHeld) || !errors.Is(err, cause) || seq == 0 {
						t.Fatalf("append %s: %d, %v", m, seq, err)
					}
				}
				if s := d.Stats(); s.Held != 2 || s.HeldBytes != 4 || !errors.Is(s.Err, cause) || s.Messages != 3 {
					t.Errorf("%+v", s)
				}
				if got := contents(t, d); got != "abc" {
					t.Errorf("contents %s", got)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				if err := d.Safe(ctx, 3); !errors.Is(err, ErrHeld) {
					t.Errorf("safe: %v", err)
				}
				cancel()
				p.setFail(nil, 0)
				began := time.Now()
				if err := d.Safe(t.Context(), 3); err != nil || time.Since(began) > 30*time.Second {
					t.Errorf("%v after %s", err, time.Since(began))
				}
				if s := d.Stats(); s.Held != 0 || s.Err != nil {
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

// What is held is bounded; what has been delivered is not written any more.
func TestHeldLimit(t *testing.T) {
	p := newPlatter()
	d, err := Open("platter", DiskOptions{fs: p, MaxHeld: 10, still: true, Retry: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.setFail(syscall.ENOSPC, 0)
	for i, want := range []error{ErrHeld, ErrHeld, ErrFull} {
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
	if err := d.Close(); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "1 messages were never written") {
		t.Errorf("close: %v", err)
	}
}

// A disk that fails for long, while some messages stay and those behind them come and
// go, does not fill the memory, and the log has no hole afterwards.
func TestHeldPlaces(t *testing.T) {
	for _, drop := range []bool{true, false} {
		t.Run(fmt.Sprintf("dropped %v", drop), func(t *testing.T) {
			p := newPlatter()
			o := DiskOptions{fs: p, still: true, Retry: time.Nanosecond, RetryMax: time.Nanosecond, segment: 64 << 10, MaxHeld: 10000}
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
				if !errors.Is(err, ErrHeld) {
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
			if len(d.held) > 300 {
				t.Errorf("%d places for %d messages", len(d.held), d.Stats().Held)
			}
			look := func(when string) {
				t.Helper()
				got := contents(t, d)
				if s := d.Stats(); got != want || s.Messages != len(strings.Fields(want)) || s.Damaged > 0 {
					t.Errorf("%s: contents %s, want %s; %+v", when, got, want, s)
				}
			}
			look("held")
			p.setFail(nil, 0)
			for range 3 {
				d.tend(time.Now().Add(time.Hour))
			}
			if s := d.Stats(); s.Held > 0 || s.Err != nil {
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

// A disk that cannot be read is an error of Next, and not the end.
func TestUnreadable(t *testing.T) {
	p := newPlatter()
	d, err := Open("platter", DiskOptions{fs: p, still: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "a")
	p.blind = syscall.EIO
	if _, _, err := d.Next(0); !errors.Is(err, syscall.EIO) {
		t.Errorf("next: %v", err)
	}
	p.blind = nil
	if _, _, err := d.Next(0); err != nil {
		t.Errorf("next: %v", err)
	}
	if got := contents(t, d); got != "a" || d.Stats().Damaged != 0 {
		t.Errorf("contents %s, %+v", got, d.Stats())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// patiently counts the messages of a box that cannot be read at once.
func patiently(t *testing.T, d *Disk) (found, failed int) {
	t.Helper()
	for pos := uint64(0); ; {
		r, ok, err := d.Next(pos)
		if err != nil {
			if failed++; failed > 20 {
				t.Fatal(err)
			}
			continue
		}
		if !ok {
			return found, failed
		}
		found++
		pos = r.Seq + 1
	}
}

// A bad sector costs the messages in it, after some attempts, and not the rest.
func TestBadSector(t *testing.T) {
	p := newPlatter()
	d, err := Open("platter", DiskOptions{fs: p, still: true, segment: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for i := range n {
		put(t, d, fmt.Sprintf("%d%s", i, strings.Repeat(" ", 300)))
	}
	if len(d.segs) < 3 {
		t.Fatalf("%d segments", len(d.segs))
	}
	s := d.segs[1]
	for _, off := range []int64{0, 2 * page, s.limit / page * page} {
		p.sector = &badPage{p.names[s.name()], off}
		d.reader.close()
		found, failed := patiently(t, d)
		if off == 2*page && (found < n-16 || found >= n || failed >= badSector) || found < n-int(s.end-s.base) {
			t.Errorf("page at %d: %d messages found, %d attempts failed", off, found, failed)
		}
	}
	p.sector = nil
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// The same at the end of the log when the box is opened: what is behind is not taken
// for cut off.
func TestBadSectorAtOpen(t *testing.T) {
	p := newPlatter()
	o := DiskOptions{fs: p, still: true, segment: 1 << 20}
	d, err := Open("platter", o)
	if err != nil {
		t.Fatal(err)
	}
	const n = 100
	for i := range n {
		put(t, d, fmt.Sprintf("%d%s", i, strings.Repeat(" ", 300)))
	}
	name := d.segs[0].name()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	p.sector = &badPage{p.names[name], 3 * page}
	if d, err = Open("platter", o); err != nil {
		t.Fatal(err)
	}
	found, _ := patiently(t, d)
	s := d.Stats()
	if found < n-16 || found == n || int(s.Damaged) != n-found || s.Torn != 0 {
		t.Errorf("%d messages found; %+v", found, s)
	}
	put(t, d, "new")
	if again, _ := patiently(t, d); again != found+1 {
		t.Errorf("%d messages, then %d", found, again)
	}
	if err := d.Ack(n + 1); err != nil || d.Len() != 0 {
		t.Errorf("%v, length %d", err, d.Len())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// At intervals the log reaches the disk, though nobody asks.
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

func TestLock(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir, DiskOptions{})
	_, err := Open(dir, DiskOptions{})
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Dir != dir {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("outbox %s is in use by process %d: end that first, or give this one a folder of its own", dir, os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	openDisk(t, dir, DiskOptions{})
}

// Whoever removes the lock file, or mounts something else over the folder, lets two
// processes in. The one whose lock is gone notices before it begins a segment.
func TestLockRemoved(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, DiskOptions{still: true, segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	put(t, first, "a")
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Skip("this system removes no open file:", err)
	}
	second := openDisk(t, dir, DiskOptions{still: true})
	_, err = first.Append(Record{Topic: "t", Payload: make([]byte, 50<<10)})
	if !errors.Is(err, ErrHeld) || !errors.Is(err, ErrLocked) {
		t.Errorf("a new segment beside another owner: %v", err)
	}
	put(t, second, "b")
	if got := contents(t, second); got != "ab" {
		t.Errorf("contents %s", got)
	}
	if err := first.Close(); !errors.Is(err, ErrHeld) {
		t.Errorf("close: %v", err)
	}

	third := openDisk(t, t.TempDir(), DiskOptions{still: true, segment: 64 << 10})
	put(t, third, "a")
	if err := os.Remove(filepath.Join(third.dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Append(Record{Topic: "t", Payload: make([]byte, 50<<10)}); err != nil {
		t.Errorf("a new segment with nobody else there: %v", err)
	}
	if _, err := Open(third.dir, DiskOptions{}); !errors.Is(err, ErrLocked) {
		t.Errorf("the folder was not locked again: %v", err)
	}
}

// When neither slot can be read, what was saved in them before does not count later,
// although it tells of more saving.
func TestUnreadableSlots(t *testing.T) {
	p := &slotless{platter: newPlatter()}
	o := DiskOptions{fs: p, still: true, segment: 16 << 10}
	open := func() *Disk {
		t.Helper()
		d, err := Open("platter", o)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open()
	for i := range 100 {
		put(t, d, strings.Repeat(".", 400))
		if i > 80 {
			if err := d.AckOne(uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.bad = true
	d = open()
	p.bad = false
	for range 50 {
		put(t, d, strings.Repeat(".", 400))
	}
	if n := len(payloads(t, d)); n != 150 {
		t.Errorf("%d messages", n)
	}
	if err := d.Ack(95); err != nil {
		t.Fatal(err)
	}
	if n := len(payloads(t, open())); n != 55 {
		t.Errorf("opened again: %d messages", n)
	}
}

// slotless is a disk that does not give back the slots.
type slotless struct {
	*platter
	bad bool
}

func (s *slotless) open(name string, flag int) (file, error) {
	if s.bad && name == ackName {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EIO}
	}
	return s.platter.open(name, flag)
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
	if _, err := h.Append(Record{Topic: "t", Payload: []byte("held")}); !errors.Is(err, ErrHeld) {
		t.Fatal(err)
	}
	p.setFail(nil, 0)
	h.SetHanded(1000) // no more than there are
	if err := h.savePosition(true); err != nil {
		t.Fatal(err)
	}
	// Killed: the number of the message that was held and handed over is not used
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
	d.age()
	if got := contents(t, d); got != "0123" {
		t.Errorf("a message without a time is the first: nothing ages, but %s is left", got)
	}
	if err := d.Ack(1); err != nil {
		t.Fatal(err)
	}
	d.age()
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
			d.tend(time.Now())
		}
		if n := names(); n > 6 { // lock, ack, log, spares
			t.Fatalf("%d files", n)
		}
	}
	if s := d.Stats(); s.Damaged != 0 || s.SetAside != 0 || s.Torn != 0 {
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
