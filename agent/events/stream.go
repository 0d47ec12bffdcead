package events

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

const (
	// turn is how often lists are looked at.
	turn = time.Second
	// soon is how long after a change a list is looked at: changes come in groups.
	soon = 50 * time.Millisecond
	// beats is how many turns there are between two signs of life.
	beats = 15
	// keep is how many turns the ring is kept without a client.
	keep = 60
	// pace is the least time between two writes to a client.
	pace = 100 * time.Millisecond
	// maxClients is how many clients there are at a time, those of the local socket included.
	maxClients = 100
)

// Stream hands events to its clients. It is an http.Handler that answers while Run runs.
type Stream struct {
	patience time.Duration // how long a client may take to read what is written to it
	began    chan struct{} // closed by Run
	first    chan struct{} // has a token when a first client has come
	changed  chan struct{} // has a token when a list may have changed

	looking sync.Mutex // of the sources; before mu
	sources []*source

	mu       sync.Mutex
	ended    bool
	ring     *ring // nil: there was no client for a while
	clients  map[*client]struct{}
	beat     uint64        // counts signs of life
	news     chan struct{} // closed when the clients have something to do
	notified time.Time     // when that was
	later    *time.Timer   // does it when it is due; nil until it is needed
	due      bool
}

// New returns a stream of what sources give.
func New(sources ...Source) *Stream {
	s := &Stream{patience: 10 * time.Second, began: make(chan struct{}), first: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		clients: map[*client]struct{}{}, news: make(chan struct{})}
	for _, one := range sources {
		s.sources = append(s.sources, &source{Source: one})
	}
	return s
}

// Run works until ctx is done, and then ends all clients. It is called once.
func (s *Stream) Run(ctx context.Context) error {
	close(s.began)
	for ctx.Err() == nil {
		select {
		case <-s.first:
			s.work(ctx)
		case <-ctx.Done():
		}
	}
	s.forget(func() bool { s.ended = true; return true })
	return nil
}

// work looks at the lists until there was no client for a while.
func (s *Stream) work(ctx context.Context) {
	tick := time.NewTicker(turn)
	defer tick.Stop()
	settled := time.NewTimer(turn)
	settled.Stop()
	defer settled.Stop()
	for n, alone := 1, 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
			settled.Reset(soon)
		case <-settled.C:
			s.look()
		case <-tick.C:
			s.look()
			if n++; n%beats == 0 {
				s.Beat()
			}
			if alone++; s.connected() > 0 {
				alone = 0
			}
			if alone >= keep && s.forget(func() bool { return len(s.clients) == 0 }) {
				return
			}
		}
	}
}

// look adds what differs in the lists.
func (s *Stream) look() {
	s.looking.Lock()
	defer s.looking.Unlock()
	for _, one := range s.sources {
		if one.begun && one.List != nil {
			for _, data := range one.differ() {
				s.add(one, data, nil)
			}
		}
	}
}

// note has the lists looked at soon.
func (s *Stream) note() { token(s.changed) }

// token puts a token into a channel, unless there is one.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// start begins to follow the sources of the kinds that a client wants.
func (s *Stream) start(wants map[*source]bool) {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	if s.ring == nil && !s.ended {
		var id [6]byte
		rand.Read(id[:]) // never fails
		s.ring = &ring{id: hex.EncodeToString(id[:])}
		token(s.first)
	}
	s.mu.Unlock()
	for _, one := range s.sources {
		if !wants[one] || one.begun {
			continue
		}
		one.start(func(v any) {
			if r, ok := v.(Restricted); ok {
				s.add(one, encode(r.Look), encode(r.Act))
			} else {
				s.add(one, encode(v), nil)
			}
		}, s.note)
		s.mu.Lock()
		if s.ring != nil {
			one.from = s.ring.last + 1
		}
		s.mu.Unlock()
	}
}

// forget ends the sources and drops the ring, if it is time to: that is decided with the lock.
func (s *Stream) forget(now func() bool) bool {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	if !now() {
		s.mu.Unlock()
		return false
	}
	s.ring, s.due = nil, false
	if s.later != nil {
		s.later.Stop()
	}
	s.tell(time.Now())
	s.mu.Unlock()
	for _, one := range s.sources {
		one.end()
	}
	return true
}

// add puts an event into the ring.
func (s *Stream) add(of *source, look, act []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring == nil {
		return
	}
	s.ring.add(of, look, act)
	now := time.Now()
	if wait := pace - now.Sub(s.notified); wait <= 0 {
		s.tell(now)
	} else if !s.due {
		s.due = true
		if s.later == nil {
			s.later = time.AfterFunc(wait, s.tellLater)
		} else {
			s.later.Reset(wait)
		}
	}
}

func (s *Stream) tellLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due {
		s.tell(time.Now())
	}
}

// tell wakes the clients. The lock is held.
func (s *Stream) tell(now time.Time) {
	s.notified, s.due = now, false
	close(s.news)
	s.news = make(chan struct{})
}

// Beat gives all clients a sign of life, unless they may no longer have the stream: then it ends
// them.
func (s *Stream) Beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring != nil {
		s.beat++
		s.tell(time.Now())
	}
}

func (s *Stream) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// kinds lists the kinds that there are.
func (s *Stream) kinds() (all []string) {
	for _, one := range s.sources {
		all = append(all, one.Kind)
	}
	slices.Sort(all)
	return all
}
