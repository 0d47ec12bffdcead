package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// snapshot returns the contents of all files in a folder.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(n)
		if err != nil {
			t.Fatal(err)
		}
		m[n] = st.ModTime().String() + string(b)
	}
	return m
}

// What is in a box can be read while its owner has it open, and after it has been
// killed or closed, and nothing is changed by that.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	o := DiskOptions{segment: 64 << 10, still: true}
	d := openDisk(t, dir, o)
	want := map[uint64]string{}
	for i := range 600 {
		r := Record{Topic: fmt.Sprint("t/", i%7), Payload: fmt.Appendf(nil, "%d%s", i, strings.Repeat(" ", 300)), QoS: byte(i % 2), Class: Class(i % 2)}
		seq, err := d.Append(r)
		if err != nil {
			t.Fatal(err)
		}
		want[seq] = string(r.Payload)
	}
	if err := d.Ack(150); err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(601) {
		if seq >= 400 && seq < 550 {
			if err := d.AckOne(seq); err != nil {
				t.Fatal(err)
			}
		}
		if seq <= 150 || seq >= 400 && seq < 550 {
			delete(want, seq)
		}
	}
	look := func(when string) {
		t.Helper()
		before := snapshot(t, dir)
		n, last, alarms := 0, uint64(0), 0
		s, err := Read(dir, func(r Record) error {
			if string(r.Payload) != want[r.Seq] || r.Seq <= last || r.Topic != fmt.Sprint("t/", (r.Seq-1)%7) || r.QoS != byte(r.Seq-1)%2 || r.Time.IsZero() {
				t.Errorf("%s: after %d: %+v", when, last, r)
			}
			last = r.Seq
			n++
			alarms += int(r.Class)
			return nil
		})
		if err != nil || n != len(want) || s.Messages != n || s.Alarms != alarms || s.Oldest.IsZero() || s.Damaged+s.Torn > 0 {
			t.Errorf("%s: %d messages, %d alarms, want %d; %+v, %v", when, n, alarms, len(want), s, err)
		}
		if counts, err := Read(dir, nil); err != nil || counts != s {
			t.Errorf("%s: counts %+v, %v", when, counts, err)
		}
		after := snapshot(t, dir)
		for name := range before {
			if before[name] != after[name] {
				t.Errorf("%s: %s was changed", when, name)
			}
		}
		if len(before) != len(after) {
			t.Errorf("%s: %d files, then %d", when, len(before), len(after))
		}
	}
	look("owned")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	look("closed")
	if err := os.WriteFile(filepath.Join(dir, "00000099.spare"+unmadeSuffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	look("with an unfinished file")

	stop := errors.New("enough")
	n := 0
	if _, err := Read(dir, func(Record) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestReadNothing(t *testing.T) {
	dir := t.TempDir()
	if s, err := Read(dir, func(Record) error { t.Error("a message"); return nil }); err != nil || s != (Stats{}) {
		t.Errorf("an empty folder: %+v, %v", s, err)
	}
	missing := filepath.Join(dir, "missing")
	if _, err := Read(missing, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder was made")
	}
}

// Damage is reported, and costs what is damaged; the file stays where it is.
func TestReadDamaged(t *testing.T) {
	dir := t.TempDir()
	name, segment, end := write(t, dir, DiskOptions{Sync: SyncAlways}, "one", "two", "three", "four")
	for _, tt := range []struct {
		what string
		at   int
		want string
	}{{"message", bytes.Index(segment, []byte("three")), "[one two four]"}, {"end", bytes.Index(segment, []byte("four")), "[one two three]"}, {"head", 9, "[]"}} {
		harmed := bytes.Clone(segment[:end])
		harmed[tt.at] ^= 1
		if err := os.WriteFile(name, harmed, 0o600); err != nil {
			t.Fatal(err)
		}
		found := []string{}
		s, err := Read(dir, func(r Record) error {
			found = append(found, string(r.Payload))
			return nil
		})
		if err != nil || fmt.Sprint(found) != tt.want || tt.what != "head" && s.Damaged+s.Torn != 1 {
			t.Errorf("%s: found %q, %+v, %v", tt.what, found, s, err)
		}
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(after, harmed) {
			t.Errorf("%s: the file was changed: %v", tt.what, err)
		}
	}
}

// A reader beside an owner that appends, delivers in and out of order, and uses files
// again, on a disk that fails now and then: all that is in the box as long as it is
// read is found, in order, and nothing that was never there.
func TestReadBeside(t *testing.T) {
	p := newPlatter()
	d, err := Open("platter", DiskOptions{fs: p, Sync: SyncAlways, Retry: time.Millisecond, RetryMax: 2 * time.Millisecond, segment: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	payload := func(seq uint64) string { return fmt.Sprintf("%d%s", seq, strings.Repeat(".", int(seq*31%700))) }
	var mu sync.Mutex
	inBox := map[uint64]bool{} // safe, and not acknowledged
	var stop atomic.Bool
	var wg sync.WaitGroup
	made := make(chan struct{})
	wg.Go(func() {
		defer close(made)
		r := rand.New(rand.NewPCG(1, 1))
		for !stop.Load() {
			seq, err := d.Append(Record{Topic: "t", Payload: []byte(payload(d.NextSeq())), QoS: 1})
			if errors.Is(err, ErrUnsaved) {
				err = d.Safe(t.Context(), seq)
			}
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case made <- struct{}{}:
			default:
			}
			mu.Lock()
			inBox[seq] = true
			var ack []uint64
			for s := range inBox {
				if len(inBox) > 300 && s+300 < seq && s%13 != 0 || s%17 == 0 || s+2000 < seq {
					ack = append(ack, s)
					delete(inBox, s)
				}
			}
			mu.Unlock()
			for _, s := range ack {
				if err := d.AckOne(s); err != nil {
					t.Error(err)
				}
			}
			if r.IntN(1000) == 0 {
				p.setFail(syscall.EIO, r.IntN(5))
				time.AfterFunc(2*time.Millisecond, func() { p.setFail(nil, 0) })
			}
		}
	})
	moved := 0
	const rounds = 40
	for range 1000 {
		<-made
	}
	for round := range rounds {
		mu.Lock()
		before := make(map[uint64]bool, len(inBox))
		for s := range inBox {
			before[s] = true
		}
		mu.Unlock()
		found, last := map[uint64]bool{}, uint64(0)
		opened := 0
		stats, err := read(counted{p, &opened}, func(r Record) error {
			if string(r.Payload) != payload(r.Seq) || r.Seq <= last {
				t.Errorf("after %d: %d with %.10q", last, r.Seq, r.Payload)
			}
			if found[r.Seq], last = true, r.Seq; len(found) == 1+round {
				for range 15 * round { // the owner continues
					<-made
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if stats.Damaged > 0 {
			t.Errorf("round %d: taken for damaged: %+v", round, stats)
		}
		if opened > 1 {
			moved++
		}
		mu.Lock()
		for s := range before {
			if inBox[s] && !found[s] {
				t.Errorf("round %d: message %d was in the box all the time, and was not found", round, s)
			}
		}
		mu.Unlock()
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if moved == 0 {
		t.Error("the owner never used a file again that was being read")
	}
	t.Logf("%d reads, in %d of them files were used again meanwhile; %d messages were made", rounds, moved, d.NextSeq()-1)
	p.setFail(nil, 0)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// counted counts how often the folder is listed.
type counted struct {
	files
	n *int
}

func (c counted) list() ([]string, error) {
	*c.n++
	return c.files.list()
}

// lateReader calls a function once, after some read of records.
type lateReader struct {
	files
	reads int // until then
	after func()
}

type lateFile struct {
	file
	r *lateReader
}

func (r *lateReader) open(name string, flag int) (file, error) {
	f, err := r.files.open(name, flag)
	if err != nil {
		return nil, err
	}
	return &lateFile{f, r}, nil
}

func (f *lateFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.file.ReadAt(b, off)
	if off >= firstRecord {
		if f.r.reads--; f.r.reads == 0 {
			f.r.after()
		}
	}
	return n, err
}

// What an owner writes behind the place that a reader has got to is no sign of damage,
// also when the reader's memory holds how that place was before.
func TestReadBesideAWriter(t *testing.T) {
	const late = 200 // more than scanBlock
	for first := 10; first < 200; first += 30 {
		for reads := 1; reads < 8; reads++ {
			p := newPlatter()
			d, err := Open("platter", DiskOptions{fs: p, Sync: SyncAlways, segment: 256 << 10})
			if err != nil {
				t.Fatal(err)
			}
			add := func(n int) {
				for range n {
					if _, err := d.Append(Record{Topic: "t", Payload: bytes.Repeat([]byte("x"), 300), QoS: 1}); err != nil {
						t.Fatal(err)
					}
				}
			}
			add(first)
			last := uint64(0)
			stats, err := read(&lateReader{p, reads, func() { add(late) }}, func(r Record) error {
				if r.Seq != last+1 {
					t.Errorf("%d messages, more after %d reads: %d comes after %d", first, reads, r.Seq, last)
				}
				last = r.Seq
				return nil
			})
			if err != nil || stats.Damaged > 0 || stats.Torn > 0 || last < uint64(first) {
				t.Errorf("%d messages, more after %d reads: %d were found: %+v, %v", first, reads, last, stats, err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
