package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The ring holds at most so many events, of so many bytes together.
const (
	maxEvents = 1024
	maxBytes  = 256 << 10
)

// event is one of the ring.
type event struct {
	source *source
	look   []byte // as it is sent to those who may look
	act    []byte // and to those who may act; nil: the same
}

func (e *event) size() int { return len(e.look) + len(e.act) }

func (e *event) text(act bool) []byte {
	if act && e.act != nil {
		return e.act
	}
	return e.look
}

// ring has the latest events, which are numbered from 1. Its id differs from those of the
// rings of other runs, and before and after it.
type ring struct {
	id    string
	last  uint64  // the number of the newest
	all   []event // the oldest first
	bytes int
}

// add takes an event, and drops the oldest if there is no room.
func (r *ring) add(s *source, look, act []byte) {
	r.last++
	text := func(data []byte) []byte {
		if data == nil {
			return nil
		}
		return fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", r.place(r.last), s.Kind, data)
	}
	e := event{s, text(look), text(act)}
	r.all = append(r.all, e)
	r.bytes += e.size()
	n := 0
	for ; len(r.all)-n > maxEvents || r.bytes > maxBytes; n++ {
		r.bytes -= r.all[n].size()
	}
	r.all = slices.Delete(r.all, 0, n)
}

// after are the events behind a number; ok: none is missing.
func (r *ring) after(n uint64) (all []event, ok bool) {
	missing := r.last - n
	if n > r.last || missing > uint64(len(r.all)) {
		return nil, false
	}
	return r.all[len(r.all)-int(missing):], true
}

// place is the id of an event, by which a client says what it has seen.
func (r *ring) place(n uint64) string { return r.id + "-" + strconv.FormatUint(n, 10) }

// number reads an id; ok: it is of this ring.
func (r *ring) number(place string) (n uint64, ok bool) {
	id, number, _ := strings.Cut(place, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return n, err == nil && id == r.id && n <= r.last
}
