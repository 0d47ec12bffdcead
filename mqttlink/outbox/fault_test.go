package outbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// faulty is a disk of which one operation fails, or all from one on.
type faulty struct {
	*platter
	at   int // the number of that operation
	all  bool
	err  error
	n    int
	what string // that failed first
}

func (f *faulty) fault(op, name string) error {
	f.n++
	if f.n == f.at || f.all && f.n > f.at && f.at > 0 {
		if f.what == "" {
			f.what = fmt.Sprintf("operation %d, %s %s", f.n, op, name)
		}
		return f.err
	}
	return nil
}

func (f *faulty) open(name string, flag int) (file, error) {
	if err := f.fault("open", name); err != nil {
		return nil, err
	}
	h, err := f.platter.open(name, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{h, f, name}, nil
}

func (f *faulty) rename(from, to string) error {
	if err := f.fault("rename", from); err != nil {
		return err
	}
	return f.platter.rename(from, to)
}

func (f *faulty) remove(name string) error {
	if err := f.fault("remove", name); err != nil {
		return err
	}
	return f.platter.remove(name)
}

func (f *faulty) list() ([]string, error) {
	if err := f.fault("list", ""); err != nil {
		return nil, err
	}
	return f.platter.list()
}

func (f *faulty) syncDir() error {
	if err := f.fault("sync folder", ""); err != nil {
		return err
	}
	return f.platter.syncDir()
}

type faultyFile struct {
	file
	f    *faulty
	name string
}

func (h *faultyFile) ReadAt(b []byte, off int64) (int, error) {
	if err := h.f.fault("read", h.name); err != nil {
		return 0, err
	}
	return h.file.ReadAt(b, off)
}

func (h *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if err := h.f.fault("write", h.name); err != nil {
		if errors.Is(err, errDead) {
			return 0, err
		}
		n, _ := h.file.WriteAt(b[:len(b)/2], off) // a part gets there
		return n, err
	}
	return h.file.WriteAt(b, off)
}

func (h *faultyFile) Truncate(size int64) error {
	if err := h.f.fault("truncate", h.name); err != nil {
		return err
	}
	return h.file.Truncate(size)
}

func (h *faultyFile) Size() (int64, error) {
	if err := h.f.fault("size", h.name); err != nil {
		return 0, err
	}
	return h.file.Size()
}

// Sync loses what it fails to write, as that of Linux does.
func (h *faultyFile) Sync() error {
	if err := h.f.fault("sync", h.name); errors.Is(err, errDead) {
		return err
	} else if err != nil {
		h.f.platter.setFail(err, 0)
		_ = h.file.Sync()
		h.f.platter.setFail(nil, 0)
		return err
	}
	return h.file.Sync()
}

func (h *faultyFile) Close() error {
	err := h.f.fault("close", h.name)
	return errors.Join(h.file.Close(), err)
}

// day is what happens to a box: it is filled, delivered in and out of order, drops,
// rolls, recycles, and is opened again.
type day struct {
	t    *testing.T
	f    *faulty
	o    DiskOptions
	d    *Disk
	seqs []uint64 // in the box
	text map[uint64]string
	n    int
}

func (x *day) open() {
	for {
		d, err := Open("platter", x.o)
		if err == nil {
			x.d = d
			return
		}
		if x.f.what == "" || !errors.Is(err, x.f.err) {
			x.t.Fatalf("%s: open: %v", x.f.what, err)
		}
		x.f.at = 0 // until the disk is well it cannot be opened
	}
}

func (x *day) append(size int, class Class) {
	x.n++
	text := fmt.Sprintf("%d%s", x.n, strings.Repeat(".", size))
	seq, err := x.d.Append(Record{Topic: "t", Payload: []byte(text), Class: class, QoS: 1})
	if err != nil && (!errors.Is(err, ErrUnsaved) || x.f.what == "") {
		x.t.Fatalf("%s: append: %v", x.f.what, err)
	}
	x.seqs = append(x.seqs, seq)
	x.text[seq] = text
}

func (x *day) take(i int, out bool) {
	seq := x.seqs[i]
	var err error
	if out {
		err = x.d.AckOne(seq)
		x.seqs = append(x.seqs[:i:i], x.seqs[i+1:]...)
	} else {
		err = x.d.Ack(seq)
		x.seqs = x.seqs[i+1:]
	}
	if err != nil {
		x.t.Fatalf("%s: acknowledge %d: %v", x.f.what, seq, err)
	}
}

// read wants exactly what is in the box; may says what else may be found.
func (x *day) read(when string, may func(uint64) bool) {
	x.t.Helper()
	i, failed := 0, 0
	for pos := uint64(0); ; {
		r, ok, err := x.d.Next(pos)
		if err != nil {
			if failed++; x.f.what == "" || !errors.Is(err, x.f.err) {
				x.t.Fatalf("%s: %s: next: %v", x.f.what, when, err)
			}
			if failed == 3 {
				return // it cannot be read now: so be it
			}
			continue
		}
		if !ok {
			break
		}
		if i < len(x.seqs) && r.Seq == x.seqs[i] {
			i++
		} else if !may(r.Seq) {
			x.t.Fatalf("%s: %s: found %d, want %v", x.f.what, when, r.Seq, x.seqs[i:min(i+3, len(x.seqs))])
		}
		if string(r.Payload) != x.text[r.Seq] {
			x.t.Fatalf("%s: %s: %d is %.10q", x.f.what, when, r.Seq, r.Payload)
		}
		pos = r.Seq + 1
	}
	if i < len(x.seqs) {
		x.t.Fatalf("%s: %s: message %d and %d more are gone; %+v", x.f.what, when, x.seqs[i], len(x.seqs)-i-1, x.d.Stats())
	}
}

func never(uint64) bool { return false }

func (x *day) tend(n int) {
	for range n {
		x.d.keeper.tend(time.Now().Add(time.Hour))
	}
}

func (x *day) run() {
	x.open()
	for round := range 3 {
		for i := range 40 {
			x.append(i*37%900, Class(i%2))
			if i%9 == 0 {
				x.read("in between", never)
			}
			if i%4 == 0 {
				x.take(len(x.seqs)-1, true)
			}
			if i%10 == 9 {
				x.take(len(x.seqs)/4, false)
				x.take(len(x.seqs)/2, true)
				x.tend(2)
			}
		}
		x.append(20000, Reading)
		x.tend(3)
		if x.f.all {
			x.read("while it fails", never)
			x.f.at = 0
		}
		// It heals by itself, and nothing is forgotten.
		x.tend(12)
		if err := x.d.Stats().Err; err != nil {
			x.t.Fatalf("%s: not healed: %v", x.f.what, err)
		}
		x.read("healed", never)
		if s := x.d.Stats(); s.Messages != len(x.seqs) || s.Unsaved != 0 || s.Damaged+s.Torn > 0 || s.DamagedFiles > 0 {
			x.t.Fatalf("%s: %+v, want %d messages", x.f.what, s, len(x.seqs))
		}
		known := x.d.NextSeq()
		failed := false
		if round == 1 { // killed
		} else if err := x.d.Close(); err != nil {
			if failed = true; x.f.what == "" || !errors.Is(err, x.f.err) {
				x.t.Fatalf("%s: close: %v", x.f.what, err)
			}
		}
		x.open()
		x.read("opened again", func(seq uint64) bool { return (failed || x.f.what != "") && seq < known })
		if s := x.d.Stats(); s.Damaged+s.Torn > 0 || s.DamagedFiles > 0 {
			x.t.Fatalf("%s: opened again: %+v", x.f.what, s)
		}
		x.seqs = x.seqs[:0] // what came again too
		for pos := uint64(0); ; {
			r, ok, err := x.d.Next(pos)
			if !ok && err == nil {
				break
			}
			if pos = r.Seq + 1; err != nil {
				pos = 0
				x.seqs = x.seqs[:0]
				continue
			}
			x.seqs = append(x.seqs, r.Seq)
		}
	}
}

// Each operation on files fails in turn, alone or with all that follow until the disk
// is well again: nothing that was taken is forgotten while the process lives, nothing
// panics, it heals, and what comes afterwards is whole.
func TestEveryFault(t *testing.T) {
	for j, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		for _, all := range []bool{false, true} {
			for i, cause := range []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
				t.Run(fmt.Sprintf("%s, %s, all %v", mode, cause, all), func(t *testing.T) {
					t.Parallel()
					step := 9 // each cause and mode has its share
					if os.Getenv("OUTBOX_SEEDS") != "" {
						step = 1
					}
					if testing.Short() {
						step = 45
					}
					for at := 1 + (3*i+j)%step; ; at += step {
						p := newPlatter()
						f := &faulty{platter: p, at: at, all: all, err: cause}
						x := &day{t: t, f: f, text: map[uint64]string{},
							o: DiskOptions{fs: f, Sync: mode, still: true, segment: 16 << 10, Retry: time.Nanosecond, RetryMax: time.Nanosecond}}
						x.run()
						if f.what == "" {
							t.Logf("%d operations", f.n)
							break
						}
					}
				})
			}
		}
	}
}
