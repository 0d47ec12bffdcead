package fleet

import (
	"sync"
	"time"

	"pithings/quietlog"
)

// Entry is a line of the log: what was done from outside.
type Entry struct {
	Time   time.Time `json:"time"`
	Device string    `json:"device,omitempty"` // "": all of them
	Did    string    `json:"did"`
	Error  string    `json:"error,omitempty"`
}

// maxEntries bounds the log of all devices together. An entry has about 1 KiB at most.
const maxEntries = 500

// record is the log of a fleet: one of all devices, because few of thousands have entries.
type record struct {
	mu      sync.Mutex
	entries []Entry // a ring
	next    int     // where the next one goes when it is full
}

// add keeps what was done to a device, or to all.
func (r *record) add(now time.Time, device, did string, err error) {
	e := Entry{Time: now.UTC().Truncate(time.Millisecond), Device: device, Did: quietlog.OneLine(did)}
	if err != nil {
		e.Error = quietlog.OneLine(err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) < maxEntries {
		r.entries = append(r.entries, e)
		return
	}
	r.entries[r.next] = e
	r.next = (r.next + 1) % maxEntries
}

// of returns what was done to a device, or "" for any, the oldest first.
func (r *record) of(device string) []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	some := []Entry{} // not null
	for n := range r.entries {
		e := r.entries[(r.next+n)%len(r.entries)]
		if device == "" || e.Device == "" || e.Device == device {
			some = append(some, e)
		}
	}
	return some
}
