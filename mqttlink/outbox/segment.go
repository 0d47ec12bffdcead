package outbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	version     = 1
	magic       = "PIOUTBX" // followed by the version
	page        = 4096
	firstRecord = page // the head has a page of its own: what is written later cannot tear it
	headLength  = 96

	segmentSize = 4 << 20
	smallPart   = 16 // of that is the length of a segment that could not be prepared
	maxSegment  = 512 << 20
	maxSeq      = 1 << 62 // more is no sequence number: no box lives as long

	segSuffix     = ".seg"
	spareSuffix   = ".spare"
	unmadeSuffix  = ".new"
	damagedSuffix = ".damaged"
)

// ErrVersion says that the files are of a later version of this program.
var ErrVersion = errors.New("the outbox was written by a later version: update pithings, or give it a folder of its own")

// segment is a file of the log. Its base and serial never change. The log's lock guards
// the rest; end, taken, hollow and damaged are written with the position's lock held, too,
// so that one of the two is enough to read them.
type segment struct {
	base   uint64 // least sequence number in it
	serial uint64 // of the file; a later one with the same base replaces it
	end    uint64 // messages from here on are in the next segment; 0: this is the last
	limit  int64  // nothing of ours is behind

	segmentHead // known when it has been read: when nonce is not 0

	taken   bool // some of its messages are unsaved again: it stays until they are written
	hollow  bool // without live messages, but between others: cut down to its head
	damaged bool // to be kept for people instead of recycled
}

// segmentHead is what the first bytes of the file say.
type segmentHead struct {
	nonce   uint64 // what makes the checksums unlike those of other segments
	before  tally  // all that was appended before it
	follows uint64 // messages from here to base were delivered before they were ever written
	size    int64  // of the file
}

func (s *segment) name() string { return fmt.Sprintf("%016x-%08x%s", s.base, s.serial, segSuffix) }

// parseName returns the numbers of a segment's name.
func parseName(name string) (base, serial uint64, ok bool) {
	name, ok = strings.CutSuffix(name, segSuffix)
	a, b, dash := strings.Cut(name, "-")
	if !ok || !dash || len(a) != 16 || len(b) < 8 {
		return 0, 0, false
	}
	base, err := strconv.ParseUint(a, 16, 64)
	serial, err2 := strconv.ParseUint(b, 16, 64)
	s := segment{base: base, serial: serial}
	return base, serial, err == nil && err2 == nil && base > 0 && base <= maxSeq && s.name() == name+segSuffix
}

// logNames returns the names of segments, in order.
func logNames(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		_, _, ok := parseName(n)
		return !ok
	})
	slices.Sort(names)
	return names
}

// head returns the first bytes of the file.
func (s *segment) head() []byte {
	b := make([]byte, 0, headLength)
	b = append(b, magic...)
	b = append(b, version)
	b = le.AppendUint64(b, s.base)
	b = le.AppendUint64(b, s.serial)
	b = le.AppendUint64(b, s.nonce)
	for c := range classes {
		b = le.AppendUint64(b, s.before.messages[c])
		b = le.AppendUint64(b, s.before.bytes[c])
	}
	b = le.AppendUint64(b, s.follows)
	b = append(b, make([]byte, headLength-4-len(b))...)
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Faults of a segment's head.
var (
	errHead    = errors.New("the head of the segment is damaged")
	errNotOurs = errors.New("the segment's name and head differ: its recycling was interrupted")
)

// readHead reads the head of the segment's file.
func (s *segment) readHead(f file) (h segmentHead, err error) {
	if h.size, err = f.Size(); err != nil {
		return h, err
	}
	if h.size < firstRecord || h.size > maxSegment {
		return h, fmt.Errorf("%w: it has %d bytes", errHead, h.size)
	}
	var b [headLength]byte
	if err := readAll(f, b[:], 0); err != nil {
		return h, err
	}
	if string(b[:7]) != magic || crc32.Checksum(b[:headLength-4], castagnoli) != le.Uint32(b[headLength-4:]) {
		return h, errHead
	}
	if b[7] != version {
		return h, ErrVersion
	}
	if le.Uint64(b[8:]) != s.base || le.Uint64(b[16:]) != s.serial {
		return h, errNotOurs
	}
	h.nonce = le.Uint64(b[24:])
	if h.nonce == 0 {
		return h, errHead
	}
	for c := range classes {
		h.before.messages[c] = le.Uint64(b[32+16*c:])
		h.before.bytes[c] = le.Uint64(b[40+16*c:])
	}
	h.follows = max(le.Uint64(b[32+16*classes:]), 1)
	return h, nil
}

// learn keeps what the head says.
func (s *segment) learn(h segmentHead) {
	if s.nonce != 0 {
		return
	}
	s.segmentHead = h
	s.limit = h.size
	s.hollow = h.size == firstRecord
}

// create makes a segment's file with room for at least need bytes of records: of a
// prepared file if spare names one. The head is on the disk before the file gets its name.
func (s *segment) create(fs files, spare string, small, need int64, sync bool) (f file, size int64, err error) {
	flag, tmp := os.O_RDWR, spare
	if spare == "" {
		flag, tmp = os.O_RDWR|os.O_CREATE|os.O_TRUNC, fmt.Sprintf("%08x%s", s.serial, unmadeSuffix)
	}
	made, err := fs.open(tmp, flag)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if made != nil {
			made.Close()
		}
		if err != nil && spare == "" {
			_ = fs.remove(tmp)
		}
	}()
	size = max(small, (firstRecord+need+page-1)/page*page)
	if spare == "" {
		err = made.Truncate(size)
	} else {
		size, err = made.Size()
	}
	if err != nil {
		return nil, 0, err
	}
	if _, err := made.WriteAt(s.head(), 0); err != nil {
		return nil, 0, err
	}
	if sync {
		if err := made.Sync(); err != nil {
			return nil, 0, err
		}
	}
	err, made = made.Close(), nil // Windows renames no open file
	if err != nil {
		return nil, 0, err
	}
	if err := fs.rename(tmp, s.name()); err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			_ = fs.remove(s.name())
		}
	}()
	if sync {
		if err := fs.syncDir(); err != nil {
			return nil, 0, err
		}
	}
	if f, err = fs.open(s.name(), os.O_RDWR); err != nil {
		return nil, 0, err
	}
	return f, size, nil
}

// random returns what makes a segment or a mark unlike all others.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return max(le.Uint64(b[:]), 1)
}
