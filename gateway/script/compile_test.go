package script

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// What is not supported is refused before anything runs, with the line and what to do.
func TestRefusals(t *testing.T) {
	host := map[string]Module{"quickfaas.remotebus": {"publish": None}, "quickfaas.global_dict": {"get": None}}
	for _, tc := range []struct {
		code string
		line int
		text string // in the text
		fix  string // in the fix
	}{
		{"def f():\n    yield 1\n", 2, "yield", "list"},
		{"x = (yield)\n", 1, "yield", "list"},
		{"@property\ndef f(): pass\n", 1, "decorators", "below"},
		{"async def f(): pass\n", 1, "async", "directly"},
		{"def f():\n    await g()\n", 2, "await", "directly"},
		{"match x:\n    case 1: pass\n", 1, "match", "elif"},
		{"import requests\n", 1, "requests", "http_get"},
		{"x = 1\nimport os, json\n", 2, "no module os", "open"},
		{"def f():\n    import numpy as np\n", 2, "numpy", "lists"},
		{"from math import nope\n", 1, "math has no nope", ""},
		{"from quickfaas.lwtsdb import LWTSDB\n", 1, "quickfaas.lwtsdb", "time-series"},
		{"db = LWTSDB()\n", 1, "LWTSDB", "variables"},
		{"from quickfaas.remotebus import subscribe\n", 1, "has no subscribe", ""},
		{"from math import *\n", 1, "import *", "from math import a"},
		{"from . import x\n", 1, "relative", "one"},
		{"print 'x'\n", 1, "Python 2", "print("},
		{"try:\n    pass\nexcept ValueError, e:\n    pass\n", 3, "parenthesized", "as e"},
		{"raise ValueError, 'x'\n", 1, "Python 2", "raise Error(text)"},
		{"if 1 <> 2: pass\n", 1, "Python 2", "!="},
		{"exec('x = 1')\n", 1, "exec", "code"},
		{"x = input()\n", 1, "input", "keyboard"},
		{"for i in xrange(3): pass\n", 1, "xrange", "range"},
		{"class A(metaclass=B): pass\n", 1, "metaclass", "base class"},
		{"x = 1j\n", 1, "complex", ""},
		{"x = a @ b\n", 1, "@", ""},
		{"x = 010\n", 1, "leading zeros", "0o"},
		{"def f(:\n    pass\n", 1, "never closed", ""},
		{"if x\n    pass\n", 1, "expected ':'", ""},
		{"if x = 1:\n    pass\n", 1, "expected ':'", "== compares"},
		{"x = 1\n# gr\xf6\xdfe\n", 2, "not UTF-8", "save it"},
		{"if x:\npass\n", 2, "indented block", "pass"},
		{"x = 1\n  y = 2\n", 2, "unexpected indent", "begin the line"},
		{"if 1:\n    x = 1\n  y = 2\n", 3, "unindent", "alike"},
		{"x = 'abc\n", 1, "unterminated", ""},
		{"x = (1,\n", 1, "'(' was never closed", ""},
		{"x = [1)\n", 1, "does not match", ""},
		{"if x: y = 1 +", 1, "end of the line", ""},
		{"x = )\n", 1, "unmatched", ""},
		{"f() = 1\n", 1, "cannot assign", "=="},
		{"1 = x\n", 1, "cannot assign", "=="},
		{"break\n", 1, "outside loop", ""},
		{"return 1\n", 1, "outside function", ""},
		{"def f():\n    nonlocal q\n", 2, "nonlocal", "global"},
		{"def f(a, a): pass\n", 1, "duplicate", ""},
		{"def f(a=1, b): pass\n", 1, "non-default", ""},
		{"f(a=1, 2)\n", 1, "positional", ""},
		{"x = f'{1 +}'\n", 1, "invalid syntax", ""},
		{"x = f'{}'\n", 1, "empty expression", "{{"},
		{"x = f'{1'\n", 1, "expecting '}'", ""},
		{"x = `1`\n", 1, "invalid character", "repr"},
		{"x = 1 $ 2\n", 1, "invalid character", ""},
		{"x = '\\xzz'\n", 1, "escape", ""},
		{"x = b'ü'\n", 1, "ASCII", "encode"},
		{"x\x00 = 1\n", 1, "NUL", "UTF-8"},
		{strings.Repeat("(", 1000) + strings.Repeat(")", 1000) + "\n", 1, "nested too deep", "variables"},
		{strings.Repeat("-", 1000) + "1\n", 1, "nested too deep", "variables"},
		{"x = " + strings.Repeat("1+", 2000) + "1\n", 1, "1000 terms", "split"},
		{"x" + strings.Repeat(".a", 500) + "\n", 1, "200", "split"},
		{"#" + strings.Repeat("x", 300<<10), 1, "256 KiB", "rules"},
	} {
		p, err := Compile("rule", tc.code)
		if err == nil {
			_, err = New(context.Background(), p, Options{Modules: host})
		}
		var problem *Problem
		if !errors.As(err, &problem) {
			t.Errorf("%.60q: %v", tc.code, err)
			continue
		}
		if problem.Line != tc.line || !strings.Contains(problem.Text, tc.text) || !strings.Contains(problem.Fix, tc.fix) {
			t.Errorf("%.60q: line %d, %q, %q; want line %d, %q, %q", tc.code, problem.Line, problem.Text, problem.Fix, tc.line, tc.text, tc.fix)
		}
	}
}

// A script that handles that a module is missing is not refused.
func TestGuardedImport(t *testing.T) {
	s, err := start(t, "try:\n    import ujson as json\nexcept ImportError as e:\n    import json\n    why = str(e)\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Global("why") != Str("No module named 'ujson'") || s.Global("json") == nil {
		t.Errorf("got %v", s.Global("why"))
	}
}

// Sources as editors on Windows and old ones save them.
func TestSources(t *testing.T) {
	for _, code := range []string{"\ufeffx = 1\r\nif x:\r\n\tx = 2\r\n", "x = 1\rif x:\r    x = 2\r", "x = 2", "x = 2 # end", "\n\n# only\nx = 2;\n\n", "if 1:\n    x = 2\n# end", "x = (1 +\n     # why\n  1)", "x = 1 + \\\n  1", "def f(): return 2\nx = f()", "class A: pass\nx: int = 2\ny: str\n"} {
		s, err := start(t, code, Options{})
		if err != nil {
			t.Errorf("%q: %v", code, err)
		} else if s.Global("x") != Int(2) {
			t.Errorf("%q: x is %v", code, s.Global("x"))
		}
	}
}
