package mock

import (
	"fmt"
	"os"
	"slices"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// Motion is what an HC-SR501 puts on its line: from First after the line was
// made, a pulse of Width at the beginning of every Every. With Every 0 the
// line stays as it is until it is set. On a line with a pull-up the pulses are low,
// as those of a button to ground.
type Motion struct{ First, Every, Width time.Duration }

func (m Motion) high(since time.Duration) bool {
	x := since - m.First
	return m.Every > 0 && x >= 0 && x%m.Every < m.Width
}

// next is when, after since, the level may change again; ok is false for never.
func (m Motion) next(since time.Duration) (at time.Duration, ok bool) {
	x := since - m.First
	switch {
	case m.Every <= 0 || m.Width <= 0:
		return 0, false
	case x < 0:
		return m.First, true
	case m.Width >= m.Every:
		return 0, false
	}
	begun := m.First + x/m.Every*m.Every
	if x%m.Every < m.Width {
		return begun + m.Width, true
	}
	return begun + m.Every, true
}

// queuedEdges is how many edges wait on a line, as in the kernel's
// gpiolib-cdev (16 events); then the oldest is dropped.
const queuedEdges = 16

// Pin is a simulated digital line: an input that a test drives, or an output that it
// looks at.
type Pin struct {
	part
	motion  Motion
	settles bool
	driven  *gpio.Level // by a test; nil when nothing does
	stuck   *gpio.Level
	pull    gpio.Pull   // asked for last
	output  *gpio.Level // what the line drives; nil for an input
	changes []Change

	born    time.Time  // when the motion began
	settled time.Time  // edges up to here were handed out
	level   gpio.Level // at that moment
	handle  *line
}

func newPin(name string, m Motion, settles bool) *Pin {
	now := time.Now()
	return &Pin{part: newPart(name), motion: m, settles: settles, pull: gpio.PullNoChange, born: now, settled: now}
}

// Change is a new level of a line.
type Change struct {
	Time  time.Time
	Level gpio.Level
}

// keptChanges is how many changes of an output a test can look at.
const keptChanges = 256

// Set drives the line from outside, but for the pulses of its motion.
func (p *Pin) Set(l gpio.Level) {
	p.change(func() { p.driven = &l })
}

// Float ends Set: nothing drives the line, and it has the level of its pull; low
// when there is none.
func (p *Pin) Float() {
	p.change(func() { p.driven = nil })
}

// Stick holds the line at a level, whatever drives it, until Unstick.
func (p *Pin) Stick(l gpio.Level) {
	p.change(func() { p.stuck = &l })
}

// Unstick ends Stick.
func (p *Pin) Unstick() {
	p.change(func() { p.stuck = nil })
}

// SetMotion replaces the motion; the new one begins now.
func (p *Pin) SetMotion(m Motion) {
	p.change(func() { p.motion, p.born = m, time.Now() })
}

// Level is the level of the line now.
func (p *Pin) Level() gpio.Level {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(time.Now())
	return p.level
}

// Changes lists how the level changed while the line was an output, from the request
// on: the last 256 changes.
func (p *Pin) Changes() []Change {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.changes)
}

func (p *Pin) change(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(time.Now())
	what()
	p.apply()
	p.notify() // the next change may now be at another time
}

// settle hands out the edges of the motion up to now. p.mu is held.
func (p *Pin) settle(now time.Time) {
	if every := p.motion.Every; every > 0 {
		// More edges than a line can queue need not be counted one by one.
		if periods := now.Sub(p.settled) / every; periods > 2*queuedEdges {
			p.settled = p.settled.Add((periods - 2*queuedEdges) * every)
		}
	}
	for {
		at, ok := p.motion.next(p.settled.Sub(p.born))
		if !ok || p.born.Add(at).After(now) {
			break
		}
		p.settled = p.born.Add(at)
		p.apply()
	}
	p.settled = now
}

// apply sets the level of the moment p.settled. p.mu is held.
func (p *Pin) apply() {
	l := p.wire()
	if l == p.level {
		return
	}
	p.level = l
	if p.output != nil {
		p.changes = append(p.changes, Change{p.settled, l})
		p.changes = p.changes[max(0, len(p.changes)-keptChanges):]
	}
	h := p.handle
	if h == nil || !h.configured || h.life != p.life {
		return
	}
	if h.edge == gpio.BothEdges || h.edge == gpio.RisingEdge && bool(l) || h.edge == gpio.FallingEdge && !bool(l) {
		h.pending = min(h.pending+1, queuedEdges)
	}
}

