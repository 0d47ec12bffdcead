package script

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// start compiles and runs a script.
func start(t testing.TB, source string, o Options) (*Script, error) {
	t.Helper()
	p, err := Compile("attack", source)
	if err != nil {
		t.Fatal(err)
	}
	return New(context.Background(), p, o)
}

// Each of these is ended by a limit, though an except around it catches everything.
func TestLimitsEndWhatTakesTooMuch(t *testing.T) {
	for _, tc := range []struct{ name, limit, code string }{
		{"endless loop", "steps", "while True: pass"},
		{"endless comprehension", "steps", "[0 for x in range(10**15) if 0]"},
		{"endless generator", "steps", "sum(0 for x in range(10**15))"},
		{"endless zip", "", "list(zip(range(10**15)))"},
		{"endless iterator of the script", "steps", "class I:\n def __iter__(self): return self\n def __next__(self): return 0\nfor x in I(): pass"},
		{"endless sort", "", "sorted(range(10**15))"},
		{"endless search", "steps", "10**18 + 1 in (x for x in range(10**15))"},
		{"gigabyte list", "memory", "[0] * 10**9"},
		{"gigabyte list in place", "memory", "l = [0]\nl *= 10**9"},
		{"gigabyte tuple", "memory", "(0, 1) * 10**9"},
		{"gigabyte text", "memory", "'a' * 10**9"},
		{"gigabyte bytes", "memory", "bytes(10**9)"},
		{"gigabyte bytearray", "memory", "bytearray(10**9)"},
		{"huge count of bytes", "memory", "bytes(10**30)"},
		{"doubling text", "memory", "s = 'a'\nwhile True: s += s"},
		{"doubling list", "", "l = [1]\nwhile True: l = l + l"},
		{"doubling list in place", "", "l = [1]\nwhile True: l += l"},
		{"doubling list by extend", "", "l = [1]\nwhile True: l.extend(l)"},
		{"doubling by slice", "", "l = [1]\nwhile True: l[len(l):] = l"},
		{"growing list", "", "l = []\nwhile True: l.append(0)"},
		{"growing dict", "", "d = {}\ni = 0\nwhile True:\n d[i] = i\n i += 1"},
		{"growing set", "", "d = set()\ni = 0\nwhile True:\n d.add(i)\n i += 1"},
		{"growing deque", "", "from collections import deque\nd = deque()\nwhile True: d.append(0)"},
		{"growing attributes", "", "class A: pass\ni = 0\nwhile True:\n setattr(A, 'a%d' % i, i)\n i += 1"},
		{"tower of powers", "memory", "10**10**8"},
		{"huge power", "memory", "2**(2**70)"},
		{"power in place", "", "x = 3\nwhile True: x **= 3"},
		{"product of large integers", "", "x = 3\nwhile True: x *= x"},
		{"division of large integers", "", "x = 1 << 1000000\ny = 1 << 500001\nwhile True: x // y"},
		{"fractions of large integers", "", "x = (1 << 1000000) + 1\ny = (1 << 500001) + 1\nwhile True: x / y"},
		{"huge shift", "memory", "1 << 10**9"},
		{"very huge shift", "memory", "1 << 10**30"},
		{"modular power", "steps", "pow(3, 1 << 100000, (1 << 100000) + 1)"},
		{"factorial", "", "import math\nwhile True: math.factorial(10000)"},
		{"huge factorial", "", "import math\nmath.factorial(10**9)"},
		{"list of a range", "", "list(range(10**12))"},
		{"tuple of a range", "", "tuple(range(10**12))"},
		{"reversed range", "", "reversed(range(10**12))"},
		{"star of a range", "", "print(*range(10**12))"},
		{"unpacked range", "", "a, *b = range(10**12)"},
		{"join", "memory", "('x' * 100000).join(['a'] * 100000)"},
		{"replace", "memory", "('a' * 100000).replace('a', 'b' * 100000)"},
		{"replace of nothing", "memory", "('a' * 100000).replace('', 'b' * 100000)"},
		{"bytes replace", "memory", "(b'a' * 100000).replace(b'a', b'b' * 100000)"},
		{"center", "memory", "'a'.center(10**9)"},
		{"ljust", "memory", "'a'.ljust(10**9)"},
		{"zfill", "memory", "'1'.zfill(10**9)"},
		{"expandtabs", "memory", "('\\t' * 100000).expandtabs(100000)"},
		{"format width", "memory", "'{:1000000000}'.format(1)"},
		{"format fill", "memory", "f'{1:*>1000000000}'"},
		{"format precision", "memory", "'{:.999999999f}'.format(1.5)"},
		{"nested format width", "memory", "'{:{w}}'.format(1, w=10**9)"},
		{"percent width", "memory", "'%1000000000d' % 1"},
		{"percent star", "memory", "'%*d' % (10**9, 1)"},
		{"percent precision", "memory", "'%.1000000000d' % 1"},
		{"many fields", "memory", "('{0}' * 10000).format('a' * 10000)"},
		{"repr of shared lists", "", "l = ['a' * 1000]\nfor i in range(60): l = [l, l]\nrepr(l)"},
		{"json of shared lists", "", "import json\nl = ['a' * 1000]\nfor i in range(60): l = [l, l]\njson.dumps(l)"},
		{"equality of shared lists", "", "a, b = [1], [1]\nfor i in range(60): a, b = [a, a], [b, b]\na == b"},
		{"hash of shared tuples", "", "l = (1,)\nfor i in range(60): l = (l, l)\nhash(l)"},
		{"json indent", "memory", "import json\njson.dumps([1], indent=10**9)"},
		{"json of many", "", "import json\njson.loads('[' + '0,' * 3000000 + '0]')"},
		{"deep json", "depth", "import json\njson.loads('[' * 100000)"},
		{"deep list", "depth", "l = []\nfor i in range(10000): l = [l]\nrepr(l)"},
		{"deep equality", "depth", "a, b = [], []\nfor i in range(10000): a, b = [a], [b]\na == b"},
		{"deep comparison", "depth", "a, b = [1], [2]\nfor i in range(10000): a, b = [a], [b]\na < b"},
		{"deep copy", "depth", "import copy\nl = []\nfor i in range(10000): l = [l]\ncopy.deepcopy(l)"},
		{"deep hash", "depth", "l = ()\nfor i in range(10000): l = (l,)\nhash(l)"},
		{"deep isinstance", "depth", "l = (int,)\nfor i in range(10000): l = (l,)\nisinstance('', l)"},
		{"recursion", "depth", "def f(): f()\nf()"},
		{"recursion with deep expressions", "memory", "def f(): return " + deepExpression("f()") + "\nf()"},
		{"recursion with long sums", "", "def f(): return f()" + strings.Repeat("+1", 900) + "\nf()"},
		{"recursion of lambdas", "depth", "f = lambda g: g(g)\nf(f)"},
		{"recursion by __repr__", "depth", "class A:\n def __repr__(self): return repr(self)\nrepr(A())"},
		{"recursion by __eq__", "depth", "class A:\n def __eq__(self, o): return self == o\nA() == A()"},
		{"recursion by __getattr__", "depth", "class A:\n def __getattr__(self, n): return getattr(self, n + 'x')\nA().x"},
		{"recursion by sort", "depth", "def f(x): return sorted([2, 1], key=f)\nf(1)"},
		{"recursion by map", "depth", "def f(x): return list(map(f, [x]))\nf(1)"},
		{"recursion by eval", "depth", "def f(): return eval('f()')\nf()"},
		{"classes derived from one another", "", "class A: pass\nwhile True:\n class A(A): pass"},
		{"classes with two bases", "", "class A: pass\nclass B: pass\nwhile True:\n class A(A): pass\n class B(B): pass\n class C(A, B): pass"},
		{"bad regular expressions", "", "import re\ns = '(' + 'a' * 900\nwhile True:\n try:\n  re.compile(s)\n except re.error: pass"},
		{"recursion by classmethod", "depth", "class A: pass\nA.f = classmethod(print)\nfor i in range(10000): A.f = classmethod(A.f)\nA.f()"},
		{"recursion by __init__", "depth", "class A: pass\nA.__init__ = A\nA()"},
		{"recursion by __missing__", "depth", "class E(dict): __missing__ = dict.__getitem__\nE()[1]"},
		{"recursion by __str__ of a dict", "depth", "class D(dict): __str__ = str\nstr(D())"},
		{"recursion by an exception's text", "depth", "e = Exception(1)\ne.args = (e,)\nstr(e)"},
		{"recursion by an exception's __init__", "depth", "e = Exception(1)\ne.__init__(e)\nstr(e)"},
		{"recursion by a KeyError's text", "", "e = KeyError(1)\ne.__init__(e)\nstr(e)"},
		{"recursion by an OSError's text", "depth", "e = OSError(1, 2)\ne.__init__(1, e)\nstr(e)"},
		{"recursion by a logged exception", "depth", "import logging\ne = Exception(1)\ne.__init__(e)\nlogging.info(e)"},
		{"deep equality of sets", "depth", "def f():\n s = frozenset()\n for i in range(10000): s = frozenset([s])\n return s\nf() == f()"},
		{"chained iterators", "depth", "x = iter([1])\nfor i in range(10000): x = map(abs, x)\nlist(x)"},
		{"chained filters", "depth", "x = iter([1])\nfor i in range(10000): x = filter(None, x)\nlist(x)"},
		{"chained enumerates", "depth", "x = iter([1])\nfor i in range(10000): x = enumerate(x)\nlist(x)"},
		{"chained zips", "depth", "x = iter([1])\nfor i in range(10000): x = zip(x)\nlist(x)"},
		{"chained generators", "depth", "x = iter([1])\nfor i in range(10000): x = (y for y in x)\nlist(x)"},
		{"exploding expression", "", "import re\nwhile True: re.match('(a*)*b', 'a' * 1000000)"},
		{"large expression", "", "import re\ntry:\n re.compile('(((a{100}){100}){100})')\nexcept re.error: pass\nwhile True: pass"},
		{"many matches", "", "import re\nwhile True: re.findall('', 'a' * 1000000)"},
		{"long sleep", "time", "import time\ntime.sleep(10**6)"},
		{"regular expressions made anew", "", "import re\ni = 0\nwhile True:\n re.compile('a' * 100 + str(i))\n i += 1"},
		{"translate", "", "('a' * 100000).translate({97: 'b' * 100000})"},
		{"struct", "memory", "import struct\nstruct.pack('1000000000x')"},
		{"sample", "", "import random\nrandom.sample(range(10**12), 2)"},
		{"counter elements", "memory", "from collections import Counter\nCounter(a=10**9).elements()"},
		{"bytes by integer", "memory", "(1).to_bytes(10**9, 'big')"},
		{"raise in a loop", "", "while True:\n try:\n  raise ValueError('x')\n except ValueError: pass"},
		{"many arguments", "", "def f(*a): return a\nd = (0,) * 100000\nwhile True: f(*d)"},
		{"colliding keys", "", "class K:\n def __hash__(self): return 1\n def __eq__(self, o): return self is o\nd = {}\nwhile True: d[K()] = 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code := "try:\n" + indent(tc.code) + "except:\n    while True: pass\nfinally:\n    caught = 1\n"
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			limits := Limits{Steps: 300_000, Memory: 4 << 20, Time: time.Minute}
			if tc.limit == "time" {
				limits.Time = 100 * time.Millisecond
			}
			_, err := start(t, code, Options{Limits: limits})
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			var e *Error
			if !errors.As(err, &e) || !e.Limit {
				t.Fatalf("not ended by a limit: %v", err)
			}
			if tc.limit != "" && e.Kind != tc.limit {
				t.Errorf("ended by %s, want %s: %v", e.Kind, tc.limit, err)
			}
			if e.Script != "attack" || e.Line == 0 || !strings.Contains(err.Error(), "attack, line ") {
				t.Errorf("the place is missing: %v", err)
			}
			// What was allocated in all, most of it garbage, is bounded, too.
			if n := after.TotalAlloc - before.TotalAlloc; n > 2<<30 {
				t.Errorf("allocated %d MB", n>>20)
			} else if testing.Verbose() {
				t.Logf("%v, %d kB, %v", took, n>>10, err)
			}
		})
	}
}

