package writelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// recording writes one, of requests like "a0" (an a to sector 0), "!" (a flush),
// "K3" (a K to sector 3, kept).
func recording(requests ...string) []byte {
	le := binary.LittleEndian
	sector := func(numbers ...uint64) []byte {
		b := make([]byte, 0, Sector)
		for _, n := range numbers {
			b = le.AppendUint64(b, n)
		}
		return append(b, make([]byte, Sector-len(b))...)
	}
	log := sector(magic, version, uint64(len(requests)), Sector)
	for _, q := range requests {
		if q == "!" {
			log = append(log, sector(0, 0, flagFlush, 0)...)
			continue
		}
		flags := uint64(0)
		if q[0] < 'a' {
			flags = flagFUA
		}
		log = append(log, sector(uint64(q[1]-'0'), 1, flags, 0)...)
		log = append(log, bytes.Repeat([]byte(q[:1]), Sector)...)
	}
	return log
}

// disk is one of ten sectors, shown as a letter for each.
type disk [10 * Sector]byte

func (d *disk) WriteAt(b []byte, at int64) (int, error) { return copy(d[at:], b), nil }

func (d *disk) String() (s string) {
	for i := 0; i < len(d); i += Sector {
		if d[i] == 0 {
			s += "."
		} else {
			s += string(d[i])
		}
	}
	return s
}

func TestApply(t *testing.T) {
	text := recording("a0", "b1", "!", "c0", "d2", "K3", "!", "e1", "f2", "f4")
	l, err := Read(bytes.NewReader(text), int64(len(text)))
	if err != nil || len(l.Requests) != 10 {
		t.Fatalf("%d requests, %v", len(l.Requests), err)
	}
	for _, tc := range []struct {
		n         int
		none, all string
		unflushed int64 // sectors
	}{
		{0, "..........", "..........", 0},
		{2, "ab........", "..........", 2},
		{3, "ab........", "ab........", 0},
		{5, "cbd.......", "ab........", 2},
		{6, "cbdK......", "ab.K......", 2},
		{7, "cbdK......", "cbdK......", 0},
		{10, "cefKf.....", "cbdK......", 3},
	} {
		for name, want := range map[string]string{"none": tc.none, "all": tc.all} {
			loss := None
			if name == "all" {
				loss = All
			}
			var d disk
			if err := l.Apply(&d, tc.n, loss, nil); err != nil || d.String() != want {
				t.Errorf("after %d, %s lost: %s, want %s (%v)", tc.n, name, &d, want, err)
			}
		}
		if got := l.Unflushed(tc.n) / Sector; got != tc.unflushed {
			t.Errorf("after %d, %d sectors are not flushed, want %d", tc.n, got, tc.unflushed)
		}
	}
	// What may be lost is there or not, and nothing else changes.
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		for _, loss := range []Loss{Writes, Sectors} {
			var d disk
			if err := l.Apply(&d, 10, loss, r); err != nil {
				t.Fatal(err)
			}
			seen[d.String()] = true
		}
	}
	if len(seen) != 8 {
		t.Errorf("three writes give %d contents: %v", len(seen), seen)
	}
	for s := range seen {
		if s[0] != 'c' || s[3] != 'K' || s[1] != 'b' && s[1] != 'e' || s[2] != 'd' && s[2] != 'f' || s[4] != '.' && s[4] != 'f' {
			t.Errorf("%s", s)
		}
	}
}

func TestReadTorn(t *testing.T) {
	text := recording("a0", "b1", "!", "c0")
	for n := range len(text) + 1 {
		l, err := Read(bytes.NewReader(text[:n]), int64(n))
		switch {
		case n < Sector:
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		case err != nil:
			t.Fatalf("%d bytes: %v", n, err)
		case n == len(text) && len(l.Requests) != 4, n < len(text) && len(l.Requests) == 4:
			t.Fatalf("%d bytes: %d requests", n, len(l.Requests))
		}
	}
	// A hole, where a write to the recording itself was not done, ends it.
	copy(text[3*Sector:], make([]byte, Sector))
	if l, err := Read(bytes.NewReader(text), int64(len(text))); err != nil || len(l.Requests) != 1 {
		t.Errorf("%v", err)
	}
	if _, err := Read(bytes.NewReader(make([]byte, 10*Sector)), 10*Sector); !errors.Is(err, ErrFormat) {
		t.Errorf("zeros: %v", err)
	}
}
