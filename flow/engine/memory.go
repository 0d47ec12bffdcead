package engine

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/flow"
)

// The names under which things are kept.
const (
	stateName  = "state"
	waitPrefix = "wait-" // and the end of the execution's id
)

// saveDelay is how long changes wait to be saved together: cards wear out by writing.
const saveDelay = time.Second

// kept is what is kept of a deployment, but for its executions.
type kept struct {
	Vars  values               `json:"vars,omitempty"`  // replaced, never changed
	Began map[string]time.Time `json:"began,omitempty"` // of clocks, by trigger and interval
	Ran   map[string]time.Time `json:"ran,omitempty"`   // of moments of the day, by trigger
	// Holds are those of a revision; another begins without any.
	Revision int              `json:"revision,omitempty"`
	Holds    map[string]*held `json:"holds,omitempty"` // by trigger
}

// held is the time for which the condition of a trigger has been true, as it is kept.
type held struct {
	span
	Started bool      `json:"started,omitempty"`
	Event   values    `json:"event,omitempty"`
	At      time.Time `json:"at,omitzero"` // of the event, if known
}

// holder has something of a trigger to keep, or nil.
type holder interface {
	kept() (trigger string, one *held)
}

// memory is the kept state of a deployment, over its revisions.
type memory struct {
	entry
	*parts
	name string

	setting sync.Mutex // held by a step that sets variables, from reading them on
	mu      sync.Mutex
	state   kept
	holds   []holder   // of the active revision; state.Holds is made of them to be saved
	dirty   bool       // something is not saved
	queued  bool       // and is to be, soon
	saving  sync.Mutex // one at a time writes
}

// remembers reports whether anything of a deployment outlives its executions.
func remembers(d *flow.Deployment) bool {
	return len(d.Vars) > 0 || slices.ContainsFunc(d.Triggers, func(t flow.Trigger) bool { return triggerRemembers(d, &t) }) || waits(d)
}

func triggerRemembers(d *flow.Deployment, t *flow.Trigger) bool {
	switch {
	case t.Event != nil && t.Event.For > 0, t.At != nil && t.At.CatchUp > 0:
		return true
	}
	return d.Deployed.IsZero() && !t.Every.IsZero() && !monotonic(t.Every)
}

func waits(d *flow.Deployment) bool {
	for _, f := range d.Flows {
		for i := range f.Definition.Steps {
			if _, ok := f.Definition.Steps[i].Activity.(*flow.Wait); ok {
				return true
			}
		}
	}
	return false
}

// monotonic reports whether an interval is counted by the clock that is never set.
func monotonic(e flow.Every) bool {
	switch e.Unit {
	case flow.Seconds, flow.Minutes, flow.Hours:
		return true
	}
	return false
}

// recall returns the memory of a deployment, and the executions that waited. old is the
// memory of the revision before, if there is one.
func (p *parts) recall(d *flow.Deployment, old *memory) (m *memory, waiting map[string][]byte) {
	if !remembers(d) {
		return nil, nil
	}
	if m = old; m == nil {
		m = &memory{parts: p, name: d.Name}
		m.alarm = m
		waiting = m.load()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	vars := maps.Clone(m.state.Vars)
	for _, v := range d.Vars {
		if _, ok := vars[v.Name]; !ok {
			vars = put(vars, v.Name, v.Initial)
		}
	}
	m.state.Vars = vars
	return m, waiting
}

func (m *memory) load() (waiting map[string][]byte) {
	if m.keeper == nil {
		return nil
	}
	all, err := m.keeper.Load(m.name)
	if err == nil {
		if text, ok := all[stateName]; ok {
			err = json.Unmarshal(text, &m.state)
		}
	}
	if err != nil {
		m.state = kept{} // a part of it may be worse than nothing
		m.log.Error("kept state of a flow unreadable, starting without it", "deployment", m.name, "err", err)
	}
	waiting = map[string][]byte{}
	for name, data := range all {
		if strings.HasPrefix(name, waitPrefix) {
			waiting[name] = data
		}
	}
	return waiting
}

// takeOver makes a revision the active one, and returns the holds of the revision before
// by trigger: they count on if it is the same one, read from the disk.
func (m *memory) takeOver(d *flow.Deployment, loaded bool) (before map[string]*held) {
	m.prune(d)
	m.mu.Lock()
	defer m.mu.Unlock()
	if loaded && m.state.Revision == d.Revision {
		before = m.state.Holds
	}
	m.state.Holds, m.state.Revision, m.holds = nil, d.Revision, nil
	return before
}

// prune forgets the variables of earlier revisions.
func (m *memory) prune(d *flow.Deployment) {
	vars := maps.Clone(m.vars())
	before := len(vars)
	maps.DeleteFunc(vars, func(name string, _ any) bool {
		return !slices.ContainsFunc(d.Vars, func(v flow.Var) bool { return v.Name == name })
	})
	if len(vars) != before {
		m.change(func(k *kept) { k.Vars = vars })
	}
}

// keep has holds saved with the rest from now on.
func (m *memory) keep(holds []holder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holds = holds
}

// vars are the kept variables. The map is not changed any more.
func (m *memory) vars() map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Vars
}

// change changes what is kept, and has it saved.
func (m *memory) change(fn func(*kept)) {
	m.mu.Lock()
	fn(&m.state)
	before := m.queued
	m.dirty, m.queued = true, true
	m.mu.Unlock()
	if !before && m.keeper != nil {
		m.agenda.after(&m.entry, saveDelay)
	}
}

// touch has what is kept saved with the next change, or at the end.
func (m *memory) touch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirty = true
}

// ring implements alarm: it is time to save.
func (m *memory) ring(time.Time) { m.spawn(m.save) }

func (m *memory) reset(time.Time) {}

// save writes what has changed.
func (m *memory) save() {
	m.saving.Lock()
	defer m.saving.Unlock()
	m.mu.Lock()
	if !m.dirty || m.keeper == nil {
		m.mu.Unlock()
		return
	}
	m.dirty, m.queued = false, false // before the holds are looked at, which may change meanwhile
	holds := m.holds
	m.mu.Unlock()
	var all map[string]*held
	for _, h := range holds {
		if trigger, one := h.kept(); one != nil {
			all = put(all, trigger, one)
		}
	}
	m.mu.Lock()
	now := m.state
	now.Holds = all
	text, err := json.Marshal(now)
	m.mu.Unlock()
	if err == nil {
		err = m.keeper.Save(m.name, stateName, text)
	}
	if err != nil {
		m.repeats.Say(slog.LevelError, m.name+"\x00kept"+err.Error(), "state of a flow not saved; a restart finds the state before", "deployment", m.name, "err", err)
	}
}

// KeptVars reads the kept variables of a deployment while no engine runs it.
func KeptVars(k Keeper, deployment string) map[string]any {
	all, err := k.Load(deployment)
	var one kept
	if err != nil || json.Unmarshal(all[stateName], &one) != nil {
		return nil
	}
	return one.Vars
}
