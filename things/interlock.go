package things

import (
	"slices"
	"sync"
)

// Interlocks hold which outputs of a process must not be on together. The zero value is ready
// to use.
type Interlocks struct {
	mu    sync.Mutex
	rules map[string][]string // what each output says
	on    map[string]bool
}

// join says which outputs must not be on together with one, in place of what was said before.
func (l *Interlocks) join(output string, others []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rules == nil {
		l.rules, l.on = map[string][]string{}, map[string]bool{}
	}
	l.rules[output] = others
}

// take notes that an output is on, unless one is that must not be on together with it, which
// is returned. A rule holds both ways.
func (l *Interlocks) take(output string) (other string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for o, on := range l.on {
		if on && o != output && (slices.Contains(l.rules[output], o) || slices.Contains(l.rules[o], output)) {
			return o
		}
	}
	l.on[output] = true
	return ""
}

// free notes that an output is off.
func (l *Interlocks) free(output string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on[output] = false
}

// Forget drops an output that is no longer there, on or off.
func (l *Interlocks) Forget(output string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rules, output)
	delete(l.on, output)
}
