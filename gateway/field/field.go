package field

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"pithings/device"
	"pithings/gateway/collect"
)

// Thing is a thing of this process.
type Thing struct {
	Name  string
	Model device.Model
	Actor device.Actor
	// Quantities are what the thing measures, if it learns that when it opens its part. Nil:
	// they are those of the model.
	Quantities func() []device.Quantity
}

// Device is a name for a thing, as a file of Device Supervisor has it.
type Device struct {
	Name     string            `json:"name" required:"true" change:"afar" jsonschema:"name of the device, as variables and scripts have it"`
	Thing    string            `json:"thing" change:"afar" jsonschema:"the thing whose values it has; empty: none, its variables have no values"`
	Protocol string            `json:"protocol" change:"afar" jsonschema:"how Device Supervisor reached it; not used here"`
	Columns  map[string]string `json:"columns,omitempty" change:"afar" jsonschema:"what a file of Device Supervisor says beyond that; kept for its export"`
}

// Compute returns the function that computes a variable with an expression from a round of
// all variables.
type Compute func(v *collect.Variable) (func(all collect.Round) (any, error), error)

// Options are what a field is made of.
type Options struct {
	Things    []Thing
	Devices   []Device // further names of things; a thing is a device under its own name, too
	Variables []collect.Variable
	Groups    []collect.Group
	Alarms    []collect.AlarmRule
	States    map[string]collect.AlarmState // of alarms, as they were kept
	Events    *device.Bus
	Up        func(thing string) bool // whether the thing's part works
	Compute   Compute
	Log       *slog.Logger
}

// Field is the variables and alarms of a gateway. Its methods may be called from several
// goroutines at once.
type Field struct {
	o    Options
	wake chan struct{}

	ctx    context.Context // of readings
	cancel context.CancelFunc
	work   sync.WaitGroup // readings under way

	computing sync.Mutex // of expressions; taken before mu

	mu      sync.Mutex
	vars    *collect.Collector
	infos   []info // by the variables' indexes
	reads   map[source][]int
	pending map[string][]collect.Variable // by thing: variables that wait for its quantities
	stops   map[source]func()
	alarms  []*collect.Alarm
	judged  map[int][]*collect.Alarm // by variable
	events  []collect.AlarmEvent     // not taken yet

	readings map[string]*reading // by thing: the last one for a recall
}

// source is an event of a thing; "" is all events.
type source struct{ thing, event string }

// info is what is known of a variable beside its value.
type info struct {
	thing    string // "": it is not read
	key      string // of the event's values
	quantity device.Quantity
	compute  func(collect.Round) (any, error)
	failed   string // the last error of compute
}

