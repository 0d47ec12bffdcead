package outbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var errDead = errors.New("the process is dead")

// life is what a process does with a box until it is ended in front of one of its
// operations on files.
type life struct {
	f     *faulty
	d     *Disk
	text  map[uint64]string // appended
	safe  map[uint64]bool   // of those, Append said so
	gone  map[uint64]bool   // acknowledged
	saved map[uint64]bool   // of those, the acknowledgement was over before the end
	n     int
}

func (l *life) dead() bool { return l.f.what != "" }

func (l *life) append(size int, class Class) {
	if l.dead() {
		return
	}
	l.n++
	next := l.d.NextSeq()
	l.text[next] = fmt.Sprintf("%d%s", l.n, strings.Repeat(".", size))
	_, err := l.d.Append(Record{Topic: fmt.Sprint("t", size%3), Payload: []byte(l.text[next]), Class: class})
	l.safe[next] = err == nil
}

func (l *life) take(seq uint64, one bool) {
	if l.dead() || l.gone[seq] || l.text[seq] == "" {
		return
	}
	var now []uint64
	if one {
		now = append(now, seq)
		_ = l.d.AckOne(seq)
	} else {
		for s := range l.text {
			if s <= seq && !l.gone[s] {
				now = append(now, s)
			}
		}
		_ = l.d.Ack(seq)
	}
	for _, s := range now {
		l.gone[s], l.saved[s] = true, !l.dead()
	}
}

// run is two lives of the box, with all that it does with files.
func (l *life) run(o DiskOptions) {
	o.fs = l.f
	for range 2 {
		d, err := Open("platter", o)
		if err != nil {
			return
		}
		l.d = d
		for i := range 120 {
			l.append(i*41%800, Class(i%2))
			last := d.NextSeq() - 1
			if i%3 == 0 || i > 30 && i < 110 { // whole segments among them
				l.take(last, true)
			}
			if i%7 == 0 && i < 100 {
				l.take(last-min(last, 60), false)
			}
			if i%20 == 0 {
				l.append(20000, Reading)
			}
			for range i % 5 {
				if !l.dead() {
					d.keeper.tend(time.Now().Add(time.Hour))
				}
			}
		}
		if l.dead() {
			return
		}
		_ = d.Close()
	}
}

// look opens what is left.
func (l *life) look(t *testing.T, o DiskOptions, power, promised bool) {
	t.Helper()
	d, err := Open("platter", o)
	if err != nil {
		t.Fatalf("before %s: %v", l.f.what, err)
	}
	found := map[uint64]bool{}
	for pos := uint64(0); ; {
		r, ok, err := d.Next(pos)
		if err != nil {
			t.Fatalf("before %s: %v", l.f.what, err)
		}
		if !ok {
			break
		}
		if r.Seq < pos || string(r.Payload) != l.text[r.Seq] {
			t.Fatalf("before %s: found %d with %.10q, want %.10q", l.f.what, r.Seq, r.Payload, l.text[r.Seq])
		}
		if l.saved[r.Seq] && !power {
			t.Errorf("before %s: message %d is back", l.f.what, r.Seq)
		}
		found[r.Seq], pos = true, r.Seq+1
	}
	for seq, safe := range l.safe {
		if safe && promised && !l.gone[seq] && !found[seq] {
			t.Errorf("before %s: message %d is lost", l.f.what, seq)
		}
	}
	s := d.Stats()
	if s.Messages != len(found) || s.Damaged > 0 || s.DamagedFiles > 0 || s.Torn > 0 && !power {
		t.Errorf("before %s: %d messages found: %+v", l.f.what, len(found), s)
	}
	seq := put(t, d, "new")
	for s := range l.text {
		if s >= seq && (l.safe[s] && !power || found[s]) {
			t.Errorf("before %s: number %d is used again", l.f.what, seq)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("before %s: %v", l.f.what, err)
	}
}

// The process is killed, or the power cut, in front of each operation on files in
// turn: while segments are begun, used again, hollowed, while the box is opened or
// closed, what was safe is there, and what was delivered comes back after a power cut
// at most.
func TestEveryCrash(t *testing.T) {
	for j, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		for i, power := range []bool{false, true} {
			if power && mode == SyncNever {
				continue // nothing is promised
			}
			t.Run(fmt.Sprintf("%s, power cut %v", mode, power), func(t *testing.T) {
				t.Parallel()
				step := 6
				if os.Getenv("OUTBOX_SEEDS") != "" {
					step = 1
				}
				if testing.Short() {
					step = 20
				}
				for at := 1 + (i+j)%step; ; at += step {
					p := newPlatter()
					l := &life{f: &faulty{platter: p, at: at, all: true, err: errDead}, text: map[uint64]string{}, safe: map[uint64]bool{}, gone: map[uint64]bool{}, saved: map[uint64]bool{}}
					o := DiskOptions{Sync: mode, still: true, segment: 16 << 10}
					l.run(o)
					if !l.dead() {
						t.Logf("%d operations", l.f.n)
						break
					}
					if power {
						r := rand.New(rand.NewPCG(uint64(at), 1))
						for range 3 {
							o.fs = p.powerCut(r)
							l.look(t, o, true, mode == SyncAlways)
						}
					} else {
						o.fs = p
						l.look(t, o, false, true)
					}
					if t.Failed() {
						break
					}
				}
			})
		}
	}
}
