package mock

import (
	"fmt"
	"sync"

	"pithings/hw"
)

// part is what all simulated parts share: whether it is there, and who has it.
type part struct {
	name string

	mu      sync.Mutex
	gone    bool
	holder  string        // another program that has the part
	life    int           // counts up when the part vanishes: what was opened before is dead
	opened  int           // handles now open
	changed chan struct{} // closed at every change that a caller may wait for
}

func newPart(name string) part { return part{name: name, changed: make(chan struct{})} }

// Name is the name under which the part is opened.
func (p *part) Name() string { return p.name }

// Unplug takes the part away: what is open fails with hw.ErrGone for good, and
// opening gives hw.ErrNotFound.
func (p *part) Unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.life++
	p.notify()
}

// Replug brings the part back, to be opened again.
func (p *part) Replug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = false
}

// Hold lets another program have the part: opening gives hw.ErrBusy until
// Release. What is open already stays so.
func (p *part) Hold(program string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holder = program
}

// Release ends Hold.
func (p *part) Release() { p.Hold("") }

// InUse reports whether the part is open.
func (p *part) InUse() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened > 0
}

// claim opens the part once more, or at most once, and returns the life that
// the handle belongs to. p.mu is held.
func (p *part) claim(exclusive bool) (life int, err error) {
	switch {
	case p.gone:
		return 0, p.missing()
	case p.holder != "":
		return 0, fmt.Errorf("%s: %w: %s; stop that program or use another device", p.name, hw.ErrBusy, p.holder)
	case exclusive && p.opened > 0:
		return 0, fmt.Errorf("%s: %w: this program has it open already; name each device once", p.name, hw.ErrBusy)
	}
	p.opened++
	return p.life, nil
}

func (p *part) missing() error {
	return fmt.Errorf("%s: %w; it may appear later", p.name, hw.ErrNotFound)
}

// alive reports whether a handle of that life still works. p.mu is held.
func (p *part) alive(life int) error {
	if life != p.life {
		return fmt.Errorf("%s: %w; close it and open it again", p.name, hw.ErrGone)
	}
	return nil
}

// notify wakes all who wait on changed. p.mu is held.
func (p *part) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}