// A built-in function as a special method that calls it again is ended like a function of the
// script that calls itself, or raises as it has no use for such an object: none may take all
// of the stack, which would end the program.
func TestBuiltinsAsSpecialMethods(t *testing.T) {
	functions := []string{"abs", "all", "any", "bool", "bytes", "bytearray", "dict", "enumerate", "filter", "float", "format", "frozenset", "getattr",
		"hasattr", "hash", "hex", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next", "ord", "pow", "print", "range",
		"repr", "reversed", "round", "set", "setattr", "sorted", "str", "sum", "tuple", "type", "zip", "A", "math.floor", "copy.copy", "copy.deepcopy",
		"json.dumps", "logging.info", "divmod", "dict.__getitem__", "OrderedDict", "Counter", "deque"}
	methods := map[string]string{"__len__": "len(a)", "__hash__": "{a: 1}", "__str__": "str(a)", "__repr__": "repr(a)", "__bool__": "not a", "__int__": "int(a)",
		"__index__": "[1][a]", "__float__": "float(a)", "__iter__": "for x in a: break", "__next__": "next(a)", "__abs__": "abs(a)", "__round__": "round(a)",
		"__pow__": "a ** a", "__format__": "format(a)", "__reversed__": "reversed(a)", "__getattr__": "a.b", "__lt__": "a < a", "__eq__": "a == A()", "__ne__": "a != A()",
		"__getitem__": "a[a]", "__setitem__": "a[a] = a", "__delitem__": "del a[a]", "__contains__": "a in a", "__add__": "a + a", "__radd__": "1 + a", "__iadd__": "a += a",
		"__call__": "a(a)", "__init__": "A(a)", "__enter__": "with a: pass", "__missing__": "A()[1]", "__neg__": "-a", "__floor__": "math.floor(a)", "__divmod__": "divmod(a, a)"}
	for method, use := range methods {
		t.Run(method, func(t *testing.T) {
			for _, base := range []string{"object", "dict", "Exception"} {
				for _, function := range functions {
					code := "import math, copy, json, logging\nfrom collections import OrderedDict, Counter, deque\nclass A(" + base + "): pass\na = A()\n" +
						"A." + method + " = " + function + "\n" + use + "\n"
					_, err := start(t, code, Options{Limits: Limits{Steps: 20_000, Memory: 1 << 20, Time: time.Minute}})
					var e *Error
					if err != nil && (!errors.As(err, &e) || e.Kind == "InternalError") {
						t.Errorf("%s = %s of %s: %v", method, function, base, err)
					}
				}
			}
		})
	}
}

