package script

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/eval"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// Limits are what one call into a script may take. Zero values stand for DefaultLimits.
type Limits struct {
	// Steps are statements, rounds of loops and what takes as long.
	Steps int
	// Memory is in bytes: what a call makes, whether or not it keeps it, and what the
	// script's variables keep between calls.
	Memory int
	// Depth is how many calls may be inside one another.
	Depth int
	// Time is from the beginning of the call.
	Time time.Duration
}

// DefaultLimits fit a Raspberry Pi with 512 MB.
var DefaultLimits = Limits{Steps: 1_000_000, Memory: 8 << 20, Depth: 100, Time: 10 * time.Second}

// Options are what a script gets from its host. The zero value is one without modules of
// the host, files and log.
type Options struct {
	Limits  Limits
	Modules map[string]Module
	// Log gets each line of logging, logger and print, with one of Python's levels in
	// lower case: "debug", "info", "warning", "error", "critical"; print is "print".
	Log func(level, text string)
	// Logging gets those of the module logging, which Device Supervisor does not filter by its
	// log level; nil is Log.
	Logging func(level, text string)
	// Now is the time that a script sees; nil is time.Now.
	Now func() time.Time
	// Zone is that of local times; nil is time.Local.
	Zone *time.Location
	// Files are what open sees; nil is an empty folder that takes nothing.
	Files Files
}

// Files are a small folder of the script's own, bounded by who implements it. Names are
// single path elements. Errors that wrap fs.ErrNotExist, fs.ErrExist or fs.ErrPermission
// raise Python's exceptions for those, others OSError.
type Files = py.Files

// Program is a compiled script. Several Scripts may run it at a time.
type Program struct{ p *eval.Program }

// Compile reads a script; name is for messages. The error is a *Problem.
func Compile(name, source string) (*Program, error) {
	builtin.Lookup("") // gives the types their methods, also for a script that names no built-in function
	p, err := eval.Compile(name, source, builtin.Lookup)
	if err != nil {
		return nil, err
	}
	if err := refused(p.Names); err != nil {
		return nil, err
	}
	return &Program{p}, nil
}

// Name is the name given to Compile.
func (p *Program) Name() string { return p.p.File }

// Binds reports whether the script assigns a name of its own, as by def.
func (p *Program) Binds(name string) bool {
	return slices.ContainsFunc(p.p.Names.Names, func(n syntax.GlobalName) bool { return n.Name == name && n.Bound })
}

// Script is a program at work, with its variables. It serves one call at a time.
type Script struct {
	program *Program
	m       *py.Machine
	rt      *eval.Runtime
	busy    atomic.Bool
	kept    int // bytes that the variables kept when they were last measured
	taken   int // bytes counted at present: kept, and what calls have made since
}

// ErrBusy is returned by a call while another runs.
var ErrBusy = errors.New("script: another call is running")

// ErrNoFunction is wrapped by Call for a name that the script has no function under.
var ErrNoFunction = errors.New("the script has no such function")

// New makes a script of a program and runs its body. The error is a *Problem when the
// script imports what is not there, or an *Error.
func New(ctx context.Context, p *Program, o Options) (*Script, error) {
	if err := Check(p, o.Modules); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = func(string, string) {}
	}
	if o.Logging == nil {
		o.Logging = o.Log
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	limits := py.Limits(o.Limits)
	setDefault(&limits.Steps, DefaultLimits.Steps)
	setDefault(&limits.Memory, DefaultLimits.Memory)
	setDefault(&limits.Depth, DefaultLimits.Depth)
	if limits.Time <= 0 {
		limits.Time = DefaultLimits.Time
	}
	m := &py.Machine{
		Host:   py.Host{Log: o.Log, Logging: o.Logging, Now: o.Now, Zone: o.Zone, Files: o.Files},
		Limits: limits,
		Rand:   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
	m.Import = importer(o.Modules)
	s := &Script{program: p, m: m, rt: p.p.Start(m)}
	s.busy.Store(true)
	defer s.busy.Store(false)
	if err := s.guard(ctx, func() { p.p.Run(s.rt) }); err != nil {
		return nil, err
	}
	return s, nil
}

func setDefault(n *int, def int) {
	if *n <= 0 {
		*n = def
	}
}

// Call calls a function of the script by its name. The error is an *Error, or wraps
// ErrNoFunction or ErrBusy.
func (s *Script) Call(ctx context.Context, name string, args ...Value) (Value, error) {
	f := s.Global(name)
	if _, ok := f.(py.Callable); !ok {
		return nil, fmt.Errorf("script %s: %w: %s", s.program.Name(), ErrNoFunction, name)
	}
	return s.CallValue(ctx, f, args...)
}

// CallValue calls a function that the script has handed out, such as a callback.
func (s *Script) CallValue(ctx context.Context, f Value, args ...Value) (v Value, err error) {
	if !s.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	defer s.busy.Store(false)
	err = s.guard(ctx, func() { v = py.Call(s.m, f, args...) })
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Global returns a variable of the script, or nil. No call may be running.
func (s *Script) Global(name string) Value { return s.rt.Lookup(name) }

// SetGlobal sets a variable of the script, if the script mentions it. No call may be running.
func (s *Script) SetGlobal(name string, v Value) {
	if i := s.program.p.Names.Slot(name); i >= 0 {
		s.rt.Globals[i] = v
	}
}

// Memory is the number of bytes that the variables of the script were counted with last.
func (s *Script) Memory() int { return s.kept }

// guard runs a part of the script under the limits, and returns what ended it.
func (s *Script) guard(ctx context.Context, run func()) (err error) {
	s.m.Start(ctx, s.taken)
	defer s.m.End()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *py.Raised:
			err = s.raised(r)
		case *py.Stop:
			err = s.stopped(r)
		case error: // a mistake in this package, such as an index out of range
			e := fault(s.program.Name(), s.trace())
			e.Kind, e.Text, e.cause = "InternalError", r.Error(), r
			err = e
		default:
			panic(r)
		}
		s.measure(err != nil)
	}()
	run()
	return nil
}

// measure finds what the variables keep, once calls have made so much that it matters: an
// eighth of the limit, or anything when little is left.
func (s *Script) measure(now bool) {
	_, s.taken = s.m.Used()
	if limit := s.m.Limits.Memory; now || s.taken > s.kept+limit/8 || s.taken > limit-limit/4 {
		s.kept = s.rt.Kept()
		s.taken = s.kept
	}
}

func (s *Script) raised(r *py.Raised) (err error) {
	defer func() {
		if stop, ok := recover().(*py.Stop); ok {
			err = s.stopped(stop)
		}
	}()
	return uncaught(s.m, s.program.Name(), r)
}

func (s *Script) stopped(stop *py.Stop) error {
	e := fault(s.program.Name(), s.trace())
	e.Kind, e.Text, e.Limit, e.cause = stop.Reason, stop.Text, true, stop.Cause
	e.Traceback += stop.Text + "\n"
	return e
}

// trace is where the script is, the innermost call first.
func (s *Script) trace() []py.Site {
	var trace []py.Site
	for at := s.m.Site; at != nil && len(trace) < 20; at = at.Caller {
		trace = append(trace, *at)
	}
	return trace
}
