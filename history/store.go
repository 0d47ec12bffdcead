package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pithings/mqttlink/clock"
)

// Options are what a store is made of.
type Options struct {
	// Dir is the folder of the files. It belongs to this process alone.
	Dir string
	// Max bounds the files together, in bytes; each takes at most [FileSize].
	Max int64
	// Clock knows whether readings have their time already; nil: they have.
	Clock *clock.Clock
	Log   *slog.Logger

	fs files // nil: those of Dir
}

// Store is a folder of histories. Its methods may be called from several goroutines at once.
//
// Put only notes a reading. Run places it, some hundred at a time, and writes pages that are full.
type Store struct {
	o   Options
	fs  files
	log *slog.Logger

	wake chan struct{}

	intake intake

	mu      sync.Mutex // of the files; taken before that of intake
	waiting waiting
	spare   []reading // for the next intake
	turn    int       // of place
	clean   int       // ticks since unused files were looked for
	ended   bool
}

// intake is what Put noted.
type intake struct {
	mu    sync.Mutex
	all   map[Key]*series
	items []reading
	lost  uint64 // readings that were not taken because writing takes too long
}

// reading is a value of a quantity.
type reading struct {
	of    *series
	at    time.Time // with its monotonic reading
	until time.Time // of one that was held, likewise; zero: it is of one second
	v     float64
}

const (
	intakeWake = 256  // readings after which they are placed
	intakeMost = 2048 // readings that wait for a disk that hangs: 130 KB
)