// wire is the level of the moment p.settled. p.mu is held.
func (p *Pin) wire() gpio.Level {
	rest := gpio.Level(p.pull == gpio.PullUp)
	switch {
	case p.stuck != nil:
		return *p.stuck
	case p.output != nil:
		return *p.output
	case p.motion.high(p.settled.Sub(p.born)):
		return !rest
	case p.driven != nil:
		return *p.driven
	}
	return rest
}

func (p *Pin) open() (*line, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	life, err := p.claim(true)
	if err != nil {
		return nil, err
	}
	p.settle(time.Now())
	p.output = nil
	p.apply()
	p.handle = &line{pin: p, life: life}
	return p.handle, nil
}

// line is an open pin. Its fields are guarded by pin.mu.
type line struct {
	pin        *Pin
	life       int
	halted     bool
	configured bool
	turn       int // counts the calls of In, each of which ends a wait
	edge       gpio.Edge
	pending    int
}

var (
	_ gpio.PinIn = (*line)(nil)
	_ hw.Settled = (*line)(nil)
)

// Settled implements hw.Settled.
func (l *line) Settled() bool { return l.pin.settles }

func (l *line) String() string   { return l.pin.name + " (simulated)" }
func (l *line) Name() string     { return l.pin.name }
func (l *line) Number() int      { return -1 }
func (l *line) Function() string { return "In" }

func (l *line) usable() error {
	if l.halted {
		return fmt.Errorf("%s: %w", l.pin.name, os.ErrClosed)
	}
	return l.pin.alive(l.life)
}

// In implements gpio.PinIn. It forgets the edges that wait.
func (l *line) In(pull gpio.Pull, edge gpio.Edge) error {
	l.pin.mu.Lock()
	defer l.pin.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.pin.settle(time.Now())
	if pull != gpio.PullNoChange {
		l.pin.pull = pull
	}
	l.pin.apply()
	l.configured, l.edge, l.pending = true, edge, 0
	l.turn++
	l.pin.notify()
	return nil
}

// Read implements gpio.PinIn.
func (l *line) Read() gpio.Level {
	l.pin.mu.Lock()
	defer l.pin.mu.Unlock()
	if l.usable() != nil || !l.configured {
		return gpio.Low
	}
	l.pin.settle(time.Now())
	return l.pin.level
}

// WaitForEdge implements gpio.PinIn. It returns false at once when the line is
// not configured for edges, was halted or has gone.
func (l *line) WaitForEdge(timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	turn := -1
	for {
		l.pin.mu.Lock()
		now := time.Now()
		l.pin.settle(now)
		if turn < 0 {
			turn = l.turn
		}
		if l.usable() != nil || !l.configured || l.edge == gpio.NoEdge || turn != l.turn {
			l.pin.mu.Unlock()
			return false
		}
		if l.pending > 0 {
			l.pending--
			l.pin.mu.Unlock()
			return true
		}
		changed := l.pin.changed
		next, ok := l.pin.motion.next(now.Sub(l.pin.born))
		wake := l.pin.born.Add(next)
		l.pin.mu.Unlock()

		if timeout >= 0 {
			if !now.Before(deadline) {
				return false
			}
			if !ok || deadline.Before(wake) {
				wake, ok = deadline, true
			}
		}
		if !ok {
			<-changed
			continue
		}
		timer := time.NewTimer(wake.Sub(now))
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Pull implements gpio.PinIn.
func (l *line) Pull() gpio.Pull {
	l.pin.mu.Lock()
	defer l.pin.mu.Unlock()
	if !l.configured {
		return gpio.PullNoChange
	}
	return l.pin.pull
}

// DefaultPull implements gpio.PinIn.
func (l *line) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Halt ends a wait and releases the line. It may be called twice.
func (l *line) Halt() error {
	l.pin.mu.Lock()
	defer l.pin.mu.Unlock()
	if l.halted {
		return nil
	}
	l.halted = true
	l.pin.opened--
	if l.pin.handle == l {
		l.pin.handle = nil
	}
	l.pin.notify()
	return nil
}
