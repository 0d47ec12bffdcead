package script

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random programs of what scripts support. Every statement that can raise
// stands in a try of its own, so that the program continues.
type generator struct {
	*rand.Rand
	b     strings.Builder
	level int
	vars  map[string][]string // names by kind of value
	next  int
}

// generate returns the program of a seed.
func generate(seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), vars: map[string][]string{}}
	g.line("def show(*a):")
	g.line("    print(*[repr(x) for x in a])")
	for _, kind := range kinds {
		for range 2 {
			name := g.name(kind[:1])
			g.line("%s = %s", name, g.literal(kind, 2))
			g.vars[kind] = append(g.vars[kind], name)
		}
	}
	for range 12 + g.IntN(12) {
		g.statement(3)
	}
	for _, kind := range kinds {
		for _, v := range g.vars[kind] {
			if kind == "set" {
				v = "sorted(map(repr, " + v + "))"
			}
			g.line("show(%s)", v)
		}
	}
	return g.b.String()
}

var kinds = []string{"int", "float", "str", "list", "dict", "tuple", "set", "bool"}

func (g *generator) line(format string, a ...any) {
	g.b.WriteString(strings.Repeat("    ", g.level) + fmt.Sprintf(format, a...) + "\n")
}

func (g *generator) name(prefix string) string {
	g.next++
	return fmt.Sprintf("%s%d", prefix, g.next)
}

func (g *generator) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g *generator) variable(kind string) string {
	if names := g.vars[kind]; len(names) > 0 {
		return names[g.IntN(len(names))]
	}
	return g.literal(kind, 1)
}

