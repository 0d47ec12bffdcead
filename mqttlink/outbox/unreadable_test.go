package outbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

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
	if len(d.log.segs) < 3 {
		t.Fatalf("%d segments", len(d.log.segs))
	}
	s := d.log.segs[1]
	for _, off := range []int64{0, 2 * page, s.limit / page * page} {
		p.sector = &badPage{p.names[s.name()], off}
		d.position.reader.close()
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
	name := d.log.segs[0].name()
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

// When neither slot can be read, what was saved in them before does not count later,
// although it reports more saving.
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
