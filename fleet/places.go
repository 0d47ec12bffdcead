package fleet

import (
	"crypto/tls"
	"slices"
	"sync"
	"time"

	"pithings/awsiot/provision"
)

// resident is a device that a factory made.
type resident struct {
	name, kind string
	made       time.Time
	identity   *provision.Device // nil: it has no certificate of its own
	tls        *tls.Config       // for that
	fetched    bool              // its document
}

// places are where the devices of a factory live: as many as the fleet has, empty at first.
type places struct {
	mu    sync.RWMutex
	all   []*resident // nil: empty
	names map[string]int
}

func newPlaces(n int) *places { return &places{all: make([]*resident, n), names: map[string]int{}} }

// tls is Options.TLS of the engine, where devices have certificates of their own.
func (p *places) tls(i int, otherwise *tls.Config) *tls.Config {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if r := p.all[i]; r != nil && r.tls != nil {
		return r.tls
	}
	return otherwise
}

// find returns the place of a device.
func (p *places) find(name string) (int, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	i, ok := p.names[name]
	return i, ok
}

// taken are the places that are not empty.
func (p *places) taken() []int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make([]int, 0, len(p.names))
	for i, r := range p.all {
		if r != nil {
			all = append(all, i)
		}
	}
	return all
}

// of returns who lives at a place.
func (p *places) of(i int) resident {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.all[i] == nil {
		return resident{}
	}
	return *p.all[i]
}

// free returns an empty place.
func (p *places) free() (int, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	i := slices.Index(p.all, nil)
	return i, i >= 0
}

// moveIn gives a place to a device.
func (p *places) moveIn(i int, r *resident) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[i], p.names[r.name] = r, i
}

// moveOut empties a place.
func (p *places) moveOut(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.names, p.all[i].name)
	p.all[i] = nil
}

// fetch notes that a device's document is fetched. Only the first one may.
func (p *places) fetch(name string) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.names[name]
	if !ok || p.all[i].fetched {
		return false
	}
	p.all[i].fetched = true
	return true
}
