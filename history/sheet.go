package history

import "fmt"

// sheet is a page in memory, with what is known of it on the disk.
type sheet struct {
	*page
	tier  tier
	empty bool // it has no slot
	dirty bool // it has slots that the disk has not
	age   int  // ticks since it is dirty

	// placed: its place has an earlier version of it, which a torn write would destroy.
	placed bool
	// journaled: the journal has a version of it, and a write to its place has not ended well.
	// The journal must not be written then, whatever with, before the place is good.
	journaled bool

	// The slot that was added to last, as exactly as it was computed: a mean that is rounded with
	// each reading drifts.
	exact   sum
	exactAt int64
}

func newSheet(t tier, number int64) *sheet {
	s := &sheet{page: new(page), tier: t, empty: true}
	s.begin(t, number)
	return s
}

// is reports whether s is that page.
func (s *sheet) is(t tier, number int64) bool {
	return s != nil && s.tier == t && s.number() == number
}

// add adds readings to a slot.
func (s *sheet) add(i int64, v sum) {
	had := s.slot(s.tier, i)
	if s.tier == raw && had.n > 0 {
		return // at most one reading of a second is kept raw
	}
	if had.n > 0 && had.n == s.exact.n && i == s.exactAt {
		had = s.exact
	}
	s.exact, s.exactAt = had.merge(v), i
	s.put(i, s.exact)
}

// put sets a slot.
func (s *sheet) put(i int64, v sum) {
	s.set(s.tier, i, v, s.empty)
	s.empty, s.dirty = false, true
}

// write writes the page so that after a power cut it is there in this version or the last.
func (s *sheet) write(f file) error {
	s.seal()
	if s.placed && !s.journaled {
		if err := writePage(f, s.page, journalPlace(s.tier)); err != nil {
			return err
		}
		s.journaled = true
	}
	if err := writePage(f, s.page, layouts[s.tier].place(s.number())); err != nil {
		return err
	}
	s.placed, s.journaled, s.dirty, s.age = true, false, false, 0
	return nil
}

// writePage writes a page and waits for the disk.
func writePage(f file, p *page, off int64) error {
	if _, err := f.WriteAt(p[:], off); err != nil {
		return err
	}
	return f.Sync()
}

// readSheet reads a page of the file: the version in its place, or in the journal if that is
// newer or whole. One that the file does not have is empty, and so is one that the disk does not
// give back, which is an error, too: it heals when it is written.
func readSheet(f file, t tier, number int64) (*sheet, error) {
	s, other := &sheet{page: new(page), tier: t}, new(page)
	err := readFull(f, s.page[:], layouts[t].place(number))
	if err != nil {
		clear(s.page[:])
		err = fmt.Errorf("page %d of %s: %w", number, tierNames[t], err)
	}
	s.placed = s.valid(t) && s.number() == number
	if journal := readFull(f, other[:], journalPlace(t)); journal != nil {
		clear(other[:])
	}
	if other.valid(t) && other.number() == number && (!s.placed || other.generation() > s.generation()) {
		s.page, s.journaled = other, true
	}
	if !s.placed && !s.journaled {
		return newSheet(t, number), err
	}
	return s, err
}

// settle completes a write that a power cut ended between the journal and the place.
func settle(f file, t tier) error {
	var journal, place page
	if err := readFull(f, journal[:], journalPlace(t)); err != nil || !journal.valid(t) || journal.number() < 0 || journal.number() > latestSecond {
		return nil // there is nothing to complete
	}
	at := layouts[t].place(journal.number())
	torn := readFull(f, place[:], at) != nil || !place.valid(t) && !place.blank()
	if torn || place.valid(t) && place.number() == journal.number() && place.generation() < journal.generation() {
		return writePage(f, &journal, at)
	}
	return nil
}
