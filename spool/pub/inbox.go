package pub

import "sync"

// inbox is the verdicts that have come from a place. Those that come while messages are
// being put are for whoever puts them, who takes them right after: on a machine that
// has nothing else to do, waking another goroutine takes as long as the disk.
type inbox struct {
	mu      sync.Mutex
	vs      []Verdict
	putting bool
	gone    bool
	ready   chan struct{} // has a token when there is something for others
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// tell adds verdicts.
func (b *inbox) tell(vs []Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.vs = append(b.vs, vs...)
	if !b.putting {
		b.signal()
	}
}

// leave notes that the place is no more.
func (b *inbox) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	b.signal()
}

func (b *inbox) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// put notes that messages are about to be put; take that they have been.
func (b *inbox) put() {
	b.mu.Lock()
	b.putting = true
	b.mu.Unlock()
}

// take returns what has come, and whether nothing will any more.
func (b *inbox) take() (vs []Verdict, gone bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	vs, b.vs, b.putting = b.vs, nil, false
	return vs, b.gone
}
