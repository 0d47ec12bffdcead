package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sort"
)

const (
	ackName    = "ack"
	ackMagic   = "PIOUACK" // followed by the version
	slotLength = 512
	slotStride = page // a write that is torn hurts one slot only
	sacksAt    = 88   // in a slot
)

// ackState is how far the box has been emptied, as the file has it.
type ackState struct {
	acked  uint64          // all up to here are gone
	floors [classes]uint64 // and those of a class below this; always above acked
	gone   tally           // how many were appended below their class's floor
	sacks  sacks           // what else is gone; all behind acked+1
	handed uint64          // see Disk.SetHanded
	synced uint64          // when the box was closed, all below was on the disk; 0 while it is open
}

// slots keeps an ackState in a file, in two places written in turn.
type slots struct {
	fs         files
	f          file
	generation uint64
	buf        [slotLength]byte
	sacks      [maxSaved + 1]sack // to choose those that are saved
	saved      int                // how many were, the last time
	doubt      bool               // a newer one may be there that could not be read
}

// load reads the newer of the slots. Without one it returns the zero value,
// and an error if there should have been one.
func (s *slots) load() (p ackState, err error) {
	f, err := s.fs.open(ackName, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		s.doubt = true
		return p, err
	}
	defer f.Close()
	found, blank := false, true
	var later error
	for i := range int64(2) {
		if err := readAll(f, s.buf[:], i*slotStride); err != nil {
			later = err
			blank = false
			continue
		}
		if s.buf != [slotLength]byte{} {
			blank = false
		}
		if q, g, ok, err := s.decode(); err != nil {
			return p, err
		} else if ok && (!found || g > s.generation) {
			p, s.generation, found = q, g, true
		}
	}
	if !found && !blank {
		s.doubt = true
		if later == nil {
			later = errors.New("both of its slots are damaged")
		}
		return p, fmt.Errorf("what was delivered is not known (%s: %w): all that is left is delivered again", ackName, later)
	}
	return p, nil
}

func (s *slots) decode() (p ackState, generation uint64, ok bool, err error) {
	b := s.buf[:]
	if string(b[:7]) != ackMagic || crc32.Checksum(b[:slotLength-4], castagnoli) != le.Uint32(b[slotLength-4:]) {
		return p, 0, false, nil
	}
	if b[7] != version {
		return p, 0, false, ErrVersion
	}
	generation, p.acked, p.handed = le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	for c := range classes {
		v := b[32+24*int(c):]
		p.floors[c], p.gone.messages[c], p.gone.bytes[c] = max(le.Uint64(v), p.acked+1), le.Uint64(v[8:]), le.Uint64(v[16:])
	}
	p.synced = le.Uint64(b[32+24*classes:])
	p.sacks = decodeSacks(b[sacksAt:slotLength-4], p.acked)
	// Larger numbers are none that this program gives.
	return p, generation, max(p.acked, p.handed, p.floors[Reading], p.floors[Alarm]) < maxSeq/2, nil
}

// save writes p over the older slot; of the sacks what fits, and their list is
// changed. The kernel has it when save returns; a power
// cut may lose it, which costs duplicates only.
func (s *slots) save(p *ackState, sync bool) (err error) {
	if s.f == nil {
		if s.f, err = s.fs.open(ackName, os.O_RDWR|os.O_CREATE); err != nil {
			s.f = nil
			return err
		}
		// Both slots get their place on the disk: when it is full, what is delivered can
		// still be written down.
		if n, err := s.f.Size(); err == nil && n < slotStride+slotLength {
			if _, err := s.f.WriteAt(make([]byte, slotStride+slotLength-n), n); err != nil {
				s.close()
				return err
			}
		}
	}
	err = s.write(p, sync)
	if err == nil && s.doubt {
		err = s.write(p, sync) // over both of them
		s.doubt = err != nil
	}
	if err != nil {
		s.close()
	}
	return err
}

func (s *slots) write(p *ackState, sync bool) error {
	b := s.buf[:]
	clear(b)
	copy(b, ackMagic)
	b[7] = version
	s.generation++
	le.PutUint64(b[8:], s.generation)
	le.PutUint64(b[16:], p.acked)
	le.PutUint64(b[24:], p.handed)
	for c := range classes {
		v := b[32+24*int(c):]
		le.PutUint64(v, p.floors[c])
		le.PutUint64(v[8:], p.gone.messages[c])
		le.PutUint64(v[16:], p.gone.bytes[c])
	}
	le.PutUint64(b[32+24*classes:], p.synced)
	s.saved = encodeSacks(b[sacksAt:slotLength-4], p.sacks.list, p.acked)
	le.PutUint32(b[slotLength-4:], crc32.Checksum(b[:slotLength-4], castagnoli))
	_, err := s.f.WriteAt(b, int64(s.generation&1)*slotStride)
	if err == nil && sync {
		err = s.f.Sync()
	}
	if err != nil {
		s.generation-- // the other slot is the good one: it stays
	}
	return err
}

func (s *slots) close() {
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
}

// sack is a range of messages that are gone although older ones are not. The name
// is TCP's for the same thing: selective acknowledgement, RFC 2018.
type sack struct {
	from, to uint64 // both are gone
	gone     tally  // those of them that ackState.gone does not count
}

// sacks are in order, and no two of them touch.
type sacks struct {
	list []sack
	sum  tally
}

// index returns the first that ends at seq or behind.
func (s *sacks) index(seq uint64) int {
	return sort.Search(len(s.list), func(i int) bool { return s.list[i].to >= seq })
}

func (s *sacks) has(seq uint64) bool {
	i := s.index(seq)
	return i < len(s.list) && s.list[i].from <= seq
}

