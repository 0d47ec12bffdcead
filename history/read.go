package history

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrDamaged is wrapped by the errors of files that are no histories, or no more.
var ErrDamaged = errors.New("damaged")

// SetAsideError reports that a file was damaged and another one was begun.
type SetAsideError struct{ err error }

// Error names the file, and under which name it is kept.
func (e *SetAsideError) Error() string { return e.err.Error() }

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *SetAsideError) Unwrap() error { return e.err }

// view reads a history: its file, and pages that are newer than those of the file.
type view struct {
	header
	f       io.ReaderAt
	over    []*page
	damaged int // pages that were passed over
}

// bufferPages bounds what is read at a time: 64 KiB.
const bufferPages = 16

// openView looks at a file by itself. One read gets its head and the journal.
func openView(f io.ReaderAt) (*view, error) {
	first := make([]byte, ringsAt*pageSize)
	if err := readFull(f, first, 0); err != nil {
		return nil, err
	}
	h, err := decodeHeader(pageOf(first, 0))
	if err != nil {
		return nil, err
	}
	v := &view{header: h, f: f}
	for t := range tier(tierCount) {
		if p := pageOf(first, journalAt+int64(t)); p.valid(t) {
			v.over = append(v.over, p)
		}
	}
	return v, nil
}

// pageOf is a page of those in b.
func pageOf(b []byte, i int64) *page { return (*page)(b[i*pageSize:]) }

// scan calls yield for each slot with readings that begins in [from, to), in seconds since 1970,
// in order, until it returns false. usual is the distance of readings, in milliseconds, or 0.
func (v *view) scan(t tier, from, to int64, yield func(second int64, s sum, usual uint32) bool) error {
	l := &layouts[t]
	from, to = max(0, from), min(to, latestSecond+1)
	if from >= to {
		return nil
	}
	first, _ := l.locate(from)
	last, _ := l.locate(to - 1)
	first = max(first, last-l.places+1) // older ones are not there any more
	most := min(bufferPages, last-first+1)
	buffer := make([]byte, most*pageSize)
	for number := first; number <= last; {
		n := min(most, last-number+1, l.places-number%l.places)
		if err := readFull(v.f, buffer[:n*pageSize], l.place(number)); err != nil {
			if v.readEach(buffer[:n*pageSize], l.place(number)) == 0 && len(v.over) == 0 {
				return fmt.Errorf("pages %d to %d of %s: %w", number, number+n-1, tierNames[t], err)
			}
		}
		for i := range n {
			p := v.pick(t, number, pageOf(buffer, i))
			if p != nil && !yieldPage(p, t, max(from, number*l.span()), min(to, (number+1)*l.span()), yield) {
				return nil
			}
			number++
		}
	}
	return nil
}

// readEach reads pages one by one, and returns how many the disk gives back. The others are
// damaged.
func (v *view) readEach(b []byte, off int64) (good int) {
	for i := int64(0); i < int64(len(b)); i += pageSize {
		if readFull(v.f, b[i:i+pageSize], off+i) == nil {
			good++
			continue
		}
		clear(b[i : i+pageSize])
		v.damaged++
	}
	return good
}

// pick returns the newest version of a page, or nil if there is none.
func (v *view) pick(t tier, number int64, place *page) *page {
	whole := place.valid(t)
	found := (*page)(nil)
	if whole && place.number() == number {
		found = place
	}
	for _, p := range v.over {
		if tier(p[4]) == t && p.number() == number && (found == nil || p.generation() >= found.generation()) {
			found = p
		}
	}
	if found == nil && !whole && !place.blank() {
		v.damaged++
	}
	return found
}

// yieldPage yields the slots of a page that begin in [from, to).
func yieldPage(p *page, t tier, from, to int64, yield func(int64, sum, uint32) bool) bool {
	l := &layouts[t]
	begin, usual := p.number()*l.span(), p.usual()
	for i := (from - begin + l.step - 1) / l.step; i < l.slots && begin+i*l.step < to; i++ {
		if s := p.slot(t, i); s.n > 0 && !yield(begin+i*l.step, s, usual) {
			return false
		}
	}
	return true
}

// File is the history of one quantity that is read by itself, without its owner.
type File struct {
	view *view
	f    io.Closer
}

// OpenFile opens a file of a folder of histories for reading only.
func OpenFile(dir, name string) (*File, error) { return openFile(folder(dir), name) }

func openFile(d files, name string) (*File, error) {
	f, err := d.open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	v, err := openView(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("history %s: %w", name, err), f.Close())
	}
	return &File{v, f}, nil
}

// Key returns of what the file is.
func (f *File) Key() Key { return f.view.Key }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Damaged returns how many pages were passed over because their checksums were wrong.
func (f *File) Damaged() int { return f.view.damaged }
