package syntax

// Expr is an expression.
type Expr interface{ Pos() int }

// Stmt is a statement.
type Stmt interface{ Pos() int }

// Line is where a node begins, counted from 1.
type Line int

// Pos returns the line.
func (l Line) Pos() int { return int(l) }

// Place says where the value of a name lives.
type Place uint8

const (
	// Global names are slots of the module, or else built-in names.
	Global Place = iota
	// Local names are slots of the function's own frame.
	Local
	// Outer names are slots of a frame around the function, Up steps away.
	Outer
	// ClassName names are of the body of a class, or else Global or Outer.
	ClassName
)

// Expressions.
type (
	// Name is a variable. The resolver sets Place, Slot and Up.
	Name struct {
		Line
		ID    string
		Place Place
		Slot  int
		Up    int
		Else  *Name // of ClassName: where to look when the class has no such name yet
	}
	// Const is None (nil), bool, int64, *big.Int, float64, string, Bytes or Dots.
	Const struct {
		Line
		Value any
	}
	// Format is an f-string: strings and Fields in turn.
	Format struct {
		Line
		Parts []Expr // *Const or *Field
	}
	// Field is one {…} of an f-string.
	Field struct {
		Line
		Value   Expr
		Convert byte // 'r', 's', 'a' or 0
		Spec    []Expr
	}
	// Sequence is a tuple, list or set; its elements may be *Starred.
	Sequence struct {
		Line
		Kind  byte // '(', '[' or '{'
		Items []Expr
	}
	// DictDisplay is {…: …}; a nil key stands for **Values[i].
	DictDisplay struct {
		Line
		Keys, Values []Expr
	}
	// Comprehension is of a list '[', set '{', dict ':' or generator '('.
	Comprehension struct {
		Line
		Kind      byte
		Elem, Key Expr
		Clauses   []Clause
		Slots     int // of its own frame
	}
	// Clause is one for of a comprehension, with the conditions that follow it.
	Clause struct {
		Target, Iter Expr
		Conds        []Expr
	}
	// Lambda is a function that is an expression.
	Lambda struct {
		Line
		Func *Function
	}
	// Conditional is "Then if Test else Else".
	Conditional struct {
		Line
		Test, Then, Else Expr
	}
	// Logic is "and" or "or".
	Logic struct {
		Line
		Or   bool
		X, Y Expr
	}
	// Compare is a chain of comparisons.
	Compare struct {
		Line
		First Expr
		Ops   []string
		Rest  []Expr
	}
	// Binary is an operator between two operands.
	Binary struct {
		Line
		Op   string
		X, Y Expr
	}
	// Unary is -, +, ~ or not.
	Unary struct {
		Line
		Op string
		X  Expr
	}
	// Attribute is X.Name.
	Attribute struct {
		Line
		X    Expr
		Name string
	}
	// Index is X[Key].
	Index struct {
		Line
		X, Key Expr
	}
	// Slice is Low:High:Step inside an Index; each may be nil.
	Slice struct {
		Line
		Low, High, Step Expr
	}
	// Call is a call. Star arguments are *Starred in Args, ** has Name "".
	Call struct {
		Line
		Func     Expr
		Args     []Expr
		Keywords []Keyword
	}
	// Keyword is Name=Value of a call.
	Keyword struct {
		Name  string
		Value Expr
	}
	// Starred is *X.
	Starred struct {
		Line
		X Expr
	}
	// Assigned is (Target := Value).
	Assigned struct {
		Line
		Target *Name
		Value  Expr
	}
)

// Bytes is the value of a bytes literal, Dots that of "...".
type (
	Bytes string
	Dots  struct{}
)

// Function is what def and lambda have in common.
type Function struct {
	Name     string
	Params   []Param // positional ones, then keyword-only ones
	Pos      int     // how many of Params are positional
	PosOnly  int     // how many of those have no keyword
	Star     int     // slot of *args, or -1
	StarStar int     // slot of **kwargs, or -1
	star     string
	starstar string
	Doc      string
	Body     []Stmt // of def
	Expr     Expr   // of lambda
	Slots    int
	Names    []string // of slots, for messages
	Escapes  bool     // a function or generator inside may outlive a call and see its names
}

// Param is a parameter; Default may be nil. Its slot is its index.
type Param struct {
	Name    string
	Default Expr
}

// Statements.
type (
	// ExprStmt is an expression by itself.
	ExprStmt struct {
		Line
		X Expr
	}
	// Assign assigns Value to each target.
	Assign struct {
		Line
		Targets []Expr
		Value   Expr
	}
	// Augment is Target Op= Value.
	Augment struct {
		Line
		Target Expr
		Op     string
		Value  Expr
	}
	// If has an else that may hold one If: elif.
	If struct {
		Line
		Test       Expr
		Then, Else []Stmt
	}
	// While loops while Test holds; Else runs unless break ends it.
	While struct {
		Line
		Test       Expr
		Body, Else []Stmt
	}
	// For loops over Iter.
	For struct {
		Line
		Target, Iter Expr
		Body, Else   []Stmt
	}
	// Def defines a function.
	Def struct {
		Line
		Func   *Function
		Target *Name
	}
	// Class defines a class.
	Class struct {
		Line
		Name   string
		Bases  []Expr
		Doc    string
		Body   []Stmt
		Target *Name
	}
	// Try has handlers, an else and a finally.
	Try struct {
		Line
		Body, Else, Finally []Stmt
		Handlers            []Handler
	}
	// Handler is one except; Type is nil when it catches all, Target when it has no name.
	Handler struct {
		Line
		Type   Expr
		Target *Name
		Body   []Stmt
	}
	// With enters Items in turn and leaves them in reverse.
	With struct {
		Line
		Items []WithItem
		Body  []Stmt
	}
	// WithItem is "X as Target"; Target may be nil.
	WithItem struct{ X, Target Expr }
	// Return ends a function; X may be nil.
	Return struct {
		Line
		X Expr
	}
	// Raise raises X, or again what is being handled; From may be nil.
	Raise struct {
		Line
		X, From Expr
	}
	// Simple is pass, break or continue.
	Simple struct {
		Line
		Word string
	}
	// Scope is global or nonlocal.
	Scope struct {
		Line
		Nonlocal bool
		Names    []string
	}
	// Import binds the module Module to Target. With Item, it is "from Module import Item".
	Import struct {
		Line
		Module, Item string
		Whole        bool // "import a.b as c": Target is a.b and not a
		Guarded      bool // an except around it handles that there is no such module
		Target       *Name
	}
	// Delete is del.
	Delete struct {
		Line
		Targets []Expr
	}
	// Assert raises unless Test holds; Message may be nil.
	Assert struct {
		Line
		Test, Message Expr
	}
)