func (g *generator) literal(kind string, depth int) string {
	switch kind {
	case "int":
		return g.pick("0", "1", "-1", "2", "3", "7", "-12", "255", "1000003", "2**31", "-2**63", "10**20", "0x1f", fmt.Sprint(g.IntN(100)-50))
	case "float":
		return g.pick("0.0", "-0.0", "0.5", "1.5", "-2.25", "1e16", "1e-7", "123456.789", "3.0", "1e300", "0.1", "2.675", "float('inf')", fmt.Sprintf("%.3f", g.Float64()*100-50))
	case "str":
		return g.pick("''", "'a'", "'abc'", "'Hello World'", "'äöü'", "'1,2,,3'", "'  x y '", `'it\'s'`, `'q"q'`, `'l1\nl2'`, "'42'", "'%s'", "'{}'", "'日本'", "'aXbXc'")
	case "bool":
		return g.pick("True", "False", "None is None", "1 < 2")
	case "list":
		return "[" + g.items(depth, 4) + "]"
	case "tuple":
		if s := g.items(depth, 3); s != "" {
			return "(" + s + ",)"
		}
		return "()"
	case "set":
		return "{" + g.pick("1, 2, 3", "'a'", "1, 'b'", "2, 4, 6, 8", "(1, 2), 3") + "}"
	}
	var parts []string
	for range g.IntN(4) {
		parts = append(parts, g.literal(g.pick("int", "str", "bool"), 0)+": "+g.literal(g.pick("int", "float", "str", "list"), depth-1))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g *generator) items(depth, most int) string {
	var parts []string
	for range g.IntN(most + 1) {
		kind := g.pick("int", "float", "str", "bool")
		if depth > 0 && g.IntN(4) == 0 {
			kind = g.pick("list", "tuple", "dict")
		}
		parts = append(parts, g.literal(kind, depth-1))
	}
	return strings.Join(parts, ", ")
}

// expr is an expression that is meant to be of a kind.
func (g *generator) expr(kind string, depth int) string {
	if depth <= 0 {
		if g.IntN(3) == 0 {
			return g.literal(kind, 1)
		}
		return g.variable(kind)
	}
	e := func(kind string) string { return g.expr(kind, depth-1) }
	if g.IntN(12) == 0 {
		return fmt.Sprintf("(%s if %s else %s)", e(kind), e("bool"), e(kind))
	}
	switch kind {
	case "int":
		switch g.IntN(9) {
		case 0:
			return fmt.Sprintf("len(%s)", e(g.pick("str", "list", "dict", "tuple", "set")))
		case 1:
			return fmt.Sprintf("%s.%s(%s)", e("str"), g.pick("find", "count", "rfind"), e("str"))
		case 2:
			return fmt.Sprintf("%s(%s)", g.pick("abs", "int", "round", "-", "+", "~"), e("int"))
		case 3:
			return fmt.Sprintf("(%s ** %d)", e("int"), g.IntN(4))
		case 4:
			return fmt.Sprintf("(%s %s %d)", e("int"), g.pick("<<", ">>"), g.IntN(70))
		case 5:
			return fmt.Sprintf("%s(%s)", g.pick("int", "round"), e("float"))
		case 6:
			return fmt.Sprintf("round(%s, %d)", e("int"), g.IntN(6)-3)
		}
		return fmt.Sprintf("(%s %s %s)", e("int"), g.pick("+", "-", "*", "//", "%", "&", "|", "^"), e("int"))
	case "float":
		switch g.IntN(5) {
		case 0:
			return fmt.Sprintf("(%s / %s)", e("int"), e("int"))
		case 1:
			return fmt.Sprintf("round(%s, %d)", e("float"), g.IntN(8)-3)
		case 2:
			return fmt.Sprintf("float(%s)", e("int"))
		}
		return fmt.Sprintf("(%s %s %s)", e("float"), g.pick("+", "-", "*", "/", "//", "%"), e(g.pick("float", "int")))
	case "bool":
		switch g.IntN(5) {
		case 0:
			return fmt.Sprintf("(not %s)", e("bool"))
		case 1:
			return fmt.Sprintf("(%s %s %s)", e("bool"), g.pick("and", "or"), e("bool"))
		case 2:
			return fmt.Sprintf("(%s in %s)", e(g.pick("int", "str")), e(g.pick("list", "tuple", "dict")))
		case 3:
			return fmt.Sprintf("(%s %s %s %s %s)", e("int"), g.pick("<", "<=", "=="), e("int"), g.pick("<", ">=", "!="), e(g.pick("int", "float")))
		}
		kind := g.pick("int", "float", "str", "list", "tuple")
		return fmt.Sprintf("(%s %s %s)", e(kind), g.pick("==", "!=", "<", ">="), e(kind))
	case "str":
		return g.text(e)
	case "list":
		return g.list(e)
	case "tuple":
		return g.pick("("+e("int")+", "+e("str")+")", "tuple("+e("list")+")", "("+e("tuple")+" + "+e("tuple")+")", "divmod("+e("int")+", "+e("int")+")", e("str")+".partition('a')", e("tuple")+"[::-1]")
	case "set":
		return g.pick("("+e("set")+" "+g.pick("|", "&", "-", "^")+" "+e("set")+")", "set("+e("str")+")", "{x for x in range(5) if x % 2}")
	}
	return g.pick("{**"+e("dict")+", 'k': "+e("int")+"}", "dict(zip("+e("str")+", "+e("list")+"))", "{str(i): i * i for i in range(4)}", "dict(a="+e("int")+", b="+e("str")+")", "("+e("dict")+" | "+e("dict")+")")
}

func (g *generator) text(e func(string) string) string {
	switch g.IntN(12) {
	case 0:
		return fmt.Sprintf("%s.%s()", e("str"), g.pick("upper", "lower", "title", "strip", "swapcase", "capitalize", "lstrip", "rstrip", "casefold"))
	case 1:
		return fmt.Sprintf("%s[%s:%s]", e("str"), e("int"), g.pick("", "2", "-1", "::2"[0:1], ":-1"))
	case 2:
		return fmt.Sprintf("(%s * %d)", e("str"), g.IntN(4))
	case 3:
		return fmt.Sprintf("%s.replace(%s, %s)", e("str"), e("str"), e("str"))
	case 4:
		return fmt.Sprintf("f'{%s:%s}'", g.variable("float"), g.pick(".2f", "10.3e", "+g", "08.1f", ",.2f", ".3", "%", "_.1f"))
	case 5:
		return fmt.Sprintf("f'{%s:%s}|{%s!r:>10}'", g.variable("int"), g.pick("d", "5d", "05d", "+d", "x", "#x", "b", ",", "_d", "<8", "^9", "e", "g", "#o"), g.variable("str"))
	case 6:
		return fmt.Sprintf("('%s' %% (%s,))", g.pick("%d", "%5d", "%-6d|", "%05d", "%x", "%s", "%r", "%e", "%g", "%.2f", "%+d", "%#x"), e("int"))
	case 7:
		return fmt.Sprintf("'%s'.format(%s, %s)", g.pick("{} {}", "{1}-{0}", "{0!r}{1}", "{:>6}{:<8}|", "{0}{0}"), e("int"), e("str"))
	case 8:
		return fmt.Sprintf("%s(%s)", g.pick("str", "repr"), e(g.pick("int", "float", "str", "list", "dict", "tuple", "bool")))
	case 9:
		return fmt.Sprintf("%s.join(map(str, %s))", e("str"), e(g.pick("list", "tuple")))
	case 10:
		return fmt.Sprintf("%s.%s(%d, '*')", e("str"), g.pick("center", "ljust", "rjust"), g.IntN(15))
	}
	return fmt.Sprintf("(%s + %s)", e("str"), e("str"))
}

func (g *generator) list(e func(string) string) string {
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("%s[%s:%s:%s]", e("list"), g.pick("", "1", "-2"), g.pick("", "3", "-1"), g.pick("", "1", "2", "-1", "-2"))
	case 1:
		return fmt.Sprintf("sorted(%s, key=repr)", e(g.pick("list", "tuple", "dict")))
	case 2:
		return fmt.Sprintf("[x for x in %s if x]", e("list"))
	case 3:
		return fmt.Sprintf("[(i, x) for i, x in enumerate(%s)]", e(g.pick("list", "str", "tuple")))
	case 4:
		return fmt.Sprintf("list(%s.%s())", e("dict"), g.pick("keys", "values", "items"))
	case 5:
		return fmt.Sprintf("%s.%s", e("str"), g.pick("split()", "split(',')", "split('X', 1)", "rsplit(None, 1)", "splitlines()"))
	case 6:
		return fmt.Sprintf("list(range(%d, %d, %s))", g.IntN(9)-4, g.IntN(9), g.pick("1", "2", "-1"))
	case 7:
		return fmt.Sprintf("[a * b for a in range(%d) for b in range(a)]", g.IntN(5))
	}
	return fmt.Sprintf("(%s + %s)", e("list"), e("list"))
}