// New returns a store. Run has to follow.
func New(o Options) *Store {
	s := &Store{o: o, fs: o.fs, log: o.Log, wake: make(chan struct{}, 1), clean: cleanEvery}
	if s.fs == nil {
		s.fs = folder(o.Dir)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.intake.all = map[Key]*series{}
	return s
}

// Put notes a reading, and returns at once. precision is how many decimal places mean something;
// at is when it was measured, with its monotonic reading.
func (s *Store) Put(k Key, precision int, at time.Time, v float64) {
	s.note(k, precision, reading{at: at, v: v})
}

// maxHold bounds how long a state can have been held at a time: who notes it does so more often.
// A longer time is one in which the machine slept.
const maxHold = 10 * time.Minute

// Hold notes that a quantity had a value from a time on, with each second of it, until another
// one, which is not in it.
func (s *Store) Hold(k Key, precision int, from, until time.Time, v float64) {
	if until.After(from) && until.Sub(from) <= maxHold {
		s.note(k, precision, reading{at: from, until: until, v: v})
	}
}

func (s *Store) note(k Key, precision int, r reading) {
	in := &s.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	one, ok := in.all[k]
	if !ok {
		if k.check() != nil {
			in.lost++
			return
		}
		one = &series{header: header{k, precision}, name: fileName(k), fs: s.fs}
		in.all[k] = one
	}
	if len(in.items) >= intakeMost {
		in.lost++
		return
	}
	r.of = one
	if in.items = append(in.items, r); len(in.items) >= intakeWake {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// take returns what was noted. The result is good until the next call.
func (in *intake) take(buffer []reading) []reading {
	in.mu.Lock()
	defer in.mu.Unlock()
	items := in.items
	in.items = buffer[:0]
	return items
}

// series are all that had a reading in this process.
func (in *intake) series() (all []*series) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, one := range in.all {
		all = append(all, one)
	}
	return all
}

// Run places readings and writes pages until ctx is done, and then writes all that is left.
func (s *Store) Run(ctx context.Context) error {
	ticks := time.NewTicker(Tick)
	defer ticks.Stop()
	s.mu.Lock()
	s.ended = false
	s.mu.Unlock()
	for {
		changed := s.o.Clock.Changed()
		s.drain()
		select {
		case <-ctx.Done():
			return s.end()
		case <-s.wake:
		case <-changed:
		case <-ticks.C:
			s.tick()
		}
	}
}

// drain places what was noted.
func (s *Store) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place()
}

// place dates readings and adds them to their pages. mu is held.
func (s *Store) place() {
	if s.ended {
		return
	}
	s.turn++
	if len(s.waiting.items) > 0 && (s.o.Clock.Known() || s.waiting.dated) {
		items := s.waiting.take()
		for i := range items {
			s.add(&items[i])
		}
	}
	items := s.intake.take(s.spare)
	for i := range items {
		s.add(&items[i])
	}
	s.spare = items
	for _, one := range s.intake.series() {
		s.flush(one)
	}
}

// add adds a reading to its series, or to those that wait. mu is held.
func (s *Store) add(r *reading) {
	at, ok := s.date(r.at)
	if !ok {
		s.waiting.add(*r)
		return
	}
	if r.of.full {
		return
	}
	second := at.Unix()
	if r.of.f == nil {
		if r.of.tried == s.turn { // in vain
			s.waiting.add(*r)
			return
		}
		r.of.tried = s.turn
		err := s.room(r.of)
		if err == nil {
			err = r.of.open(second)
		}
		if aside, ok := errors.AsType[*SetAsideError](err); ok {
			s.log.Error("history was damaged, and another is begun", "err", aside.Error())
			err = r.of.open(second)
		}
		if err != nil {
			s.fails(r.of, err)
			if !r.of.full {
				s.waiting.add(*r)
				s.waiting.dated = true
			}
			return
		}
	}
	if r.until.IsZero() {
		r.of.add(second, r.v)
	} else if end, ok := s.date(r.until); ok && end.Sub(at) <= maxHold+time.Minute { // a longer one is of a clock that was set
		for ; second < end.Unix(); second++ {
			r.of.add(second, r.v)
		}
	}
	if len(r.of.unsaved) >= maxUnsaved/2 {
		s.flush(r.of)
	}
}

// date returns when a reading was measured, once that is known.
func (s *Store) date(at time.Time) (time.Time, bool) {
	c := s.o.Clock
	if !c.Known() {
		return at, false
	}
	if c.KnownAt(at) {
		return at, true
	}
	if t, ok := c.Date(c.Stamp(at)); ok {
		return t, true
	}
	return c.Now().Add(-time.Since(at)), true // a machine without a clock that runs since boot
}

// flush writes what a series has to write. mu is held.
func (s *Store) flush(one *series) {
	if one.f == nil {
		return
	}
	if err := one.flush(); err != nil {
		s.fails(one, err)
		return
	}
	if one.lost > 0 {
		s.log.Error("history has pages that the disk does not give back: they are gaps", "thing", one.Thing, "quantity", one.Quantity, "n", one.lost)
		one.lost = 0
	}
	if one.failing {
		one.failing = false
		s.log.Info("history is written again", "thing", one.Thing, "quantity", one.Quantity, "dropped_pages", one.dropped)
	}
}

// fails logs that a series cannot be written, once until it can.
func (s *Store) fails(one *series, err error) {
	if !one.failing {
		one.failing = true
		s.log.Error("history cannot be written; it is tried again, and meanwhile kept in memory", "thing", one.Thing, "quantity", one.Quantity, "err", err)
	}
}

// tick lets pages become older, and removes files that are not used any more.
func (s *Store) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place()
	for _, one := range s.intake.series() {
		one.tick()
		s.flush(one)
	}
	s.tidy()
}

// end writes all that is left, and closes the files.
func (s *Store) end() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place()
	s.ended = true
	for _, one := range s.intake.series() {
		if closing := one.close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("history of %v: %w", one.Key, closing))
		}
	}
	return err
}

// ErrNone is wrapped by the error that there is no history of a quantity.
var ErrNone = errors.New("there is no such history")

// State is what a store has to say of itself.
type State struct {
	Quantities int    `json:"quantities"` // that are being written
	Failing    int    `json:"failing"`    // of those, that cannot be at the moment
	NoRoom     int    `json:"no_room"`    // that are not kept, because of Options.Max
	Waiting    int    `json:"waiting"`    // readings without a known time, or without a file yet
	Dropped    uint64 `json:"dropped"`    // readings that are not in the history
}

// State returns the state of the store.
func (s *Store) State() (state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state.Waiting = len(s.waiting.items)
	for _, one := range s.intake.series() {
		if one.f != nil {
			state.Quantities++
		}
		if one.full {
			state.NoRoom++
		} else if one.failing {
			state.Failing++
		}
		state.Dropped += one.refused
	}
	s.intake.mu.Lock()
	defer s.intake.mu.Unlock()
	state.Dropped += s.intake.lost
	return state
}