// skip returns the first number from seq on that is in none.
func (s *sacks) skip(seq uint64) uint64 {
	if i := s.index(seq); i < len(s.list) && s.list[i].from <= seq {
		return s.list[i].to + 1
	}
	return seq
}

// behind returns the number behind the last one that ends before seq; 0: there is none.
func (s *sacks) behind(seq uint64) uint64 {
	if i := s.index(seq); i > 0 {
		return s.list[i-1].to + 1
	}
	return 0
}

// covers reports whether all from one number to another are gone.
func (s *sacks) covers(from, to uint64) bool {
	i := s.index(to)
	return i < len(s.list) && s.list[i].from <= from
}

// overlap returns how many of the numbers are gone.
func (s *sacks) overlap(from, to uint64) (n uint64) {
	for i := s.index(from); i < len(s.list) && s.list[i].from <= to; i++ {
		n += min(to, s.list[i].to) - max(from, s.list[i].from) + 1
	}
	return n
}

// end returns the number behind all of them.
func (s *sacks) end() uint64 {
	if n := len(s.list); n > 0 {
		return s.list[n-1].to + 1
	}
	return 0
}

// add puts in a range, none of which is in yet.
func (s *sacks) add(from, to uint64, gone tally) {
	s.sum.plus(&gone)
	i := s.index(from)
	left := i > 0 && s.list[i-1].to+1 == from
	right := i < len(s.list) && s.list[i].from == to+1
	switch {
	case left && right:
		s.list[i-1].to = s.list[i].to
		s.list[i-1].gone.plus(&s.list[i].gone)
		s.list[i-1].gone.plus(&gone)
		s.list = slices.Delete(s.list, i, i+1)
	case left:
		s.list[i-1].to = to
		s.list[i-1].gone.plus(&gone)
	case right:
		s.list[i].from = from
		s.list[i].gone.plus(&gone)
	default:
		s.list = slices.Insert(s.list, i, sack{from, to, gone})
	}
}

// size counts a message that was put in without its tally.
func (s *sacks) size(seq uint64, c Class, bytes int64) {
	s.list[s.index(seq)].gone.add(c, bytes)
	s.sum.add(c, bytes)
}

// fold takes the tallies of a class out of those that end before a number.
func (s *sacks) fold(c Class, before uint64) (messages, bytes uint64) {
	for i := 0; i < len(s.list) && s.list[i].to < before; i++ {
		g := &s.list[i].gone
		messages += g.messages[c]
		bytes += g.bytes[c]
		g.messages[c], g.bytes[c] = 0, 0
	}
	s.sum.messages[c] -= messages
	s.sum.bytes[c] -= bytes
	return messages, bytes
}

// pass takes out those that the front of the box has reached, and returns where it
// is then and what they counted.
func (s *sacks) pass(acked uint64) (uint64, tally) {
	var gone tally
	n := 0
	for ; n < len(s.list) && s.list[n].from <= acked+1; n++ {
		acked = max(acked, s.list[n].to)
		gone.plus(&s.list[n].gone)
	}
	s.list = slices.Delete(s.list, 0, n)
	s.sum.minus(&gone)
	return acked, gone
}

// maxSaved is how many of them are written down at most, if they fit.
const maxSaved = 32

// largest appends the longest to buf, in order: as many as may be written down.
func (s *sacks) largest(buf []sack) []sack {
	for i := range s.list {
		if len(buf) == maxSaved {
			least := shortest(buf)
			if buf[least].length() >= s.list[i].length() {
				continue
			}
			buf = slices.Delete(buf, least, least+1)
		}
		buf = append(buf, s.list[i])
	}
	return buf
}

func (s *sack) length() uint64 { return s.to - s.from }

func shortest(list []sack) (least int) {
	for i := range list {
		if list[i].length() <= list[least].length() {
			least = i
		}
	}
	return least
}

// encodeSacks writes into b as many of the list as fit, the longest, and returns
// how many those are. What is behind them in b stays as it is. The list is changed.
func encodeSacks(b []byte, list []sack, acked uint64) int {
	if len(list) == 0 { // nearly always: without the room for more
		b[0] = 0
		return 0
	}
	for {
		var room [8 * maxSaved * binary.MaxVarintLen64]byte
		w := append(room[:0], byte(len(list)))
		before := acked
		for i := range list {
			g := &list[i].gone
			w = binary.AppendUvarint(w, list[i].from-before)
			w = binary.AppendUvarint(w, list[i].length())
			for c := range classes {
				w = binary.AppendUvarint(w, g.messages[c])
				w = binary.AppendUvarint(w, g.bytes[c])
			}
			before = list[i].to
		}
		if len(w) <= len(b) {
			copy(b, w)
			return len(list)
		}
		least := shortest(list)
		list = slices.Delete(list, least, least+1)
	}
}

// decodeSacks is the reverse. What cannot be is passed over: those messages are
// delivered again.
func decodeSacks(b []byte, acked uint64) (s sacks) {
	n := int(b[0])
	b = b[1:]
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return maxSeq
		}
		b = b[n:]
		return v
	}
	before := acked
	for range min(n, maxSaved) {
		gap, length := number(), number()
		var gone tally
		for c := range classes {
			gone.messages[c], gone.bytes[c] = number(), number()
		}
		if gap < 2 || max(gap, length, gone.bytes[Reading], gone.bytes[Alarm]) >= maxSeq/4 ||
			max(gone.messages[Reading], gone.messages[Alarm]) > length+1 || before+gap+length >= maxSeq/2 {
			break
		}
		from := before + gap
		before = from + length
		s.add(from, before, gone)
	}
	return s
}
