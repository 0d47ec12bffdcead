package flowhost

import (
	"slices"
	"sort"
	"strings"
	"sync"
)

// table has the state of every deployment, on disk and in memory.
type table struct {
	store store

	states sync.Mutex // of what follows; never held while the disk is written
	byName map[string]*state
}

// openTable reads the states of a folder. Those that cannot be read are reported to fail.
func openTable(dir string, fail func(path string, err error)) (t *table, err error) {
	t = &table{store: store{dir}}
	t.byName, err = t.store.states(fail)
	return t, err
}

// all lists the states, by name.
func (t *table) all() func(yield func(state) bool) {
	t.states.Lock()
	var list []state
	for _, s := range t.byName {
		list = append(list, *s)
	}
	t.states.Unlock()
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return slices.Values(list)
}

func (t *table) count() int {
	t.states.Lock()
	defer t.states.Unlock()
	return len(t.byName)
}

func (t *table) state(name string) (state, bool) {
	t.states.Lock()
	defer t.states.Unlock()
	s := t.byName[name]
	if s == nil {
		return state{}, false
	}
	return *s, true
}

// set keeps the state of a deployment.
func (t *table) set(name string, s Status, revision int, reason string) error {
	const long = 4096
	if len(reason) > long {
		reason = strings.ToValidUTF8(reason[:long], "") + "…"
	}
	one := &state{Name: name, Status: s, Revision: revision, Reason: reason}
	err := t.store.put(one)
	t.states.Lock()
	t.byName[name] = one // also if the disk does not take it: that is how it is
	t.states.Unlock()
	return err
}

// forget removes a state from memory, when its folder is gone.
func (t *table) forget(name string) {
	t.states.Lock()
	delete(t.byName, name)
	t.states.Unlock()
}
