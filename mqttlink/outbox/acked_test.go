package outbox

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Messages leave the box in any order, are counted once, and are distinguished from those
// that are new.
func TestAckOne(t *testing.T) {
	each(t, Limits{}, func(t *testing.T, b Box) {
		if b.NextSeq() != 1 {
			t.Errorf("the first message will be %d", b.NextSeq())
		}
		for i := range 10 {
			put(t, b, fmt.Sprint(i))
		}
		if b.NextSeq() != 11 {
			t.Errorf("the next message will be %d", b.NextSeq())
		}
		for _, tt := range []struct {
			seq  uint64
			want string
		}{{8, "012345689"}, {8, "012345689"}, {0, "012345689"}, {11, "012345689"}, {1 << 60, "012345689"}, {9, "01234569"}, {6, "0123469"},
			{7, "012349"}, {1, "12349"}, {2, "2349"}, {10, "234"}, {4, "24"}, {3, "4"}} {
			if err := b.AckOne(tt.seq); err != nil {
				t.Fatal(err)
			}
			s := b.Stats()
			if got := contents(t, b); got != tt.want || s.Messages != len(got) || int(s.Bytes) != 2*len(got) || b.Len() != len(got) {
				t.Errorf("after %d: contents %s, want %s; %+v", tt.seq, got, tt.want, s)
			}
		}
		if r, ok, err := b.Next(6); ok || err != nil {
			t.Errorf("record at 6: %v, %v", r, err)
		}
		put(t, b, "x")
		if got := contents(t, b); got != "4x" {
			t.Errorf("contents %s", got)
		}
		if err := b.Ack(10); err != nil || b.Len() != 1 || contents(t, b) != "x" {
			t.Errorf("%v, length %d", err, b.Len())
		}
	})
}

// Limits count what is left, and drop what is left.
func TestAckOneLimits(t *testing.T) {
	for _, l := range []Limits{{Messages: 4, Drop: DropOldest}, {Messages: 4, Drop: DropOldest, Alarms: &Limits{Messages: 1}}} {
		each(t, l, func(t *testing.T, b Box) {
			for _, p := range "abcd" {
				put(t, b, string(p))
			}
			for _, seq := range []uint64{3, 2} {
				if err := b.AckOne(seq); err != nil {
					t.Fatal(err)
				}
			}
			put(t, b, "e")
			put(t, b, "f")
			if got := contents(t, b); got != "adef" || b.Stats().Dropped != 0 {
				t.Errorf("contents %s, %+v", got, b.Stats())
			}
			for _, p := range "ghi" {
				put(t, b, string(p))
			}
			if s := b.Stats(); contents(t, b) != "fghi" || s.Dropped != 3 || s.Messages != 4 || s.Bytes != 8 {
				t.Errorf("contents %s, %+v", contents(t, b), s)
			}
		})
	}
}

