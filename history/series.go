package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// series is the history of one quantity as its owner writes it. Its methods are for one
// goroutine at a time.
//
// In memory are the pages that are being filled, one of each tier, and those that are full and
// could not be written. Minutes and hours are written when a page of minutes is full, every 4.2
// hours: what a power cut takes of them is computed again from the raw slots.
type series struct {
	header
	name string // of the file
	fs   files

	f       file // nil: not open yet
	heads   [tierCount]*sheet
	unsaved []*sheet // full, oldest first
	dropped int      // pages that found no place in unsaved
	lost    int      // pages that the disk did not give back
	back    int      // readings in a row that were older than the raw page
	refused uint64   // readings of those
	last    int64    // second of the latest reading
	usual   usual
	failing bool // it could not be opened or written the last time
	full    bool // there is no room for its file
	tried   int  // turn of the store in which opening it failed
}

// maxUnsaved bounds the pages that wait for a disk that cannot be written: with those of raw
// slots that is four hours.
const maxUnsaved = 16

// stepBack is how many readings in a row have to be older than the page that is being filled
// before that is taken for a clock that was set back. Fewer are dropped: each change between
// pages is a write.
const stepBack = 3

// open opens the file, or makes it, and computes again what a power cut before second took.
func (s *series) open(second int64) error {
	if s.f != nil {
		return nil
	}
	f, err := openOrMake(s.fs, s.name, &s.header)
	if err != nil {
		return err
	}
	for t := range tier(tierCount) {
		if err := settle(f, t); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s.f = f
	s.restore(second)
	return nil
}

// openOrMake opens a file, or makes it so that after a power cut it is there with its head or
// not at all. One that cannot be read as a history is renamed, and another made.
func openOrMake(d files, name string, h *header) (file, error) {
	f, err := d.open(name, os.O_RDWR)
	var damage error
	switch {
	case err == nil:
		var p page
		if err := readFull(f, p[:], 0); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		had, err := decodeHeader(&p)
		if err == nil && had.Key == h.Key {
			return f, nil
		}
		f.Close()
		if err == nil {
			err = fmt.Errorf("it is of %v in %q (%w)", had.Key, had.Unit, ErrDamaged)
		}
		damage = fmt.Errorf("history %s: %w; it is kept as %s", name, err, name+damagedSuffix)
		if err := d.rename(name, name+damagedSuffix); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	f, err = d.open(name+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	if err := writePage(f, h.encode(), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := errors.Join(d.rename(name+newSuffix, name), d.syncDir()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if damage != nil {
		return f, &SetAsideError{damage}
	}
	return f, nil
}

// restore computes minutes and hours of the last day again, where that has more readings than
// the file.
func (s *series) restore(second int64) {
	var minute, hour sum
	var minuteAt, hourAt int64
	putHour := func() {
		s.putMore(hours, hourAt, hour)
		hour = sum{}
	}
	putMinute := func() {
		if minute.n == 0 {
			return
		}
		if at := minuteAt - minuteAt%3600; at != hourAt {
			putHour()
			hourAt = at
		}
		s.putMore(minutes, minuteAt, minute)
		_, i := layouts[minutes].locate(minuteAt)
		hour = hour.merge(s.heads[minutes].slot(minutes, i))
		minute = sum{}
	}
	v := view{f: s.f}
	_ = v.scan(raw, max(0, second-layouts[raw].keep), second+1, func(at int64, one sum, _ uint32) bool { // what cannot be read is not restored
		if m := at - at%60; m != minuteAt {
			putMinute()
			minuteAt = m
		}
		minute = minute.merge(one)
		s.last = at
		return true
	})
	putMinute()
	putHour()
}

// putMore sets a slot to a sum, if that is of more readings.
func (s *series) putMore(t tier, second int64, more sum) {
	if more.n == 0 {
		return
	}
	number, i := layouts[t].locate(second)
	s.turn(t, number)
	h := s.heads[t]
	if h.slot(t, i).n < more.n && h.holds(more.min, h.empty) && h.holds(more.max, h.empty) {
		h.put(i, more)
	}
}

// add adds a reading. What is wrong with the disk is found by flush.
func (s *series) add(second int64, v float64) {
	if second < 0 || second > latestSecond || !finite(v) {
		s.refused++
		return
	}
	if h := s.heads[raw]; h != nil {
		if number, _ := layouts[raw].locate(second); number < h.number() {
			if s.back++; s.back < stepBack {
				s.refused++
				return
			}
		}
	}
	s.back = 0
	for t := range tier(tierCount) {
		number, i := layouts[t].locate(second)
		s.turn(t, number)
		h := s.heads[t]
		if !h.holds(v, h.empty) {
			s.refused++
			return
		}
		h.add(i, sum{1, v, v, v})
	}
	s.usual.note(second - s.last)
	s.last = second
}

// turn makes a page of a tier the one that is being filled.
func (s *series) turn(t tier, number int64) {
	if s.heads[t].is(t, number) {
		return
	}
	next := (*sheet)(nil)
	if i := slices.IndexFunc(s.unsaved, func(u *sheet) bool { return u.is(t, number) }); i >= 0 {
		next = s.unsaved[i]
		s.unsaved = slices.Delete(s.unsaved, i, i+1)
	} else {
		var err error
		if next, err = readSheet(s.f, t, number); err != nil {
			s.lost++
		}
	}
	if h := s.heads[t]; h != nil && h.dirty {
		s.keep(h)
		if t == minutes && s.heads[hours] != nil {
			s.heads[hours].age = saveAge // a power cut must not take more hours than there are raw slots
		}
	}
	s.heads[t] = next
}

// keep has a page wait to be written.
func (s *series) keep(h *sheet) {
	h.setUsual(s.usual.milliseconds())
	s.unsaved = append(s.unsaved, h)
	if len(s.unsaved) <= maxUnsaved {
		return
	}
	if i := slices.IndexFunc(s.unsaved, func(u *sheet) bool { return !u.journaled }); i >= 0 {
		s.unsaved = slices.Delete(s.unsaved, i, i+1)
		s.dropped++
	}
}

// flush writes the pages that are full, and those that are due.
func (s *series) flush() error {
	for len(s.unsaved) > 0 {
		if err := s.unsaved[0].write(s.f); err != nil {
			return err
		}
		s.unsaved = slices.Delete(s.unsaved, 0, 1)
	}
	for _, h := range s.heads {
		if h != nil && h.dirty && h.age >= saveAge {
			h.setUsual(s.usual.milliseconds())
			if err := h.write(s.f); err != nil {
				return err
			}
		}
	}
	return nil
}

// tick lets the raw page become older; those of minutes and hours are computed from raw ones.
func (s *series) tick() {
	if h := s.heads[raw]; h != nil && h.dirty {
		h.age++
	}
}

// close writes what is not written yet, and closes the file.
func (s *series) close() error {
	if s.f == nil {
		return nil
	}
	for _, h := range s.heads {
		if h != nil {
			h.age = saveAge
		}
	}
	err := errors.Join(s.flush(), s.f.Close())
	s.f, s.heads, s.unsaved = nil, [tierCount]*sheet{}, nil
	return err
}

// newer are copies of the pages that are only in memory, or newer there.
func (s *series) newer() (over []*page) {
	for _, h := range slices.Concat(s.unsaved, s.heads[:]) {
		if h != nil {
			h.setUsual(s.usual.milliseconds())
			p := *h.page
			over = append(over, &p)
		}
	}
	return over
}

// usual is the usual distance of readings: the median of the last ones, which neither a pause
// nor a reading more disturbs.
type usual struct {
	last [15]int64 // seconds
	n    int
}

func (u *usual) note(seconds int64) {
	if seconds > 0 {
		u.last[u.n%len(u.last)] = seconds
		u.n++
	}
}

// milliseconds returns it; 0: not known.
func (u *usual) milliseconds() uint32 {
	n := min(u.n, len(u.last))
	if n < 3 {
		return 0
	}
	sorted := u.last
	slices.Sort(sorted[:n])
	return uint32(min(sorted[n/2], 30*86400) * time.Second.Milliseconds())
}