// New returns a field, whose groups begin now. What cannot be read is logged and has no
// value. Close should follow.
func New(o Options, now time.Time) *Field {
	f := &Field{o: o, wake: make(chan struct{}, 1), vars: collect.New(o.Groups, now), reads: map[source][]int{},
		pending: map[string][]collect.Variable{}, stops: map[source]func(){}, judged: map[int][]*collect.Alarm{}, readings: map[string]*reading{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for _, r := range o.Alarms {
		a := &collect.Alarm{AlarmRule: r, AlarmState: o.States[r.Name]}
		if e, ok := a.Report(now); ok {
			f.events = append(f.events, e)
			f.notify()
		}
		f.alarms = append(f.alarms, a)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range o.Variables {
		f.bind(v)
	}
	for _, a := range f.alarms {
		if !slices.ContainsFunc(f.o.Variables, func(v collect.Variable) bool { return v.Device == a.Device && (v.Name == a.Variable || v.Name == "") }) {
			f.o.Log.Warn("alarm has no variable: it is never triggered", "alarm", a.Name, "device", a.Device, "variable", a.Variable)
		}
	}
	return f
}

// Close ends the subscriptions and readings.
func (f *Field) Close() {
	f.mu.Lock()
	f.cancel()
	for _, stop := range f.stops {
		stop()
	}
	clear(f.stops)
	f.mu.Unlock()
	f.work.Wait()
}

// thing returns the thing of a device; ok is false if there is none.
func (f *Field) thing(device string) (t Thing, ok bool) {
	name := device
	if i := slices.IndexFunc(f.o.Devices, func(d Device) bool { return d.Name == device }); i >= 0 {
		name = f.o.Devices[i].Thing
	}
	i := slices.IndexFunc(f.o.Things, func(t Thing) bool { return t.Name == name })
	if i < 0 {
		return t, false
	}
	return f.o.Things[i], true
}

func (t *Thing) quantities() []device.Quantity {
	if t.Quantities != nil {
		return t.Quantities()
	}
	return t.Model.Quantities
}

// bind finds what a variable is read from, and adds it. One without a name is all quantities
// of its device. f.mu is held.
func (f *Field) bind(v collect.Variable) {
	t, here := f.thing(v.Device)
	switch {
	case v.Expression != "":
		f.bindComputed(v)
	case !here:
		f.lost(v, "its device is no thing of this process")
	case v.Name == "" && v.Value == "":
		known := t.quantities()
		if len(known) == 0 && t.Quantities != nil {
			f.wait(t.Name, v)
			return
		}
		for _, q := range known {
			one := v
			one.Name = q.Name
			f.read(one, &t, q)
		}
	default:
		q, found := t.find(v)
		switch {
		case found:
			f.read(v, &t, q)
		case t.Quantities != nil && len(t.quantities()) == 0:
			f.wait(t.Name, v)
		default:
			f.lost(v, "its thing has no such quantity or event")
		}
	}
}

// find returns what a variable is of a thing, as a quantity.
func (t *Thing) find(v collect.Variable) (device.Quantity, bool) {
	name := v.Value
	if name == "" {
		name = v.Name
	}
	for _, q := range t.quantities() {
		if strings.EqualFold(q.Name, name) {
			return q, true
		}
	}
	if event, key, ok := strings.Cut(name, "."); ok {
		for known := range t.Model.Events {
			if strings.EqualFold(known, event) {
				return device.Quantity{Name: name, Event: known, Key: key}, true
			}
		}
	}
	return device.Quantity{}, false
}

// add adds a variable, with the alarms that judge it.
func (f *Field) add(v collect.Variable, i info) int {
	if v.Unit == "" {
		v.Unit = i.quantity.Unit
	}
	n := f.vars.Add(v)
	f.infos = append(f.infos, i)
	for _, a := range f.alarms {
		if a.Device == v.Device && a.Variable == v.Name {
			f.judged[n] = append(f.judged[n], a)
		}
	}
	return n
}

// lost adds a variable that has no value.
func (f *Field) lost(v collect.Variable, why string) {
	f.o.Log.Warn("variable has no values", "device", v.Device, "variable", v.Name, "why", why)
	f.add(v, info{})
}

func (f *Field) bindComputed(v collect.Variable) {
	compute, err := f.o.Compute(&v)
	if err != nil {
		f.lost(v, err.Error())
		return
	}
	f.add(v, info{compute: compute})
}

// read adds a variable that is a quantity of a thing.
func (f *Field) read(v collect.Variable, t *Thing, q device.Quantity) {
	if v.Name == "" {
		v.Name = q.Name
	}
	n := f.add(v, info{thing: t.Name, key: q.Key, quantity: q})
	from := source{t.Name, q.Event}
	f.reads[from] = append(f.reads[from], n)
	f.subscribe(from)
}

// wait keeps a variable until its thing has opened its part and knows what it measures.
func (f *Field) wait(thing string, v collect.Variable) {
	f.pending[thing] = append(f.pending[thing], v)
	f.subscribe(source{thing, ""})
}

func (f *Field) subscribe(s source) {
	if f.stops[s] == nil {
		f.stops[s] = f.o.Events.Subscribe(s.thing, s.event, f.take)
	}
}

// take takes an event, in the goroutine of its thing.
func (f *Field) take(e device.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(e.Thing)
	for _, i := range f.reads[source{e.Thing, e.Name}] {
		value, reported := e.Values[f.infos[i].key]
		if reported {
			f.set(i, value, e.At)
		}
	}
}

// settle binds the variables that waited for the quantities of a thing.
func (f *Field) settle(thing string) {
	waiting := f.pending[thing]
	if len(waiting) == 0 {
		return
	}
	i := slices.IndexFunc(f.o.Things, func(t Thing) bool { return t.Name == thing })
	if len(f.o.Things[i].quantities()) == 0 {
		return
	}
	delete(f.pending, thing)
	all := source{thing, ""}
	if stop := f.stops[all]; stop != nil {
		stop()
		delete(f.stops, all)
	}
	for _, v := range waiting {
		f.bind(v)
	}
	f.notify() // the next poll may be earlier
}

// set notes a value and judges it. f.mu is held.
func (f *Field) set(i int, value any, at time.Time) {
	if value = f.vars.Set(i, value, at); value == nil {
		return
	}
	for _, a := range f.judged[i] {
		before := a.Due()
		e, changed := a.Observe(value, at)
		if changed {
			f.events = append(f.events, e)
		}
		if changed || !a.Due().Equal(before) {
			f.notify()
		}
	}
}

func (f *Field) notify() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Wake receives when Take has something earlier than Next returned.
func (f *Field) Wake() <-chan struct{} { return f.wake }

// Next returns when Take has to be called, or zero: not before Wake.
func (f *Field) Next() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.vars.Next()
	for _, a := range f.alarms {
		if due := a.Due(); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// Take returns the rounds that are due and the alarms that were triggered or cleared since.
func (f *Field) Take(now time.Time) (rounds []collect.Round, events []collect.AlarmEvent) {
	f.refresh(now, func(i int) bool { return f.vars.Due(i, now) })
	f.mu.Lock()
	defer f.mu.Unlock()
	rounds = f.vars.Poll(now)
	for _, a := range f.alarms {
		if e, ok := a.Elapsed(now); ok {
			f.events = append(f.events, e)
		}
	}
	events, f.events = f.events, nil
	return rounds, events
}

// refresh notes which things work, and computes the variables that are wanted. Meanwhile
// things may report.
func (f *Field) refresh(now time.Time, wanted func(int) bool) {
	f.computing.Lock()
	defer f.computing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	up := map[string]bool{}
	for i := range f.infos {
		if t := f.infos[i].thing; t != "" {
			works, asked := up[t]
			if !asked {
				works = f.o.Up(t)
				up[t] = works
			}
			f.vars.SetDown(i, !works)
		}
	}
	for i := range f.infos {
		if f.infos[i].compute != nil && wanted(i) {
			f.compute(i, now)
		}
	}
}

// compute computes a variable. Without a result it has no value. f.mu is not held while its
// expression runs.
func (f *Field) compute(i int, now time.Time) {
	in, all := f.infos[i], f.vars.Recall(now, nil)
	f.mu.Unlock()
	value, err := in.compute(all)
	f.mu.Lock()
	failed := ""
	if err != nil {
		failed, value = err.Error(), nil
	}
	if v := f.vars.At(i).Variable; failed != in.failed && failed != "" {
		f.o.Log.Warn("variable could not be computed", "device", v.Device, "variable", v.Name, "err", err)
	}
	f.infos[i].failed = failed
	f.set(i, value, now)
}

// Variables are all variables with their latest values, in the order of the configuration;
// those of a device without a name are each of its quantities.
func (f *Field) Variables() []collect.Sample {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vars.Recall(time.Time{}, nil).Samples
}
