package pi

import (
	"sync"
	"sync/atomic"
	"time"
)

// Never is a time that does not come.
const Never time.Duration = -1

// Settings are what all Pis have in common.
type Settings struct {
	Interval  time.Duration // between two readings
	Motion    time.Duration // between two motions, on average; 0: there are none
	KeepAlive time.Duration
	Started   time.Time // the start of all times
	Status    bool      // online or offline on DEV/status
	Flows     bool      // flows of this process use the Pis

	// URI returns the address of a device's picture.
	URI func(device int, number uint32) string
	// Vet returns why a picture is not shown, in few words; "": it is.
	Vet func(uri string) string

	Counts Counts

	once sync.Once
	form *contract
}

func (s *Settings) contract() *contract {
	s.once.Do(func() { s.form = newContract() })
	return s.form
}

// Counts are what all Pis have done.
type Counts struct {
	Motions  atomic.Uint64 // published
	Readings atomic.Uint64 // each of five messages
	Captures atomic.Uint64 // pictures taken
	Finished atomic.Uint64 // announcements of them
	Shown    atomic.Uint64 // pictures on screens
	Cleared  atomic.Uint64 // screens cleared, after their time or by a command

	mu       sync.Mutex
	notShown map[string]uint64
}

// maxReasons bounds the reasons that are kept apart.
const maxReasons = 32

// refused counts a picture that is not shown.
func (c *Counts) refused(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.notShown == nil {
		c.notShown = map[string]uint64{}
	}
	if _, there := c.notShown[why]; !there && len(c.notShown) >= maxReasons {
		why = "other reasons"
	}
	c.notShown[why]++
}

// NotShown returns why pictures were not shown, with how often.
func (c *Counts) NotShown() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]uint64, len(c.notShown))
	for why, n := range c.notShown {
		all[why] = n
	}
	return all
}
