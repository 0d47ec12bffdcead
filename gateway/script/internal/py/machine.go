package py

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Limits are what one call into a script may take. No except catches them.
type Limits struct {
	Steps  int           // statements, rounds of loops and the like
	Memory int           // bytes: what a call makes, and what the script's variables keep
	Depth  int           // calls inside one another
	Time   time.Duration // from the beginning of the call
}

// Host is what a machine needs from outside.
type Host struct {
	Log func(level, text string)
	// Logging gets the lines of the module logging.
	Logging func(level, text string)
	Now     func() time.Time
	Zone    *time.Location
	Files   Files
}

// Files are the files that open() sees. Every error that Python has a name for is one of
// io/fs: fs.ErrNotExist, fs.ErrPermission, fs.ErrExist.
type Files interface {
	Read(name string, most int) ([]byte, error)
	Write(name string, data []byte) error
	Remove(name string) error
	List() ([]string, error)
}

// Site is a place in the script at which a call is.
type Site struct {
	Caller   *Site
	File     string
	Function string
	Line     int
}

// Machine counts what a script takes, and knows where it is. It serves one goroutine.
type Machine struct {
	Host
	Limits Limits
	Ctx    context.Context
	Site   *Site
	Rand   *rand.Rand
	// Eval evaluates an expression of Python among the script's variables.
	Eval func(source string) Value
	// Import returns a module, or nil.
	Import func(name string) *Module
	// Handling is the exception that an except handles at present, or nil.
	Handling *Raised

	cache map[string]any

	steps    int
	memory   int
	depth    int
	stack    int // bytes of the stacks of calls that are running
	deadline time.Time
	turn     turn
}

// Start begins a call, which ends with End: the count of steps and time begins anew. kept are
// the bytes that the script's variables take.
func (m *Machine) Start(ctx context.Context, kept int) {
	m.Ctx, m.Site, m.Handling = ctx, nil, nil
	m.steps, m.depth, m.stack, m.memory = 0, 0, 0, kept
	m.deadline = time.Now().Add(m.Limits.Time)
	m.turn.first()
}

// End ends a call's turn to compute, if it has one.
func (m *Machine) End() { m.turn.end() }

// Outside does what is not the script's computing, such as waiting, without a turn.
func (m *Machine) Outside(do func()) {
	m.turn.end()
	defer m.turn.begin()
	do()
}

// Inside computes for the script within what Outside does.
func (m *Machine) Inside(compute func()) {
	m.turn.begin()
	defer m.turn.end()
	compute()
}

// Deadline is when the time of the present call ends.
func (m *Machine) Deadline() time.Time { return m.deadline }

// Used returns what the present call has taken so far: steps, and bytes with those kept.
func (m *Machine) Used() (steps, memory int) { return m.steps, m.memory }

// The reasons of a Stop.
const (
	StopSteps  = "steps"
	StopMemory = "memory"
	StopDepth  = "depth"
	StopTime   = "time"
	StopCancel = "cancelled"
)

// Stop is the panic that ends a script at a limit.
type Stop struct {
	Reason string
	Text   string
	Cause  error
}

func (s *Stop) Error() string { return s.Text }

// Unwrap returns the error of the context, if that ended the script.
func (s *Stop) Unwrap() error { return s.Cause }

// Step counts one step.
func (m *Machine) Step() {
	m.steps++
	if m.steps&127 == 0 || m.steps > m.Limits.Steps {
		m.Breathe()
	}
}

// Work counts n steps at once, before they are done.
func (m *Machine) Work(n int) {
	if n < 0 || n > m.Limits.Steps-m.steps {
		m.steps = m.Limits.Steps + 1
	} else {
		m.steps += n
	}
	m.Breathe()
}

// Breathe lets others compute, in the midst of work that was counted, and ends the script at its
// limits.
func (m *Machine) Breathe() {
	if m.steps > m.Limits.Steps {
		panic(&Stop{Reason: StopSteps, Text: fmt.Sprintf("the script took more than %d steps", m.Limits.Steps)})
	}
	if err := m.Ctx.Err(); err != nil {
		panic(&Stop{Reason: StopCancel, Text: "the script was stopped: " + err.Error(), Cause: err})
	}
	now := time.Now()
	if !now.Before(m.deadline) {
		panic(&Stop{Reason: StopTime, Text: fmt.Sprintf("the script took longer than %v", m.Limits.Time)})
	}
	m.turn.breathe(now)
}

// Alloc counts n bytes, before they are taken.
func (m *Machine) Alloc(n int) {
	if n < 0 || n > m.Limits.Memory-m.memory-m.stack {
		panic(&Stop{Reason: StopMemory, Text: fmt.Sprintf("the script used more than %d bytes of memory", m.Limits.Memory)})
	}
	m.memory += n
	if n > 1024 {
		m.Work(n / 64)
	}
}

// AllocN counts n things of size bytes each.
func (m *Machine) AllocN(n, size int) {
	if n < 0 || size > 0 && n > m.Limits.Memory/size {
		m.Alloc(-1)
	}
	m.Alloc(n * size)
}

// Free gives back what Alloc counted for something that did not outlive a function.
func (m *Machine) Free(n int) { m.memory -= n }

// Enter counts one call inside another; Leave ends it.
func (m *Machine) Enter() {
	if m.depth >= m.Limits.Depth {
		panic(&Stop{Reason: StopDepth, Text: fmt.Sprintf("more than %d calls are inside one another", m.Limits.Depth)})
	}
	m.depth++
}

// Leave ends what Enter began.
func (m *Machine) Leave() { m.depth-- }

// EnterCall is Enter for a function of the script, whose code takes so many bytes of stack.
func (m *Machine) EnterCall(stack int) {
	m.Enter()
	m.stack += stack
	m.Alloc(0)
}

// LeaveCall ends what EnterCall began.
func (m *Machine) LeaveCall(stack int) {
	m.stack -= stack
	m.depth--
}

// mark is where a machine is; Try returns there after an exception.
type mark struct {
	site         *Site
	depth, stack int
}

func (m *Machine) mark() mark { return mark{m.Site, m.depth, m.stack} }

func (m *Machine) back(to mark) { m.Site, m.depth, m.stack = to.site, to.depth, to.stack }

// maxCache is how many things a machine keeps that are costly to make and small.
const maxCache = 32

// Cached returns what Cache keeps under a key, or nil.
func (m *Machine) Cached(key string) any { return m.cache[key] }

// Cache keeps something small that is costly to make. It keeps few: all are dropped when
// there are too many.
func (m *Machine) Cache(key string, v any) {
	if m.cache == nil || len(m.cache) >= maxCache {
		m.cache = map[string]any{}
	}
	m.cache[key] = v
}

// Sleep waits, but no longer than the call may take.
func (m *Machine) Sleep(d time.Duration) {
	if left := time.Until(m.deadline) + time.Millisecond; d > left {
		d = left
	}
	t := time.NewTimer(d)
	defer t.Stop()
	m.Outside(func() {
		select {
		case <-t.C:
		case <-m.Ctx.Done():
		}
	})
	m.Breathe()
}
