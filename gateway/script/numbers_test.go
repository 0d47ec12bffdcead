package script

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// Numbers are computed and printed as in Python, to the last digit: the same 60 programs of
// 100 expressions in every run, and as many others as -more says.
func TestRandomNumbersAsInPython(t *testing.T) {
	var programs []string
	for seed := range 60 {
		programs = append(programs, numbers(uint64(seed)))
	}
	for range *more / 10 {
		programs = append(programs, numbers(rand.Uint64()))
	}
	bad := 0
	for i, want := range runPython311(t, programs) {
		expressions := strings.Split(programs[i], "\n")[numbersHead:]
		got, lines := strings.Split(runHere(programs[i]), "\n"), strings.Split(want, "\n")
		if len(lines) < 100 {
			t.Fatalf("Python prints %d lines:\n%s", len(lines), want)
		}
		for n, line := range lines {
			have := "nothing"
			if n < len(got) {
				have = got[n]
			}
			if have == line {
				continue
			}
			if bad++; bad > 40 {
				t.Fatal("and more")
			}
			t.Errorf("%s\n got %s\nwant %s", expressions[n], have, line)
			if have == "nothing" {
				break
			}
		}
	}
}

const (
	numbersPrelude = `import json, math
nan, inf = float('nan'), float('inf')
def show(f):
    try: print(repr(f()))
    except Exception as e: print(type(e).__name__)
`
	numbersHead = 5
)

// numbers is a program that prints the values of expressions of numbers, one a line.
func numbers(seed uint64) string {
	g := &arithmetic{rand.New(rand.NewPCG(seed, 2))}
	var b strings.Builder
	b.WriteString(numbersPrelude)
	for range 100 {
		b.WriteString("show(lambda: " + g.expression() + ")\n")
	}
	return b.String()
}

type arithmetic struct{ *rand.Rand }

func (g *arithmetic) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g *arithmetic) float() string {
	var f float64
	switch g.IntN(8) {
	case 0:
		return g.pick("0.0", "-0.0", "inf", "-inf", "nan", "1.0", "-1.0", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "9007199254740993.0", "1e22", "1e23", "1e16", "9999999999999998.0", "0.0001", "0.00001")
	case 1: // halves of a decimal place, exact and not
		f = float64(g.IntN(2001)-1000)/math.Pow10(g.IntN(4)) + 0.5/math.Pow10(g.IntN(4))
	case 2:
		f = float64(g.IntN(4096)-2048) / 16
	case 3: // any bits
		f = math.Float64frombits(g.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 1
		}
	case 4: // at a border of general formats
		f = math.Pow10(g.IntN(24)-6) * (1 - float64(g.IntN(3)-1)*1e-7)
	case 5:
		f = float64(g.IntN(200) - 100)
	default:
		f = (g.Float64() - 0.5) * math.Pow10(g.IntN(12)-3)
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	if s[0] == '-' {
		return "(" + s + ")"
	}
	return s
}

func (g *arithmetic) int() string {
	switch g.IntN(5) {
	case 0:
		return "(" + g.pick("True", "False", "2**53", "2**53+1", "2**62", "2**63", "-2**63", "2**64-1", "10**22", "10**23", "2**1023", "2**1024", "10**308", "10**309", "-10**400", "2**1024-2**970", "2**1024-2**970-1") + ")"
	case 1:
		return fmt.Sprintf("(%d)", g.Int64()>>g.IntN(63))
	case 2:
		return fmt.Sprintf("(%d*10**%d)", g.IntN(2000)-1000, g.IntN(30))
	}
	return fmt.Sprintf("(%d)", g.IntN(40)-20)
}

func (g *arithmetic) number() string {
	if g.IntN(3) == 0 {
		return g.int()
	}
	return g.float()
}

// spec is a format of a number.
func (g *arithmetic) spec() string {
	s := g.pick("", "", "", "<", ">", "^", "=", "*^", "0=", "0<", "é>")
	s += g.pick("", "", "+", "-", " ")
	s += g.pick("", "", "", "z")
	s += g.pick("", "", "", "#")
	s += g.pick("", "", "0")
	s += g.pick("", "", fmt.Sprint(1+g.IntN(24)))
	s += g.pick("", "", ",", "_")
	s += g.pick("", fmt.Sprintf(".%d", g.IntN(20)), fmt.Sprintf(".%d", g.IntN(4)))
	return s + g.pick("", "", "g", "G", "e", "E", "f", "F", "%", "n", "d", "x", "X", "b", "o", "c", "s")
}

func (g *arithmetic) list() string {
	var items []string
	for range 1 + g.IntN(7) {
		items = append(items, g.number())
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func (g *arithmetic) expression() string {
	switch g.IntN(18) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("format(%s, %q)", g.number(), g.spec())
	case 4, 5:
		flags := g.pick("", "", "+", "-", " ", "0", "#", "+0", "-#", "0 ")
		width := g.pick("", "", fmt.Sprint(1+g.IntN(20)))
		precision := g.pick("", ".", fmt.Sprintf(".%d", g.IntN(18)))
		return fmt.Sprintf("'%%%s%s%s%s' %% %s", flags, width, precision, g.pick("d", "i", "u", "e", "E", "f", "F", "g", "G", "x", "X", "o", "s", "r"), g.number())
	case 6:
		return fmt.Sprintf("round(%s, %d)", g.number(), g.IntN(30)-10)
	case 7:
		return fmt.Sprintf("(round(%s), round(%s, None))", g.number(), g.float())
	case 8:
		return fmt.Sprintf("divmod(%s, %s)", g.number(), g.number())
	case 9, 10:
		return fmt.Sprintf("(%s %s %s)", g.number(), g.pick("+", "-", "*", "/", "//", "%"), g.number())
	case 11:
		// The last digit of a power of floats is none of what scripts promise.
		base, exponent := g.float(), g.pick("0", "1.0", "inf", "-inf", "nan")
		if g.IntN(2) == 0 {
			base, exponent = g.int(), g.pick("0", "1", "2", "3", "10", "inf", "nan", "True")
		}
		return fmt.Sprintf("(%s) ** %s", base, exponent)
	case 12:
		return fmt.Sprintf("(%s %s %s, %s == %s)", g.number(), g.pick("<", "<=", "==", "!=", ">", ">="), g.number(), g.float(), g.int())
	case 13:
		return fmt.Sprintf("(sum(%s), max(%s), min(%s), sorted(%s))", g.list(), g.list(), g.list(), strings.ReplaceAll(g.list(), "nan", "1"))
	case 14:
		return fmt.Sprintf("json.loads(json.dumps({%s: %s, 'k': %s}))", g.number(), g.number(), g.list())
	case 15:
		return fmt.Sprintf("(float(%s), float(str(%s)), int(%s), math.%s(%s))", g.number(), g.float(), g.number(), g.pick("floor", "ceil", "trunc", "fabs", "sqrt", "fsum"), g.pick(g.number(), g.list()))
	case 16:
		return fmt.Sprintf("{%s: 1, %s: 2, %s: 3}", g.number(), g.number(), g.number())
	}
	f := g.float()
	return fmt.Sprintf("((%s).hex(), float.fromhex((%s).hex()), (%s).as_integer_ratio(), (%s).is_integer(), abs(%s), -(%s), bool(%s))", f, f, f, f, f, f, f)
}
