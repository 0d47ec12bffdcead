package outbox

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a box of n messages in one segment and returns the segment's file,
// its contents, and where its records end.
func write(t testing.TB, dir string, o DiskOptions, payloads ...string) (name string, contents []byte, end int) {
	t.Helper()
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range payloads {
		if _, err := d.Append(Record{Topic: fmt.Sprintf("topic/%d", i%3), Payload: []byte(p), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.log.segs) != 1 {
		t.Fatalf("%d segments", len(d.log.segs))
	}
	name, end = filepath.Join(dir, d.log.segs[0].name()), int(d.log.segs[0].limit)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if contents, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return name, contents, end
}

// reopen opens the box with another segment file, and returns what is in it.
func reopen(t testing.TB, name string, segment []byte) (d *Disk, found []string) {
	t.Helper()
	if err := os.WriteFile(name, segment, 0o600); err != nil {
		t.Fatal(err)
	}
	d = openDisk(t, filepath.Dir(name), DiskOptions{})
	return d, payloads(t, d)
}

func payloads(t testing.TB, b Box) (found []string) {
	t.Helper()
	for pos := uint64(0); ; {
		r, ok, err := b.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return found
		}
		if r.Seq < pos {
			t.Fatalf("message %d after %d", r.Seq, pos)
		}
		found = append(found, string(r.Payload))
		pos = r.Seq + 1
	}
}

// A last write of which any prefix has arrived, in an old file or in a new one,
// opens cleanly: what was before is there, and appending continues.
func TestTornWrite(t *testing.T) {
	for _, stale := range []bool{false, true} {
		t.Run(fmt.Sprintf("recycled %v", stale), func(t *testing.T) {
			t.Parallel()
			p := newPlatter()
			o := DiskOptions{fs: p, segment: 64 << 10, still: true}
			d := openOn(t, o)
			for _, text := range []string{"one", "two", "three"} {
				put(t, d, text)
			}
			name, end := d.log.segs[0].name(), int(d.log.segs[0].limit)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			before, ack := bytes.Clone(p.names[name].data), bytes.Clone(p.names[ackName].data)
			d = openOn(t, o)
			if _, err := d.AppendAll([]Record{{Topic: "new", Payload: []byte("four")}, {Topic: "t", Payload: []byte("five")}}); err != nil {
				t.Fatal(err)
			}
			last := int(d.log.segs[0].limit)
			after := bytes.Clone(p.names[name].data)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if stale {
				// What an earlier life of the file left: messages with a nonce of its own.
				_, old, n := write(t, t.TempDir(), DiskOptions{}, "old", "old", "old", "old", "old", "old", "old", "old", "old")
				copy(before[end:], old[n-len(old[end:n]):n])
				copy(after[last:], before[last:])
			}
			for n := end; n <= last; n++ {
				torn := bytes.Clone(before)
				copy(torn[end:n], after[end:n])
				p := newPlatter()
				p.put(name, torn)
				p.put(ackName, ack)
				o.fs = p
				d := openOn(t, o)
				found := payloads(t, d)
				want := []string{"one", "two", "three", "four", "five"}
				if len(found) < 3 || len(found) > 5 || n == last && len(found) != 5 || fmt.Sprint(found) != fmt.Sprint(want[:len(found)]) {
					t.Fatalf("%d bytes of %d: found %q", n-end, last-end, found)
				}
				if s := d.Stats(); s.DamagedFiles != 0 || s.Damaged != 0 || s.Messages != len(found) {
					t.Fatalf("%d bytes: %+v", n-end, s)
				}
				put(t, d, "six")
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				d = openOn(t, o)
				if again := payloads(t, d); fmt.Sprint(again) != fmt.Sprint(append(found, "six")) {
					t.Fatalf("%d bytes: %q, then %q", n-end, found, again)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func openOn(t testing.TB, o DiskOptions) *Disk {
	t.Helper()
	d, err := Open("platter", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A byte that has changed costs one message, which is reported, and the file is kept
// when the rest has been delivered.
func TestDamagedMessage(t *testing.T) {
	dir := t.TempDir()
	name, segment, _ := write(t, dir, DiskOptions{Sync: SyncAlways}, "one", "two", "three", "four")
	i := bytes.Index(segment, []byte("three"))
	segment[i] ^= 1
	d, found := reopen(t, name, segment)
	if fmt.Sprint(found) != "[one two four]" {
		t.Fatalf("found %q", found)
	}
	if s := d.Stats(); s.Damaged != 1 || s.Torn != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := d.Append(Record{Topic: "t", Payload: []byte("five")}); err != nil {
		t.Fatal(err)
	}
	if found := payloads(t, d); fmt.Sprint(found) != "[one two four five]" {
		t.Fatalf("found %q", found)
	}
	if err := d.Ack(5); err != nil || d.Len() != 0 {
		t.Fatal(err, d.Len())
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d.keeper.recycle()
	kept, err := os.ReadFile(name + damagedSuffix)
	if err != nil || !bytes.Equal(kept[:len(segment)], segment) {
		t.Errorf("the damaged file was not kept: %v", err)
	}
}

// Without a readable head nothing in a segment can be trusted: it is set aside,
// and the rest continues.
func TestDamagedHead(t *testing.T) {
	for _, at := range []int{0, 8, 30, 95} {
		dir := t.TempDir()
		name, segment, _ := write(t, dir, DiskOptions{}, "one", "two")
		segment[at] ^= 0x10
		d, found := reopen(t, name, segment)
		if len(found) != 0 || d.Stats().DamagedFiles != 1 {
			t.Errorf("byte %d: found %q, %+v", at, found, d.Stats())
		}
		put(t, d, "three")
		if found := payloads(t, d); fmt.Sprint(found) != "[three]" {
			t.Errorf("byte %d: then %q", at, found)
		}
	}
}

// A segment in the middle that is gone, cut off or overwritten costs what was in it.
func TestDamagedMiddle(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"removed":     os.Remove,
		"empty":       func(n string) error { return os.Truncate(n, 0) },
		"cut off":     func(n string) error { return os.Truncate(n, 6000) },
		"overwritten": func(n string) error { return os.WriteFile(n, bytes.Repeat([]byte("x"), 65536), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := DiskOptions{segment: 64 << 10, still: true} // all segments are small ones
			d := openDisk(t, dir, o)
			var all []string
			for i := range 500 {
				all = append(all, fmt.Sprintf("%d%s", i, strings.Repeat(" ", 300)))
				put(t, d, all[i])
			}
			if len(d.log.segs) < 5 {
				t.Fatalf("%d segments", len(d.log.segs))
			}
			s := *d.log.segs[2]
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := harm(filepath.Join(dir, s.name())); err != nil {
				t.Fatal(err)
			}
			d = openDisk(t, dir, o)
			found := payloads(t, d)
			if len(found) >= 500 || len(found) < 500-int(s.end-s.base) {
				t.Errorf("%d messages found; %d were in the segment", len(found), s.end-s.base)
			}
			for _, f := range found {
				for all[0] != f {
					all = all[1:]
				}
			}
			if lost := d.Stats().Damaged; int(lost) != 500-len(found) {
				t.Errorf("%d found, %d reported lost", len(found), lost)
			}
			if err := d.Ack(1000); err != nil || d.Len() != 0 {
				t.Errorf("%v, length %d", err, d.Len())
			}
		})
	}
}

func TestLaterVersion(t *testing.T) {
	dir := t.TempDir()
	name, segment, _ := write(t, dir, DiskOptions{}, "one")
	segment[7]++
	le.PutUint32(segment[headLength-4:], crc32.Checksum(segment[:headLength-4], castagnoli))
	if err := os.WriteFile(name, segment, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, DiskOptions{}); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Error(err)
	}
}

// FuzzOpen opens boxes whose files are anything: it must end, and continue.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	_, segment, end := write(f, dir, DiskOptions{}, "one", "two", "three", "four")
	ack, err := os.ReadFile(filepath.Join(dir, ackName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segment[:end], ack, true)
	f.Add(segment[:end+100], ack, false)
	f.Add(segment[:firstRecord], []byte{}, true)
	f.Add([]byte(magic), ack[:600], true)
	f.Add([]byte{}, []byte{}, false)
	f.Fuzz(fuzzOne)
}

func fuzzOne(t *testing.T, segment, ack []byte, sums bool) {
	if len(segment) > 1<<16 || len(ack) > 1<<14 {
		return
	}
	if sums {
		mendSums(segment, ack)
	}
	p := newPlatter()
	s := segmentNamed(segment)
	for name, b := range map[string][]byte{s.name(): segment, ackName: ack} {
		f, _ := p.open(name, os.O_RDWR|os.O_CREATE)
		_, _ = f.WriteAt(b, 0)
	}
	o := DiskOptions{fs: p, segment: 32 << 10, still: true, Limits: Limits{Messages: 1000, Drop: DropOldest}}
	d, err := Open("fuzz", o)
	if err != nil {
		return
	}
	look(t, d, 10)
	want := Record{Topic: "new", Payload: []byte("new")}
	seq, err := d.Append(want)
	if err != nil {
		t.Fatal(err)
	}
	look(t, d, 1<<20)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open("fuzz", o); err != nil {
		t.Fatal(err)
	}
	r, ok, err := d.Next(seq)
	if err != nil || !ok || r.Seq != seq || string(r.Payload) != "new" {
		t.Fatalf("appended %d, then found %v %+v, %v", seq, ok, r, err)
	}
	if err := d.Ack(seq); err != nil || d.Len() != 0 {
		t.Fatalf("%v, length %d", err, d.Len())
	}
}

// look reads up to n messages.
func look(t *testing.T, d *Disk, n int) {
	for pos := uint64(0); n > 0; n-- {
		r, ok, err := d.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		if r.Seq < pos {
			t.Fatalf("message %d after %d", r.Seq, pos)
		}
		pos = r.Seq + 1
	}
}

// segmentNamed returns the segment that b's head names, so that its name is right.
func segmentNamed(b []byte) segment {
	s := segment{base: 1, serial: 1}
	if len(b) >= headLength {
		if base, serial := le.Uint64(b[8:]), le.Uint64(b[16:]); base > 0 && base <= maxSeq/2 && serial < 1<<32 {
			s.base, s.serial = base, serial
		}
	}
	return s
}

// mendSums makes the checksums right where there is a record, so that the fuzzer
// reaches what is behind them.
func mendSums(b, ack []byte) {
	for i := 0; i < 2 && len(ack) >= i*slotStride+slotLength; i++ {
		a := ack[i*slotStride:][:slotLength]
		copy(a, ackMagic)
		a[7] = version
		le.PutUint32(a[slotLength-4:], crc32.Checksum(a[:slotLength-4], castagnoli))
	}
	if len(b) < firstRecord {
		return
	}
	copy(b, magic)
	b[7] = version
	le.PutUint32(b[headLength-4:], crc32.Checksum(b[:headLength-4], castagnoli))
	nonce := seedOf(0, le.Uint64(b[24:]))
	seed := nonce
	for off := firstRecord; off+headSize <= len(b); {
		h, ok := readHead(b[off:])
		if !ok || int64(off)+h.size() > int64(len(b)) {
			off += alignment
			continue
		}
		r := b[off : int64(off)+h.size()]
		s := seed
		if h.kind() == kindMark {
			if s = nonce; h.length == 8 {
				seed = seedOf(nonce, le.Uint64(r[headSize:]))
			}
		}
		le.PutUint32(r, crc32.Update(s, castagnoli, r[4:headSize+h.length]))
		off += len(r)
	}
}

// FuzzRecord reads optional fields that are anything.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{tagExpiry, 8, 1, 2, 3, 4, 5, 6, 7, 8}, byte(10), []byte("payload"))
	f.Add([]byte{tagField, 9, 0, 0, 0, 0, 4, 0, 0, 0, 1}, byte(11), []byte("null"))
	f.Add([]byte{99, 200}, byte(2), []byte{})
	f.Fuzz(func(t *testing.T, extra []byte, n byte, payload []byte) {
		if len(extra) < int(n) {
			return
		}
		h := head{length: uint32(int(n) + len(payload)), extra: n}
		r := h.message(1, "t", append(extra[:n:n], payload...))
		if !bytes.Equal(r.Payload, payload) || uint64(r.Field.Offset)+uint64(r.Field.Length) > uint64(len(payload)) {
			t.Fatalf("%+v", r)
		}
	})
}
