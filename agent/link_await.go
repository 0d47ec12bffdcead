package agent

import (
	"context"
	"slices"
	"sync"

	"pithings/mqttlink"
)

// followers are called at each change of the state of the connection of that name, in order.
// The zero value is ready to use.
type followers struct {
	mu  sync.Mutex
	all []*follower
}

type follower struct {
	name string
	call func(online bool)
}

// note hands a state on.
func (f *followers) note(name string, online bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if one.name == name {
			one.call(online)
		}
	}
}

// follow calls call with the state of a connection now and at each change, until end is called.
// call must return soon.
func (l *links) follow(name string, call func(online bool)) (end func()) {
	f, one := &l.followers, &follower{name, call}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, one)
	if link := l.of(name); link != nil {
		call(link.State() == mqttlink.Online)
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all = slices.DeleteFunc(f.all, func(x *follower) bool { return x == one })
	}
}

// online waits until the connections of those names stand, of those that there are. It reports
// false when ctx is done first.
func (l *links) online(ctx context.Context, names []string) bool {
	for {
		changed := l.changed.wait()
		all := true
		l.changing.RLock() // during a reload some are not there
		l.all(func(name string, link *mqttlink.Link) {
			all = all && (link.State() == mqttlink.Online || !slices.Contains(names, nameOf(name)))
		})
		l.changing.RUnlock()
		if all {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// allNames lists the names of all connections.
func (l *links) allNames() (names []string) {
	l.all(func(name string, _ *mqttlink.Link) { names = append(names, nameOf(name)) })
	return names
}
