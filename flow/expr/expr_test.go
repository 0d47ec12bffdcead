package expr

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// scope is what the examples of the table see.
var scope = Variables{
	"event":  map[string]any{"isMotionDetected": true, "temperature": 20.0, "name": "door", "empty": "", "none": nil, "odd key": 1.0},
	"users":  []any{map[string]any{"name": "rob", "height": 1.85, "pets": []any{map[string]any{"kind": "cat"}}}, map[string]any{"name": "ann", "height": 1.6}},
	"list":   []any{1.0, "two", false},
	"n":      int64(7),
	"u":      uint64(10),
	"f":      2.5,
	"s":      "héllo",
	"place":  int64(1),
	"result": nil,
	"string": "a variable named as a type",
	"True":   int64(5),
}

// TestLanguage is the language's table, case by case. A want that begins with
// "error: " is a part of the error's text.
func TestLanguage(t *testing.T) {
	for _, tc := range []struct {
		src  string
		want any
	}{
		// Literals.
		{`'s'`, "s"}, {`"s"`, "s"}, {`123`, int64(123)}, {`10L`, int64(10)}, {`10UL`, uint64(10)}, {`10ul`, uint64(10)},
		{`1.5`, 1.5}, {`2e3`, 2000.0}, {`2E-1`, 0.2}, {`1f`, 1.0}, {`True`, true}, {`False`, false}, {`true`, true}, {`null`, nil},
		{`[1,2]`, []any{int64(1), int64(2)}}, {`[]`, []any{}}, {`-100`, int64(-100)},
		{`9223372036854775807`, int64(1<<63 - 1)}, {`9223372036854775808`, uint64(1 << 63)}, {`-9223372036854775808`, int64(-1 << 63)},
		{`18446744073709551616`, "error: does not fit into 64 bits"}, {`12abc`, "error: names begin with a letter"},
		{`'it\'s'`, "it's"}, {`"a\tb\u00e9\\"`, "a\tbé\\"}, {`'a\d'`, "error: escape is not known"}, {`'open`, "error: lacks its closing '"},
		// Comparing.
		{`1 == 1.0`, true}, {`1 == 10UL`, false}, {`'1' == 1`, false}, {`'a' != 'b'`, true}, {`event.temperature == 20`, true},
		{`1 < 2`, true}, {`2 <= 2.0`, true}, {`'b' > 'a'`, true}, {`3 >= 4`, false}, {`1 < 'a'`, "error: compares two numbers or two strings"},
		{`9007199254740993 == 9007199254740992.0`, false}, {`-1 < 0UL`, true}, {`[1, [2]] == [1.0, [2]]`, true}, {`[1] == [1,2]`, false},
		{`null == result`, true}, {`event == event`, true}, {`true == 1`, false},
		// Logic and truth.
		{`1 == 1 && 2 == 2`, true}, {`0 || ''`, false}, {`'x' && 5`, true}, {`!''`, true}, {`!event`, false}, {`![]`, false}, {`!0.0`, true},
		{`false && nothing`, false}, {`true || 1/0 == 1`, true}, {`true && nothing`, "error: there is no variable \"nothing\""},
		// Arithmetic.
		{`1 + 2 * 3`, int64(7)}, {`(1 + 2) * 3`, int64(9)}, {`7 / 2`, int64(3)}, {`7 / 2.0`, 3.5}, {`-7 % 3`, int64(-1)}, {`7.5 % 2`, 1.5},
		{`10UL - 3`, uint64(7)}, {`3 - 10UL`, int64(-7)}, {`18446744073709551615 + 1`, "error: does not fit into 64 bits"},
		{`9223372036854775807 + 1`, "error: does not fit"}, {`-9223372036854775807 - 2`, "error: does not fit"},
		{`4611686018427387904 * 2`, "error: does not fit"}, {`-9223372036854775808 / -1`, "error: does not fit"}, {`-9223372036854775808 % -1`, int64(0)},
		{`-9223372036854775808 * -1`, "error: does not fit"}, {`-1 * -9223372036854775808`, "error: does not fit"},
		{`1 / 0`, "error: division by zero"}, {`1.5 / 0`, "error: division by zero"}, {`1 % 0`, "error: division by zero"}, {`1e308 * 10`, "error: is no number"},
		{`1 - 'a'`, "error: wants two numbers"}, {`-'a'`, "error: - wants a number"}, {`- -3`, int64(3)}, {`1 - -1`, int64(2)},
		{`u * 2`, uint64(20)}, {`n + f`, 9.5},
		// Strings with +.
		{`'a' + 'b'`, "ab"}, {`'t=' + event.temperature`, "t=20"}, {`1.5 + 's'`, "1.5s"}, {`'x' + true`, "xtrue"}, {`'x' + [1,'a']`, `x[1,"a"]`},
		{`'x' + event.none`, "error: ?? 'default'"}, {`'a' + 1 + 2`, "a12"}, {`1 + 2 + 'a'`, "3a"},
		// Ternary and ??
		{`true ? 1 : 2`, int64(1)}, {`'' ? 1 : 0 ? 2 : 3`, int64(3)}, {`result ?? 'd'`, "d"}, {`event.none ?? event.gone ?? 3`, int64(3)},
		{`event.name ?? 'd'`, "door"}, {`result ?? 1 == 1`, true}, {`event.gone.deeper.still ?? 1`, int64(1)},
		// Paths.
		{`event.isMotionDetected`, true}, {`event/isMotionDetected`, true}, {`$event.temperature`, 20.0}, {`event['odd key']`, 1.0}, {`event["name"]`, "door"},
		{`event.missing`, nil}, {`n.x`, "error: to divide, write blanks"}, {`s.x`, "error: a string has no \"x\""}, {`n / u`, uint64(0)}, {`n/2`, int64(3)}, {`(n)/u`, "error: to divide"},
		{`list[0]`, 1.0}, {`list[place]`, "two"}, {`list[9]`, nil}, {`list[-1]`, nil}, {`n[0]`, "error: a list has"}, {`$True`, int64(5)},
		{`nothing`, "error: there is no variable"},
		// Filters.
		{`users[name == 'rob'].height`, 1.85}, {`users[name == 'rob'].pets[kind == 'cat'].kind`, "cat"}, {`users[name == 'eve'].height`, nil},
		{`users[height < f].name`, "rob"}, {`users/name`, "error: a list has no \"name\""}, {`list[value == 'two']`, "two"}, {`result[a == 1]`, nil},
		{`s[a == 1]`, "error: no elements to choose from"}, {`event[name == 'door'].temperature`, 20.0}, {`users[wrong == 1]`, "error: there is no variable \"wrong\""},
		// Wrappers.
		{`${event.name}`, "door"}, {`${event.name} == 'door'`, true}, {`${ ${n} } + 1`, int64(8)}, {`${n`, "error: } is missing"},
		// Casts.
		{`(string)5`, "5"}, {`((string)'a'+'b').substring(1)`, "b"}, {`((String)s).charAt(1)`, "é"}, {`(int32)'12' + 1`, int64(13)}, {`(int8)300`, "error: does not fit into int8"},
		{`(uint8)255`, uint64(255)}, {`(byte)-1`, "error: does not fit"}, {`(int64)1e19`, "error: does not fit"}, {`(int64)2.9`, int64(2)}, {`(int)-2.9`, int64(-2)},
		{`(double)'1.5'`, 1.5}, {`(float64)7 / 2`, 3.5}, {`(boolean)'TRUE'`, true}, {`(bool)'x'`, "error: is no boolean"}, {`(int32)'x'`, "error: is no number"}, {`(bool)0`, false},
		{`(double)'NaN'`, "error: is no number"}, {`(uint64)'18446744073709551615'`, uint64(1<<64 - 1)}, {`(string)null`, nil}, {`(string).length()`, int64(26)}, {`(string)[1]`, "[1]"},
		{`(datetime)'2020-01-01'`, "2020-01-01"}, {`-(int32)3`, int64(-3)}, {`(widget)3`, "error: an operator is wanted"},
		// Methods of strings.
		{`s.length()`, int64(5)}, {`s.substring(1)`, "éllo"}, {`s.substring(1, 3)`, "él"}, {`s.substring(3, 1)`, "error: outside"}, {`s.substring(0,-1)`, "error: outside"}, {`s.charAt(9)`, "error: outside"},
		{`s.indexOf('l')`, int64(2)}, {`s.indexOf('l', 3)`, int64(3)}, {`s.indexOf('z')`, int64(-1)}, {`s.lastIndexOf('l')`, int64(3)}, {`s.contains('éll')`, true},
		{`s.startsWith('h')`, true}, {`s.endsWith('x')`, false}, {`s.toUpperCase()`, "HÉLLO"}, {`'ABC'.toLowerCase()`, "abc"}, {`' a '.trim()`, "a"},
		{`s.replace('l', 'LL')`, "héLLLLo"}, {`s.equals('héllo')`, true}, {`s.equals(1)`, false}, {`'A'.equalsIgnoreCase('a')`, true}, {`'a'.concat('b')`, "ab"}, {`''.isEmpty()`, true},
		{`'a,b'.split(',')`, []any{"a", "b"}}, {`'a,b'.split(',')[1]`, "b"}, {`'a'.compareTo('b')`, int64(-1)}, {`'a.b'.replaceAll('.', 'x')`, "error: no regular expressions"},
		{`s.nope()`, "error: no method nope"}, {`s.charAt('x')`, "error: no method charAt"}, {`n.length()`, "error: a number has no method"}, {`result.length()`, "error: not there"}, {`n.toString()`, "7"},
		{`list.contains(1)`, true}, {`list.size()`, int64(3)}, {`users.isEmpty()`, false},
		// Math.
		{`tdm.lib.Math.log(1)`, 0.0}, {`Math.abs(-3)`, int64(3)}, {`tdm.lib.Math.abs(-3.5)`, 3.5}, {`tdm.lib.Math.sqrt(16)`, 4.0}, {`tdm.lib.Math.pow(2, 10)`, 1024.0},
		{`tdm.lib.Math.min(1, 2.5)`, int64(1)}, {`tdm.lib.Math.max(1, 2.5)`, 2.5}, {`tdm.lib.Math.floor(2.7)`, 2.0}, {`tdm.lib.Math.ceil(2.1)`, 3.0}, {`tdm.lib.Math.round(2.5)`, int64(3)}, {`Math.round(-2.5)`, int64(-2)},
		{`tdm.lib.Math.sqrt(-1)`, "error: is no number"}, {`tdm.lib.Math.log(0)`, "error: is no number"}, {`Math.abs('a')`, "error: wants numbers"}, {`Math.nope(1)`, "error: Math has no nope"}, {`Math.abs(-9223372036854775808)`, "error: does not fit"},
		// Macros.
		{`macro(text ${n} text)`, "text 7 text"}, {`$macro(${event.name}/motion)`, "door/motion"}, {`macro()`, ""}, {`macro(a (b) ${n})`, "a (b) 7"}, {`macro(${n + 1}${s})`, "8héllo"},
		{`macro(x ${result})`, "error: not there"}, {`macro(open ${n}`, "error: lacks its closing )"}, {`'<' + macro(a) + '>'`, "<a>"}, {`macro(a).length()`, int64(1)},
		// What is no expression.
		{``, "error: a value is missing"}, {`1 +`, "error: a value is missing"}, {`1 2`, "error: an operator is wanted"}, {`a = 1`, "error: write =="}, {`a & b`, "error: write &&"}, {`a.`, "error: a name is missing"},
		{`(1`, "error: ) is missing"}, {`[1 2]`, "error: , is wanted"}, {`f(1)`, "error: there is no function"}, {`a # b`, "error: means nothing here"}, {`$`, "error: needs a name"}, {`true ? 1`, "error: : is missing"},
		{strings.Repeat("(", 70) + "1" + strings.Repeat(")", 70), "error: nested more than"}, {strings.Repeat("!", 70) + "1", "error: nested more than"}, {"1" + strings.Repeat("+1", 70), "error: nested more than"},
		{"\xff", "error: not valid UTF-8"}, {strings.Repeat(" ", MaxSource+1), "error: is longer than"},
	} {
		t.Run(tc.src[:min(len(tc.src), 60)], func(t *testing.T) {
			e, err := Parse(tc.src)
			var got any
			if err == nil {
				again, err := Parse(e.String())
				if err != nil || !reflect.DeepEqual(again, e) {
					t.Errorf("prints as %s, which is another expression (%v)", e, err)
				}
				got, err = e.Eval(scope)
				if err != nil {
					got = "error: " + err.Error()
				}
			} else {
				got = "error: " + err.Error()
			}
			want, isText := tc.want.(string)
			gotText, _ := got.(string)
			if part, isError := strings.CutPrefix(want, "error: "); isText && isError {
				if !strings.HasPrefix(gotText, "error: ") || !strings.Contains(gotText, part) {
					t.Errorf("got %#v, want an error with %q", got, part)
				}
			} else if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %#v, want %#v", got, tc.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	for _, tc := range []struct {
		text string
		want any
	}{
		{"plain", "plain"}, {"", ""}, {"${n}", int64(7)}, {" ${n} ", int64(7)}, {"a ${n} b", "a 7 b"}, {"${n}-${u}", "7-10"}, {"${n} ", int64(7)},
		{"$macro(x${n})", "x7"}, {"1) ${n} (", "1) 7 ("}, {"$5 and ${n}", "$5 and 7"}, {"${n > 5 ? 'a' : 'b'}", "a"}, {"${'${'}", "${"}, {"$${n}", "$7"}, {"#${n}#", "#7#"}, {"'${n}'", "'7'"},
		{"${n", "error: } is missing"}, {"$macro(x", "error: closing )"}, {"$macro(x) y", "error: end of the text"}, {"a ${} b", "error: a value"},
	} {
		e, err := ParseText(tc.text)
		var got any
		if err == nil {
			again, err := ParseText(e.Text())
			if err != nil || !reflect.DeepEqual(again, e) {
				t.Errorf("%q: prints as %q, which is another one (%v)", tc.text, e.Text(), err)
			}
			if got, err = e.Eval(scope); err != nil {
				t.Errorf("%q: %v", tc.text, err)
			}
		} else {
			got = "error: " + err.Error()
		}
		want, _ := tc.want.(string)
		if part, isError := strings.CutPrefix(want, "error: "); isError {
			if g, _ := got.(string); !strings.Contains(g, part) {
				t.Errorf("%q: got %v, want an error with %q", tc.text, got, part)
			}
		} else if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: got %#v, want %#v", tc.text, got, tc.want)
		}
	}
}

func TestVariables(t *testing.T) {
	e, err := Parse("a.b + users[name == x].h + tdm.lib.Math.abs(c) + macro(${d} ${a})")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(e.Variables(), " "); got != "a users c d" {
		t.Errorf("got %s", got)
	}
}

// TestBounds: nothing runs long or makes much of little.
func TestBounds(t *testing.T) {
	many := make([]any, 1000)
	for i := range many {
		many[i] = map[string]any{"x": float64(i), "list": many}
	}
	long := strings.Repeat("a", MaxResult/2)
	s := Variables{"many": many, "long": long, "cycle": many[0]}
	for _, src := range []string{
		"many[many[many[x == 9999] ?? false] ?? false]", "long + long + 'a'", "long.replace('a', 'bb') + 'c'", "long.concat(long).concat('a')",
		"macro(${long}${long}a)", "cycle == cycle", "long.split('')",
	} {
		e, err := Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Eval(s); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: got %v", src, err)
		}
	}
}

// TestStrangeValues: what no JSON holds is an error, not a panic.
func TestStrangeValues(t *testing.T) {
	e, _ := Parse("x.y + 1")
	for _, v := range []any{struct{}{}, map[string]any{"y": make(chan int)}, func() {}, map[string]any{"y": complex(1, 1)}} {
		if _, err := e.Eval(Variables{"x": v}); err == nil {
			t.Errorf("%T: no error", v)
		}
	}
	if v, err := e.Eval(Variables{"x": map[string]any{"y": int8(3)}}); err != nil || v != int64(4) {
		t.Errorf("got %v, %v", v, err)
	}
}