// guarded writes statements inside a try, as Python's exceptions are compared by type.
func (g *generator) guarded(write func()) {
	g.line("try:")
	g.level++
	write()
	g.level--
	g.line("except %s as e:", g.pick("Exception", "(ValueError, TypeError, ArithmeticError, LookupError, AttributeError)"))
	g.line("    show(type(e).__name__)")
	if g.IntN(4) == 0 {
		g.line("else:")
		g.line("    show('else')")
	}
	if g.IntN(4) == 0 {
		g.line("finally:")
		g.line("    show('finally')")
	}
}

func (g *generator) statement(depth int) {
	switch g.IntN(11) {
	case 0:
		g.loop(depth)
	case 1:
		g.function(depth)
	case 2:
		g.class()
	case 3:
		g.guarded(func() { g.change() })
	case 4:
		g.guarded(func() {
			g.line("if %s:", g.expr("bool", 2))
			g.line("    show(%s)", g.expr(g.pick("int", "str"), 2))
			g.line("elif %s:", g.expr("bool", 2))
			g.line("    raise %s(%s)", g.pick("ValueError", "KeyError", "RuntimeError"), g.expr("str", 1))
			g.line("else:")
			g.line("    show(%s)", g.expr("list", 2))
		})
	case 5:
		g.guarded(func() {
			a, b := g.name("u"), g.name("u")
			g.line("%s, *%s = %s", a, b, g.expr(g.pick("list", "tuple", "str"), 2))
			g.line("show(%s, %s)", a, b)
		})
	default:
		kind := g.pick(kinds...)
		g.guarded(func() {
			name := g.variable(kind)
			if strings.ContainsAny(name, "({['\"0-") && !strings.HasPrefix(name, kind[:1]) || strings.ContainsAny(name, "'([{ .*-") {
				name = g.name("v")
			}
			g.line("%s = %s", name, g.expr(kind, depth))
			if kind != "set" {
				g.line("show(%s)", name)
			}
		})
	}
}

