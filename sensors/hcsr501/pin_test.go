package hcsr501

import (
	"errors"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

var errGone = errors.New("no such device")

// pin is a line that a test drives. Its channels belong to the bubble that
// makes it.
type pin struct {
	mu     sync.Mutex
	level  gpio.Level
	pull   gpio.Pull
	edge   gpio.Edge
	gone   bool
	deaf   bool // edges are lost
	storm  bool // WaitForEdge returns true at once, always
	broken bool // WaitForEdge returns false at once, always
	noPull bool // In refuses a pull
	ins    int
	waits  int
	halts  int
	edges  chan struct{}
	stop   chan struct{}
}

func newPin() *pin { return &pin{edges: make(chan struct{}, 16), stop: make(chan struct{})} }

// set drives the line.
func (p *pin) set(l gpio.Level) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.level == l {
		return
	}
	p.level = l
	if !p.deaf {
		select {
		case p.edges <- struct{}{}:
		default:
		}
	}
}

func (p *pin) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *pin) In(pull gpio.Pull, edge gpio.Edge) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ins++
	if p.gone {
		return errGone
	}
	if p.noPull && pull != gpio.PullNoChange {
		return errors.New("no pull here")
	}
	p.pull, p.edge = pull, edge
	return nil
}

func (p *pin) Read() gpio.Level {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.level && !gpio.Level(p.gone)
}

func (p *pin) WaitForEdge(timeout time.Duration) bool {
	p.mu.Lock()
	p.waits++
	storm, broken := p.storm, p.broken
	p.mu.Unlock()
	if timeout <= 0 || timeout > time.Second {
		panic("a wait that is not finite")
	}
	if storm || broken {
		return storm
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-p.edges:
		return true
	case <-t.C:
		return false
	case <-p.stop:
		return false
	}
}

func (p *pin) Halt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.halts++; p.halts == 1 {
		close(p.stop)
	}
	return nil
}

func (p *pin) String() string         { return "GPIO17(17)" }
func (p *pin) Name() string           { return "GPIO17" }
func (p *pin) Number() int            { return 17 }
func (p *pin) Function() string       { return "In" }
func (p *pin) Pull() gpio.Pull        { return p.pull }
func (p *pin) DefaultPull() gpio.Pull { return gpio.PullNoChange }

var _ gpio.PinIn = &pin{}
