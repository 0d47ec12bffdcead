package outbox

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

const (
	ackName    = "ack"
	ackMagic   = "PIOUACK" // followed by the version
	slotLength = 512
	slotStride = page // a write that is torn hurts one slot only
	sacksAt    = 88   // in a slot
)

// position is how far the box has been emptied.
type position struct {
	acked  uint64          // all up to here are gone
	floors [classes]uint64 // and those of a class below this; always above acked
	gone   tally           // how many were appended below their class's floor
	sacks  sacks           // what else is gone; all behind acked+1
	handed uint64          // see Disk.SetHanded
	synced uint64          // when the box was closed, all below was on the disk; 0 while it is open
}

// slots keeps a position in a file, in two places written in turn.
type slots struct {
	fs         files
	f          file
	generation uint64
	buf        [slotLength]byte
	sacks      [maxSaved + 1]sack // to choose those that are saved
	saved      int                // how many were, the last time
	doubt      bool               // a newer one may be there that could not be read
}

// load reads the newer of the slots. Without one it returns the zero position,
// and an error if there should have been one.
func (s *slots) load() (p position, err error) {
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

func (s *slots) decode() (p position, generation uint64, ok bool, err error) {
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
func (s *slots) save(p *position, sync bool) (err error) {
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

func (s *slots) write(p *position, sync bool) error {
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
