package py

import "fmt"

// exception makes the type of an exception.
func exception(name string, base *Type) *Type { return NewType(name, base) }

// The exceptions that Python has.
var (
	BaseException       = exception("BaseException", ObjectType)
	Exception           = exception("Exception", BaseException)
	SystemExit          = exception("SystemExit", BaseException)
	KeyboardInterrupt   = exception("KeyboardInterrupt", BaseException)
	ArithmeticError     = exception("ArithmeticError", Exception)
	ZeroDivisionError   = exception("ZeroDivisionError", ArithmeticError)
	OverflowError       = exception("OverflowError", ArithmeticError)
	LookupError         = exception("LookupError", Exception)
	KeyError            = exception("KeyError", LookupError)
	IndexError          = exception("IndexError", LookupError)
	ValueError          = exception("ValueError", Exception)
	UnicodeError        = exception("UnicodeError", ValueError)
	UnicodeDecodeError  = exception("UnicodeDecodeError", UnicodeError)
	UnicodeEncodeError  = exception("UnicodeEncodeError", UnicodeError)
	JSONDecodeError     = exception("JSONDecodeError", ValueError)
	TypeError           = exception("TypeError", Exception)
	NameError           = exception("NameError", Exception)
	UnboundLocalError   = exception("UnboundLocalError", NameError)
	AttributeError      = exception("AttributeError", Exception)
	AssertionError      = exception("AssertionError", Exception)
	ImportError         = exception("ImportError", Exception)
	ModuleNotFoundError = exception("ModuleNotFoundError", ImportError)
	OSError             = exception("OSError", Exception)
	FileNotFoundError   = exception("FileNotFoundError", OSError)
	FileExistsError     = exception("FileExistsError", OSError)
	PermissionError     = exception("PermissionError", OSError)
	TimeoutError        = exception("TimeoutError", OSError)
	ConnectionError     = exception("ConnectionError", OSError)
	RuntimeError        = exception("RuntimeError", Exception)
	NotImplementedError = exception("NotImplementedError", RuntimeError)
	RecursionError      = exception("RecursionError", RuntimeError)
	StopIteration       = exception("StopIteration", Exception)
	SyntaxErrorType     = exception("SyntaxError", Exception)
	EOFError            = exception("EOFError", Exception)
	MemoryError         = exception("MemoryError", Exception)
	BufferError         = exception("BufferError", Exception)
	Warning             = exception("Warning", Exception)
	UserWarning         = exception("UserWarning", Warning)
	DeprecationWarning  = exception("DeprecationWarning", Warning)
)

// Exceptions are all of them, as built-in names.
var Exceptions = []*Type{
	BaseException, Exception, SystemExit, KeyboardInterrupt, ArithmeticError, ZeroDivisionError, OverflowError,
	LookupError, KeyError, IndexError, ValueError, UnicodeError, UnicodeDecodeError, UnicodeEncodeError, TypeError,
	NameError, UnboundLocalError, AttributeError, AssertionError, ImportError, ModuleNotFoundError, OSError,
	FileNotFoundError, FileExistsError, PermissionError, TimeoutError, ConnectionError, RuntimeError,
	NotImplementedError, RecursionError, StopIteration, SyntaxErrorType, EOFError, MemoryError, BufferError,
	Warning, UserWarning, DeprecationWarning,
}

// Raised is the panic of an exception on its way up.
type Raised struct {
	Exc   *Instance
	Trace []Site // the place of the error first, then its callers
}

// maxTrace is how many callers a trace has at most.
const maxTrace = 20

// Throw raises an exception.
func Throw(m *Machine, exc *Instance) {
	r := &Raised{Exc: exc}
	for s := m.Site; s != nil && len(r.Trace) < maxTrace; s = s.Caller {
		r.Trace = append(r.Trace, Site{File: s.File, Function: s.Function, Line: s.Line})
	}
	panic(r)
}

// Raise raises a new exception with a text.
func Raise(m *Machine, class *Type, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	Throw(m, NewException(class, Str(text)))
}

// RaiseKey raises a KeyError for a key.
func RaiseKey(m *Machine, key Value) { Throw(m, NewException(KeyError, key)) }

// NewException returns an exception with arguments.
func NewException(class *Type, args ...Value) *Instance {
	return &Instance{Class: class, Args: NewTuple(args...)}
}

// Try runs f and returns the exception that ended it, or nil. Limits still end the script.
func Try(m *Machine, f func()) (r *Raised) {
	here := m.mark()
	defer func() {
		if p := recover(); p != nil {
			raised, ok := p.(*Raised)
			if !ok {
				panic(p)
			}
			m.back(here)
			r = raised
		}
	}()
	f()
	return nil
}
