package history

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"unicode/utf8"
)

// Key names what a file holds.
type Key struct {
	Thing    string `json:"thing"`
	Quantity string `json:"quantity"`
	Unit     string `json:"unit,omitempty"` // as device.Quantity has it; another unit is another file
}

// String names the quantity for people.
func (k Key) String() string { return k.Thing + "." + k.Quantity }

// text is the key as one text, which no other key has.
func (k Key) text() string { return k.Thing + "\x00" + k.Quantity + "\x00" + k.Unit }

// header is the first page of a file.
type header struct {
	Key
	precision int // decimal places that mean something
}

var magic = [8]byte{'P', 'I', 'H', 'I', 'S', 'T', 0, 1}

// maxName bounds a thing's name, a quantity's and a unit, in bytes.
const maxName = 255

// check reports what cannot be kept.
func (k Key) check() error {
	for _, s := range []string{k.Thing, k.Quantity, k.Unit} {
		if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("%.80q: names and units in the history are text of at most %d bytes", s, maxName)
		}
	}
	if k.Thing == "" || k.Quantity == "" {
		return fmt.Errorf("%q of %q: a quantity in the history has a name and a thing", k.Quantity, k.Thing)
	}
	return nil
}

// encode returns the page:
//
//	0   8  PIHIST, 0, version 1
//	8   4  CRC-32C of the rest
//	12  6  places of the three rings
//	18  1  precision
//	19  3  lengths of the thing's name, the quantity's name and the unit
//	22     these texts
func (h *header) encode() *page {
	var p page
	copy(p[:], magic[:])
	for t, l := range layouts {
		binary.LittleEndian.PutUint16(p[12+2*t:], uint16(l.places))
	}
	p[18] = byte(min(max(h.precision, 0), 15))
	at := 22
	for i, s := range []string{h.Thing, h.Quantity, h.Unit} {
		p[19+i] = byte(len(s))
		at += copy(p[at:], s)
	}
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p[12:], castagnoli))
	return &p
}

// decodeHeader reads the first page of a file.
func decodeHeader(p *page) (h header, err error) {
	switch {
	case [8]byte(p[:8]) != magic:
		return h, fmt.Errorf("it is no history of this version (%w)", ErrDamaged)
	case binary.LittleEndian.Uint32(p[8:]) != crc32.Checksum(p[12:], castagnoli):
		return h, fmt.Errorf("the checksum of its first page is wrong (%w)", ErrDamaged)
	}
	for t, l := range layouts {
		if int64(binary.LittleEndian.Uint16(p[12+2*t:])) != l.places {
			return h, fmt.Errorf("its rings have other lengths than those of this version (%w)", ErrDamaged)
		}
	}
	h.precision = min(int(p[18]), 15)
	at := 22
	for i, s := range []*string{&h.Thing, &h.Quantity, &h.Unit} {
		n := int(p[19+i])
		*s = string(p[at : at+n])
		at += n
	}
	if err := h.check(); err != nil {
		return h, fmt.Errorf("%w (%w)", err, ErrDamaged)
	}
	return h, nil
}
