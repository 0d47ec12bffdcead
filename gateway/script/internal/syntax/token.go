package syntax

type kind uint8

const (
	kEnd kind = iota
	kNewline
	kIndent
	kDedent
	kName
	kKeyword
	kOp
	kNumber
	kString  // text is the string's value
	kBytes   // text holds the bytes
	kFString // text is what stands between the quotes
)

type token struct {
	kind kind
	text string
	raw  bool // of an f-string: backslashes mean themselves
	line int
}

var keywords = map[string]bool{
	"and": true, "or": true, "not": true, "if": true, "elif": true, "else": true, "for": true, "while": true,
	"in": true, "is": true, "lambda": true, "def": true, "return": true, "class": true, "pass": true, "break": true,
	"continue": true, "import": true, "from": true, "as": true, "global": true, "nonlocal": true, "try": true,
	"except": true, "finally": true, "raise": true, "with": true, "del": true, "assert": true, "None": true,
	"True": true, "False": true, "yield": true, "async": true, "await": true,
}

// operators of more than one character, longer ones first.
var operators = []string{
	"**=", "//=", ">>=", "<<=", "...", "->", ":=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "<>",
	"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=",
}