// change changes a list or a dict in place.
func (g *generator) change() {
	l, d := g.variable("list"), g.variable("dict")
	g.line("%s", g.pick(
		l+".append("+g.expr("int", 1)+")",
		l+".extend("+g.expr("tuple", 1)+")",
		l+".insert("+g.expr("int", 1)+", "+g.expr("str", 1)+")",
		"show("+l+".pop("+g.pick("", "0", "-1", "5")+"))",
		l+"["+g.expr("int", 1)+"] = "+g.expr("float", 1),
		l+"[1:2] = "+g.expr("list", 1),
		"del "+l+"["+g.pick("0", "-1", "::2", "1:")+"]",
		l+".sort(key=repr, reverse="+g.expr("bool", 1)+")",
		l+".reverse()",
		l+" += "+g.expr("list", 1),
		d+"["+g.expr(g.pick("int", "str"), 1)+"] = "+g.expr("int", 1),
		d+".update("+g.expr("dict", 1)+")",
		"show("+d+".setdefault("+g.expr("str", 1)+", []))",
		"show("+d+".pop("+g.expr("int", 1)+", None), "+d+".get("+g.expr("str", 1)+"))",
		"del "+d+"["+g.expr("str", 1)+"]",
		"show(max("+g.expr("list", 1)+"), min("+g.expr("tuple", 1)+"))",
		"show(sum("+g.expr("list", 1)+"), any("+g.expr("list", 1)+"), all("+g.expr("tuple", 1)+"))",
		"assert "+g.expr("bool", 2)+", "+g.expr("str", 1),
	))
}

func (g *generator) loop(depth int) {
	if depth <= 0 {
		g.guarded(g.change)
		return
	}
	i := g.name("i")
	if g.IntN(3) == 0 {
		g.line("%s = 0", i)
		g.line("while %s < %d:", i, 2+g.IntN(3))
		g.level++
		g.line("%s += 1", i)
	} else {
		g.line("for %s in %s:", i, g.pick("range(3)", "[1, 'a', None]", "'xyz'", "(True, 2.5)", "sorted({3, 1})", "{'k': 1}.items()"))
		g.level++
	}
	g.line("if %s == %s: %s", i, g.pick("1", "'y'", "2"), g.pick("continue", "break", "pass"))
	g.statement(depth - 1)
	g.line("show(%s)", i)
	g.level--
	if g.IntN(3) == 0 {
		g.line("else:")
		g.line("    show('no break')")
	}
}

// function defines a function with defaults, stars and a closure, and calls it.
func (g *generator) function(depth int) {
	f := g.name("f")
	g.line("def %s(a, b=%s, *c, k=%s, **r):", f, g.expr("int", 1), g.expr("str", 1))
	g.line("    n = 0")
	g.line("    def add(x):")
	g.line("        nonlocal n")
	g.line("        n += 1")
	g.line("        return (x, n, b)")
	g.line("    if %s: return add(a)", g.pick("a", "c", "k", "not r"))
	g.line("    return [add(x) for x in (a, b, c, k)], sorted(r.items()), (lambda y, z=n: (y, z))(k)")
	g.guarded(func() {
		g.line("show(%s(%s))", f, g.pick(g.expr("int", depth), "0, 1, 2, 3", "*[0, 2], k=5, z=1", "a=0", "", "0, a=1", "*'', **{'a': 0, 'q': 2}"))
	})
}

func (g *generator) class() {
	c := g.name("C")
	g.line("class %s%s:", c, g.pick("", "(object)", "(Exception)"))
	g.line("    n = %s", g.expr("int", 1))
	g.line("    def __init__(self, x=%s): self.x = x", g.expr("int", 1))
	g.line("    def __eq__(self, o): return isinstance(o, %s) and self.x == o.x", c)
	g.line("    def __lt__(self, o): return self.x < o.x")
	g.line("    def __add__(self, o): return %s(self.x + o.x)", c)
	g.line("    def __repr__(self): return 'C(%%r)' %% (self.x,)")
	g.line("class D%s(%s):", c, c)
	g.line("    def __len__(self): return 2")
	g.line("    def __getitem__(self, i): return [self.x, self.n][i]")
	g.line("    def get(self): return super().__repr__() + 'd'")
	g.guarded(func() {
		g.line("a, b = %s(%s), D%s(%s)", c, g.expr("int", 1), c, g.expr("int", 1))
		g.line("show(a, b, a == b, a < b, a + b, sorted([b, a]), b.get(), len(b), list(b), b[%s])", g.pick("0", "1", "2", "-1"))
		g.line("b.y = %s; show(b.y, hasattr(a, 'y'), isinstance(b, %s), a.n)", g.expr("str", 1), c)
	})
}
