package syntax

// Globals are the names of a module: each has a slot.
type Globals struct {
	Names []GlobalName
	index map[string]int
}

// GlobalName is one name of a module.
type GlobalName struct {
	Name  string
	Line  int  // of its first use
	Bound bool // the script assigns it somewhere
}

// NewGlobals returns a table without names.
func NewGlobals() *Globals { return &Globals{index: map[string]int{}} }

// Slot returns the slot of a name, or -1.
func (g *Globals) Slot(name string) int {
	if i, ok := g.index[name]; ok {
		return i
	}
	return -1
}

// Clone returns a copy, which can grow by itself.
func (g *Globals) Clone() *Globals {
	c := NewGlobals()
	for _, n := range g.Names {
		c.slot(n.Name, n.Line)
	}
	return c
}

func (g *Globals) slot(name string, line int) int {
	i, ok := g.index[name]
	if !ok {
		i = len(g.Names)
		g.index[name] = i
		g.Names = append(g.Names, GlobalName{Name: name, Line: line})
	}
	return i
}

type scopeKind uint8

const (
	moduleScope scopeKind = iota
	functionScope
	comprehensionScope
	classScope
)

// scope is a part of the source with names of its own.
type scope struct {
	kind     scopeKind
	up       *scope
	names    map[string]int // slots of its frame; of a class, which names it has
	order    []string
	global   map[string]bool
	nonlocal map[string]bool
	fn       *Function // of a functionScope
	loops    int       // around the present statement
}

// declare gives a name a slot of the scope.
func (s *scope) declare(name string) int {
	if i, ok := s.names[name]; ok {
		return i
	}
	i := len(s.order)
	s.names[name] = i
	s.order = append(s.order, name)
	return i
}

// bind notes that the scope's own code assigns a name.
func (s *scope) bind(name string) {
	if s.kind != moduleScope && !s.global[name] && !s.nonlocal[name] {
		s.declare(name)
	}
}

// escapes notes that a function made here may outlive the call that makes it.
func (s *scope) escapes() {
	for ; s != nil; s = s.up {
		if s.fn != nil {
			s.fn.Escapes = true
		}
	}
}