// What was acknowledged out of order is not there when the box is opened again, be
// it closed or not, and the counts are those of what is.
func TestAckOneReopen(t *testing.T) {
	for _, closed := range []bool{true, false} {
		t.Run(fmt.Sprintf("closed %v", closed), func(t *testing.T) {
			p := newPlatter()
			o := DiskOptions{fs: p, still: true, segment: 16 << 10}
			d, err := Open("platter", o)
			if err != nil {
				t.Fatal(err)
			}
			left := map[uint64]bool{}
			for i := range 300 {
				left[put(t, d, fmt.Sprintf("%d%s", i, strings.Repeat(" ", 100)))] = true
			}
			for seq := uint64(100); seq <= 300; seq++ { // live, in a few sessions
				if seq%50 != 0 {
					delete(left, seq)
					if err := d.AckOne(seq); err != nil {
						t.Fatal(err)
					}
				}
			}
			for range 3 {
				if closed {
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if d, err = Open("platter", o); err != nil {
					t.Fatal(err)
				}
				if len(payloads(t, d)) != len(left) || d.Len() != len(left) || d.NextSeq() != 301 {
					t.Fatalf("%d messages found, %d counted, want %d; next %d", len(payloads(t, d)), d.Len(), len(left), d.NextSeq())
				}
			}
			for seq := range left {
				if err := d.AckOne(seq); err != nil {
					t.Fatal(err)
				}
			}
			if d.Len() != 0 || len(d.position.sacks.list) != 0 || d.position.acked != 300 {
				t.Errorf("%d left, %+v", d.Len(), d.position.ackState)
			}
		})
	}
}

// If the ranges are more than can be written down, the longest are, and of the rest
// the messages come again after the end of the process; nothing is lost.
func TestAckOneTooMany(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir, DiskOptions{segment: 64 << 10})
	const n = 1000
	for i := range n {
		put(t, d, fmt.Sprint(i+1))
	}
	left := 0
	for seq := uint64(1); seq <= n; seq++ {
		if seq%2 == 0 || seq > 500 && seq < 700 {
			if err := d.AckOne(seq); err != nil {
				t.Fatal(err)
			}
		} else {
			left++
		}
	}
	if d.Len() != left || len(payloads(t, d)) != left {
		t.Errorf("%d counted, %d found, want %d", d.Len(), len(payloads(t, d)), left)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDisk(t, dir, DiskOptions{})
	found := payloads(t, d)
	if again := len(found) - left; again != d.Len()-left || again < 300 || again > 400 {
		t.Errorf("%d messages come again, %d counted", again, d.Len()-left)
	}
	seen := map[string]bool{}
	for _, f := range found {
		seen[f] = true
	}
	for seq := 1; seq <= n; seq++ {
		if gone := seq%2 == 0 || seq > 500 && seq < 700; !gone && !seen[fmt.Sprint(seq)] {
			t.Errorf("message %d is lost", seq)
		}
		if seq >= 500 && seq <= 700 && seen[fmt.Sprint(seq)] {
			t.Errorf("message %d of the longest range is back", seq)
		}
	}
}

// Segments whose messages have all overtaken a backlog give their room back.
func TestAckOneHollow(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, dir, DiskOptions{segment: 64 << 10, still: true})
	put(t, d, "backlog")
	for range 2000 {
		if err := d.AckOne(put(t, d, strings.Repeat("x", 300))); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		d.keeper.tend(time.Now())
	}
	var bytes int64
	names, err := filepath.Glob(filepath.Join(dir, "*"+segSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		st, err := os.Stat(n)
		if err != nil {
			t.Fatal(err)
		}
		bytes += st.Size()
	}
	if len(names) < 9 || bytes > 256<<10+page*int64(len(names)) {
		t.Errorf("%d segments with %d bytes", len(names), bytes)
	}
	if d.Len() != 1 || len(payloads(t, d)) != 1 {
		t.Errorf("length %d, found %d", d.Len(), len(payloads(t, d)))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openDisk(t, dir, DiskOptions{still: true})
	if d.Len() != 1 || len(payloads(t, d)) != 1 {
		t.Errorf("opened again: length %d, found %d", d.Len(), len(payloads(t, d)))
	}
	if err := d.Ack(1); err != nil || d.Len() != 0 {
		t.Errorf("%v, length %d", err, d.Len())
	}
}

// The ranges survive what is written of them, in whatever order they came to be.
func TestSacks(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		acked := r.Uint64N(1 << uint(r.IntN(40)))
		var s sacks
		gone := map[uint64]bool{}
		var all tally
		for range r.IntN(60) {
			seq := acked + 2 + r.Uint64N(60)
			if s.has(seq) != gone[seq] {
				t.Fatalf("seed %d: %d in %+v", seed, seq, s)
			}
			if !gone[seq] {
				var one tally
				one.add(Class(r.IntN(2)), r.Int64N(1<<20))
				all.plus(&one)
				gone[seq] = true
				s.add(seq, seq, one)
			}
		}
		n := 0
		var sum tally
		for i, l := range s.list {
			n += int(l.length()) + 1
			sum.plus(&l.gone)
			if l.from > l.to || i > 0 && l.from < s.list[i-1].to+2 {
				t.Fatalf("seed %d: %+v", seed, s)
			}
		}
		if n != len(gone) || sum != all || s.sum != all {
			t.Fatalf("seed %d: %d of %d, %v of %v in %+v", seed, n, len(gone), sum, all, s)
		}
		var b [420]byte
		saved := encodeSacks(b[:], s.largest(nil), acked)
		if got := decodeSacks(b[:], acked); saved != len(s.list) || len(s.list) > 0 && !reflect.DeepEqual(got, s) {
			t.Fatalf("seed %d: %+v, %d saved and read as %+v", seed, s, saved, got)
		}
		for c := range classes {
			messages, bytes := s.fold(c, 1<<62)
			if messages != all.messages[c] || bytes != all.bytes[c] {
				t.Fatalf("seed %d: folded %d, %d of %v", seed, messages, bytes, all)
			}
		}
		if s.sum != (tally{}) {
			t.Fatalf("seed %d: %v left", seed, s.sum)
		}
	}
}

// FuzzSlot reads slots that are anything: what is read makes sense, and is read again
// when it is written.
func FuzzSlot(f *testing.F) {
	p := newPlatter()
	d, err := Open("fuzz", DiskOptions{fs: p, still: true})
	if err != nil {
		f.Fatal(err)
	}
	for range 40 {
		put(f, d, "x")
	}
	for _, seq := range []uint64{1, 5, 6, 7, 20, 30, 31} {
		if err := d.AckOne(seq); err != nil {
			f.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		f.Fatal(err)
	}
	ack := bytes.Clone(p.names[ackName].data)
	f.Add(ack[:slotLength])
	f.Add(ack[slotStride:])
	f.Fuzz(func(t *testing.T, slot []byte) {
		if len(slot) < slotLength {
			return
		}
		slot = slot[:slotLength]
		mendSums(nil, slot)
		p := newPlatter()
		file, err := p.open(ackName, os.O_RDWR|os.O_CREATE)
		if err == nil {
			_, err = file.WriteAt(slot, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		s := slots{fs: p}
		pos, err := s.load()
		if err != nil {
			return
		}
		before := pos.acked
		for _, l := range pos.sacks.list {
			if l.from < before+2 || l.to < l.from || l.to >= maxSeq || l.gone.messages[Reading] > l.length()+1 {
				t.Fatalf("acknowledged %d, %+v", pos.acked, pos.sacks.list)
			}
			before = l.to
		}
		want := pos
		want.sacks.list = append([]sack(nil), pos.sacks.list...)
		if err := s.save(&pos, true); err != nil {
			t.Fatal(err)
		}
		s = slots{fs: p}
		got, err := s.load()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v, %+v is read as %+v", err, want, got)
		}
	})
}
