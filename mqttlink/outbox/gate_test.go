package outbox

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a disk on which an operation waits.
type gate struct {
	*platter
	holds   func(op, name string) bool // whether this one does, when closed is true
	closed  atomic.Bool
	entered chan struct{} // it waits
	opened  chan struct{} // until this is closed
	passed  atomic.Bool   // it is over
}

func newGate(holds func(op, name string) bool) *gate {
	return &gate{platter: newPlatter(), holds: holds, entered: make(chan struct{}), opened: make(chan struct{})}
}

func (g *gate) open(name string, flag int) (file, error) {
	f, err := g.platter.open(name, flag)
	if err != nil {
		return nil, err
	}
	return &gatedFile{f, g, name}, nil
}

type gatedFile struct {
	file
	g    *gate
	name string
}

func (f *gatedFile) do(op string, what func() error) error {
	if !f.g.holds(op, f.name) || !f.g.closed.CompareAndSwap(true, false) {
		return what()
	}
	f.g.entered <- struct{}{}
	<-f.g.opened
	err := what()
	f.g.passed.Store(true)
	return err
}

func (f *gatedFile) Sync() error { return f.do("sync", f.file.Sync) }

func (f *gatedFile) WriteAt(b []byte, off int64) (n int, err error) {
	return n, f.do("write", func() (err error) { n, err = f.file.WriteAt(b, off); return err })
}

// waitsFor fails if call returns before the operation at the gate, which other begins, is
// over.
func (g *gate) waitsFor(t *testing.T, other, call func() error) {
	t.Helper()
	g.closed.Store(true)
	others, called := make(chan error, 1), make(chan error, 1)
	go func() { others <- other() }()
	<-g.entered
	go func() {
		err := call()
		if !g.passed.Load() {
			err = fmt.Errorf("it has returned too early: %v", err)
		}
		called <- err
	}()
	select {
	case err := <-called:
		t.Error(err)
		called <- nil
	case <-time.After(20 * time.Millisecond): // it waits, as far as can be seen
	}
	close(g.opened)
	for _, c := range []chan error{others, called} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
}

// What another is saving just now is not saved yet.
func TestAckWaitsForAnotherSave(t *testing.T) {
	g := newGate(func(op, name string) bool { return op == "write" && name == ackName })
	d, err := Open("gate", DiskOptions{fs: g, still: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "a")
	if err := d.AckLater(1); err != nil {
		t.Fatal(err)
	}
	g.waitsFor(t, func() error { return d.position.save(false) }, func() error { d.Save(); return nil })
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// While a segment is being begun the one before it is being synced: Sync waits for that.
func TestSyncWaitsForTheSegmentBefore(t *testing.T) {
	first := ""
	g := newGate(func(op, name string) bool { return op == "sync" && name == first })
	d, err := Open("gate", DiskOptions{fs: g, still: true, segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "a")
	first = d.log.segs[0].name()
	g.waitsFor(t, func() error {
		_, err := d.Append(Record{Topic: "t", Payload: []byte(strings.Repeat("x", 50<<10))})
		return err
	}, d.Sync)
	if len(d.log.segs) != 2 {
		t.Errorf("%d segments", len(d.log.segs))
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