func indent(code string) string {
	return "    " + strings.ReplaceAll(code, "\n", "\n    ") + "\n"
}

// What variables keep counts in every call, what a call only makes does not outlive it.
func TestMemoryOfVariables(t *testing.T) {
	ctx := context.Background()
	s, err := start(t, "kept = []\ndef keep(): kept.append('x' * 10000)\ndef waste(): ['x' * 10000]\ndef drop(): kept.clear()\n", Options{Limits: Limits{Memory: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		if _, err := s.Call(ctx, "waste"); err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	for ; err == nil && calls < 1000; calls++ {
		_, err = s.Call(ctx, "keep")
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != "memory" {
		t.Fatalf("after %d calls: %v", calls, err)
	}
	if calls < 50 || calls > 110 {
		t.Errorf("10 kB in each call filled 1 MB after %d calls", calls)
	}
	if _, err := s.Call(ctx, "drop"); err != nil {
		t.Fatalf("a script without room cannot make room: %v", err)
	}
	if _, err := s.Call(ctx, "keep"); err != nil {
		t.Errorf("after it made room: %v", err)
	}
}

// The time of a call bounds the functions of the host, too, also one that hides why it ended.
func TestTimeEndsFunctionsOfTheHost(t *testing.T) {
	for name, after := range map[string]func() (Value, error){
		"its error":    func() (Value, error) { return nil, context.DeadlineExceeded },
		"an exception": func() (Value, error) { return nil, Exception("ValueError", "no answer") },
		"a result":     func() (Value, error) { return Str("no answer"), nil },
	} {
		wait := NewFunc("wait", func(ctx context.Context, _ *Call) (Value, error) {
			<-ctx.Done()
			return after()
		})
		_, err := start(t, "from host import wait\ntry:\n wait()\nexcept:\n pass\n", Options{
			Limits: Limits{Time: 20 * time.Millisecond}, Modules: map[string]Module{"host": {"wait": wait}}})
		var e *Error
		if !errors.As(err, &e) || e.Kind != "time" || e.Line != 3 {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}

// The context of a call ends it at once, a sleep and a loop alike.
func TestContextEndsACall(t *testing.T) {
	for _, code := range []string{"import time\ndef f(): time.sleep(1000)\n", "def f():\n while True: pass\n"} {
		s, err := start(t, code, Options{Limits: Limits{Time: time.Hour, Steps: 1 << 30}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		stop := time.AfterFunc(20*time.Millisecond, cancel)
		_, err = s.Call(ctx, "f")
		stop.Stop()
		cancel()
		var e *Error
		if !errors.As(err, &e) || e.Kind != "cancelled" || !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	}
}

// deepExpression puts an expression as deep as a source allows: into sums inside brackets.
func deepExpression(inner string) string {
	for range 30 {
		inner = "(" + inner + strings.Repeat("+1", 900) + ")"
	}
	return inner
}
