package expr

// Expr is an expression that has been parsed. It is never changed.
type Expr struct{ root Node }

// Root is the expression's tree, not to be changed.
func (e *Expr) Root() Node { return e.root }

// New returns the expression of a tree that was made by hand. Its String parses
// back to the same tree.
func New(root Node) *Expr { return &Expr{root} }

// Node is a node of an expression: one of the types below.
type Node interface{ node() }

type (
	// Literal is nil, a bool, a string, an int64, a uint64 or a float64.
	Literal struct{ Value any }
	// List is [a, b].
	List struct{ Items []Node }
	// Name is a variable: name or $name.
	Name struct{ Name string }
	// Member is the value of a key: of.key, of/key or of['key'].
	Member struct {
		Of  Node
		Key string
	}
	// Index is an element by its place: of[0].
	Index struct {
		Of    Node
		Place int
	}
	// Filter is the first element for which the condition holds: of[condition].
	Filter struct {
		Of        Node
		Condition Node
	}
	// Call is name(args) or of.name(args).
	Call struct {
		Of   Node // nil for a function
		Name string
		Args []Node
	}
	// Unary is !x or -x.
	Unary struct {
		Op string
		X  Node
	}
	// Binary is x op y, with one of == != < > <= >= && || + - * / % ??
	Binary struct {
		Op   string
		X, Y Node
	}
	// Conditional is if ? then : else.
	Conditional struct{ If, Then, Else Node }
	// Cast is (type)x; the type is written in lower case.
	Cast struct {
		Type string
		X    Node
	}
	// Macro is text with values in it: macro(text ${x} text). Text is a Literal.
	Macro struct{ Parts []Node }
)

func (*Literal) node()     {}
func (*List) node()        {}
func (*Name) node()        {}
func (*Member) node()      {}
func (*Index) node()       {}
func (*Filter) node()      {}
func (*Call) node()        {}
func (*Unary) node()       {}
func (*Binary) node()      {}
func (*Conditional) node() {}
func (*Cast) node()        {}
func (*Macro) node()       {}

// children calls fn for the nodes below n.
func children(n Node, fn func(Node)) {
	each := func(list []Node) {
		for _, x := range list {
			fn(x)
		}
	}
	switch n := n.(type) {
	case *List:
		each(n.Items)
	case *Member:
		fn(n.Of)
	case *Index:
		fn(n.Of)
	case *Filter:
		fn(n.Of)
		fn(n.Condition)
	case *Call:
		if n.Of != nil && !isMath(n.Of) && !isLib(n.Of) {
			fn(n.Of)
		}
		each(n.Args)
	case *Unary:
		fn(n.X)
	case *Binary:
		fn(n.X)
		fn(n.Y)
	case *Conditional:
		fn(n.If)
		fn(n.Then)
		fn(n.Else)
	case *Cast:
		fn(n.X)
	case *Macro:
		each(n.Parts)
	}
}

// Walk calls fn for every node, those above first.
func (e *Expr) Walk(fn func(Node)) {
	var walk func(Node)
	walk = func(n Node) {
		fn(n)
		children(n, walk)
	}
	walk(e.root)
}

// Variables lists the variables that the expression uses, each once, in the
// order of their first use. Names inside a filter's brackets are left out: they
// may be keys of its elements.
func (e *Expr) Variables() []string {
	var names []string
	seen := map[string]bool{}
	var walk func(Node)
	walk = func(n Node) {
		switch n := n.(type) {
		case *Name:
			if !seen[n.Name] {
				seen[n.Name] = true
				names = append(names, n.Name)
			}
		case *Filter:
			walk(n.Of)
		default:
			children(n, walk)
		}
	}
	walk(e.root)
	return names
}

// isMath reports whether a call's left side is the library tdm.lib.Math.
func isMath(n Node) bool {
	switch n := n.(type) {
	case *Name:
		return n.Name == "Math"
	case *Member:
		return n.Key == "Math" && isLib(n.Of)
	}
	return false
}

// isLib reports whether a node is the library tdm.lib.
func isLib(n Node) bool {
	lib, ok := n.(*Member)
	if !ok || lib.Key != "lib" {
		return false
	}
	tdm, ok := lib.Of.(*Name)
	return ok && tdm.Name == "tdm"
}
