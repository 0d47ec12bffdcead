package tdm

import (
	"fmt"
	"strings"
	"testing"
)

// sketch writes a tree in one line, so that tests can compare it.
func sketch(nodes []*node) string {
	var b strings.Builder
	var show func(v value)
	show = func(v value) {
		switch v.kind {
		case textValue:
			fmt.Fprintf(&b, "%q", v.text)
		case variableValue:
			b.WriteString("$" + v.text)
		case listValue:
			b.WriteByte('[')
			for i, e := range v.list {
				if i > 0 {
					b.WriteByte(' ')
				}
				show(e)
			}
			b.WriteByte(']')
		case objectValue:
			b.WriteByte('{')
			for i, e := range v.list {
				b.WriteString(v.names[i] + ":")
				show(e)
			}
			b.WriteByte('}')
		default:
			b.WriteString(v.text)
		}
	}
	args := func(as []arg) {
		for i, a := range as {
			b.WriteString(map[bool]string{true: "(", false: " "}[i == 0] + a.name + ":")
			show(a.value)
		}
		if len(as) > 0 {
			b.WriteByte(')')
		}
	}
	var write func(n *node)
	write = func(n *node) {
		if n.keyword != "" {
			b.WriteString(n.keyword + " ")
		}
		b.WriteString(n.name)
		if n.typ != "" {
			b.WriteString(":" + n.typ)
		}
		for _, v := range n.variables {
			fmt.Fprintf(&b, "<%s:%s", v.name, v.typ)
			if v.required {
				b.WriteByte('!')
			}
			if v.value != nil {
				b.WriteByte('=')
				show(*v.value)
			}
			b.WriteByte('>')
		}
		args(n.args)
		for _, d := range n.directives {
			b.WriteString("@" + d.name)
			args(d.args)
		}
		if n.hasBody {
			b.WriteByte('{')
			for i, c := range n.children {
				if i > 0 {
					b.WriteByte(' ')
				}
				write(c)
			}
			b.WriteByte('}')
		}
	}
	for i, n := range nodes {
		if i > 0 {
			b.WriteByte(' ')
		}
		write(n)
	}
	return b.String()
}

func parseText(text string) ([]*node, error) {
	return tree(source{name: "x.graphql", text: text, original: text})
}

func TestTree(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                  {"", ""},
		"comments only":            {"# nothing\n# here", ""},
		"a type":                   {`type A @stateType(id: "x") {a: String @property(id: "y")}`, `type A@stateType(id:"x"){a:String@property(id:"y")}`},
		"wrapped":                  {`{ query A { b } }`, `query A{b}`},
		"wrapped, several":         {"{query A {b} type C {ignore:void}}\n{query D {e}}", `query A{b} type C{ignore:void} query D{e}`},
		"mixed":                    {"{query A {b}} type C {d:E}", `query A{b} type C{d:E}`},
		"any case":                 {"QUERY A {b} Type C {d:E} enum F {G, H}", `query A{b} type C{d:E} enum F{G H}`},
		"parameters":               {`query A($b: string!, $c: [Number!] = [1, 2] $d: String="x" @foo(a:1)) {e}`, `query A<b:string!><c:[Number]=[1 2]><d:String="x">{e}`},
		"no parameters":            {`query A() {b}`, `query A{b}`},
		"no arguments":             {`query A {b() @c()}`, `query A{b@c}`},
		"no body":                  {`type A @x(id: "y")`, `type A@x(id:"y")`},
		"empty body":               {`query A {b {}}`, `query A{b{}}`},
		"default without a body":   {`query A {ChoiceActivity {rule(expr: "${a}") {setEvent(name: "b")} default}}`, `query A{ChoiceActivity{rule(expr:"${a}"){setEvent(name:"b")} default}}`},
		"values":                   {`query A {b(c: 1, d: -1.5e3, e: true, f: null, g: ON, h: $i, j: [], k: {l: 1, m: "n"})}`, `query A{b(c:1 d:-1.5e3 e:true f:null g:ON h:$i j:[] k:{l:1m:"n"})}`},
		"single quotes":            {`query A {b(c: 'it is "so"', d: 'it\'s')}`, `query A{b(c:"it is \"so\"" d:"it's")}`},
		"escapes":                  {`query A {b(c: "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u{1F600}")}`, `query A{b(c:"\"\\/\b\f\n\r\té😀😀")}`},
		"a hash in text":           {`query A {b(c: "a # b")} # comment`, `query A{b(c:"a # b")}`},
		"braces in text":           {`query A {b(c: "$macro({${d.value}})")}`, `query A{b(c:"$macro({${d.value}})")}`},
		"block string":             {"query A {b(c: \"\"\"\n    one\n      two \\\"\"\"\n    three\n  \"\"\")}", `query A{b(c:"one\n  two \"\"\"\nthree")}`},
		"descriptions":             {"\"what it is\" type A {\"\"\"why\"\"\" b: C}", `type A{b:C}`},
		"no commas":                {`query A {b(c: "d" e: "f")}`, `query A{b(c:"d" e:"f")}`},
		"commas everywhere":        {`,query A,{,b,(,c:,"d",,),},`, `query A{b(c:"d")}`},
		"unusual blanks":           {"\ufeffquery\tA\r\n{\rb\u00a0c }", `query A{b c}`},
		"escaped as in a shell":    {`{ query A @w(id: \"urn:x\") {step(name: \"a\", b: [\"c\"])} }`, `query A@w(id:"urn:x"){step(name:"a" b:["c"])}`},
		"escaped, one quote not":   {`{ query A @w(id: \"urn:x\") {step(name: \"a", b: \"${c}\")} }`, `query A@w(id:"urn:x"){step(name:"a" b:"${c}")}`},
		"escaped line ends":        {`{\nquery A {\r\n b(c: \"d\")\n}}`, `query A{b(c:"d")}`},
		"escaped once more within": {`query A @t(d: \"{b(c: \\\"d\\\")}\") {e}`, `query A@t(d:"{b(c: \"d\")}"){e}`},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, err := parseText(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := sketch(nodes); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestTreeErrors(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no definition":        {"step(name: \"a\")", `x.graphql:1:1: Things Graph has no definitions of the kind "step"; write a query, type or enum`},
		"mutation":             {"query A {b}\nmutation C {d}", `x.graphql:2:1: Things Graph has no definitions of the kind "mutation"; write a query, type or enum`},
		"only a value":         {"7", `x.graphql:1:1: "7" where a definition was expected; write a query, type or enum`},
		"no name":              {"query {a}", `x.graphql:1:7: "{" where the name of the query was expected; names have letters, digits and _ only`},
		"open block":           {"query A {\n  b {\n    c\n  }\n", `x.graphql:5:1: the end of the document where } was expected; close the block of line 1 with }`},
		"open brackets":        {"query A {b(c: \"d\"", `x.graphql:1:18: the end of the document where an argument's name or ) was expected; names have letters, digits and _ only`},
		"one } too many":       {"query A {b}}", `x.graphql:1:12: "}" where a definition was expected; write a query, type or enum`},
		"two wrappers":         {"{ {query A {b} }}", `x.graphql:1:3: a second {; one pair of braces around the definitions is enough`},
		"no colon":             {`query A {b(c "d")}`, `x.graphql:1:14: the text "d" where : was expected; write name: value`},
		"no value":             {`query A {b(c: )}`, `x.graphql:1:15: ")" where a value was expected; write "text", a number, true, false or a [list]`},
		"parameter without $":  {`query A(b: string) {c}`, `x.graphql:1:9: "b" where $ was expected; write $name: type`},
		"open string":          {"query A {\n  b(c: \"d)\n}", `x.graphql:2:8: the string does not end on its line; close it with ", or write """ around several lines`},
		"open string at end":   {`query A {b(c: 'd`, `x.graphql:1:15: the string does not end; close it with '`},
		"open block string":    {`query A {b(c: """d`, `x.graphql:1:15: the block string does not end; close it with """`},
		"typographic quotes":   {"query A {b(é: 1)}", `x.graphql:1:12: unexpected 'é'; put text between "quotes"`},
		"curly quotes":         {"query A {\n  step(interval: ”1 sec”)}", `x.graphql:2:18: the typographic quotation mark ”; write "`},
		"unknown escape":       {`query A {b(c: "\d")}`, `x.graphql:1:16: unknown escape \d; write \\ for a backslash`},
		"broken unicode":       {`query A {b(c: "\u12g4")}`, `x.graphql:1:16: a broken unicode escape; write \u and four hexadecimal digits`},
		"half a surrogate":     {`query A {b(c: "\ud83d")}`, `x.graphql:1:16: a broken unicode escape; write \u and four hexadecimal digits`},
		"number with letters":  {`query A {b(c: 10L)}`, `x.graphql:1:15: "10L" is not a number; put it between "quotes" if it is not a number`},
		"two points":           {`query A {b(c: 1.2.3)}`, `x.graphql:1:15: "1.2." is not a number; put it between "quotes" if it is not a number`},
		"only a minus":         {`query A {b(c: -)}`, `x.graphql:1:15: "-)" is not a number; put it between "quotes" if it is not a number`},
		"fragment":             {`query A {...B}`, `x.graphql:1:10: fragments (...) are not part of Things Graph's language; write out what it stands for`},
		"backslash":            {`query A {b \d}`, `x.graphql:1:12: a \ outside of a string; remove it`},
		"escaped twice":        {`query A @w(id: \\\"urn:x\\\") {b}`, `x.graphql:1:1: the quotes are escaped more than once; write " instead of \\\"`},
		"place after escapes":  {"query A @w(id: \\\"urn\\\") {\n b(c: \\\"d\\\" 10L)}", `x.graphql:2:13: "10L" is not a number; put it between "quotes" if it is not a number`},
		"places after \\r\\n":  {"query A\r\n{\r\n  b(7)}", `x.graphql:3:5: "7" where an argument's name or ) was expected; names have letters, digits and _ only`},
		"places count letters": {"# ä\nquery A {b(c: \"äöü\", 7)}", `x.graphql:2:22: "7" where an argument's name or ) was expected; names have letters, digits and _ only`},
		"deep":                 {"query A " + strings.Repeat("{a", 65), `x.graphql:1:137: blocks within blocks within blocks; at most 64 levels are read`},
		"deep list":            {"query A {b(c: " + strings.Repeat("[", 100), `x.graphql:1:78: blocks within blocks within blocks; at most 64 levels are read`},
		"deep type":            {"query A($a: " + strings.Repeat("[", 100), `x.graphql:1:77: blocks within blocks within blocks; at most 64 levels are read`},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, err := parseText(tc.text)
			if err == nil {
				t.Fatalf("no error, but %s", sketch(nodes))
			}
			if got := err.Error(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestLargeDocument: places are counted once, not anew for each token, also when
// the document is one line or full of escapes. If they were, this test would take
// hours.
func TestLargeDocument(t *testing.T) {
	for name, unit := range map[string]string{
		"lines":   "query A {b(c: \"d\")}\n",
		"a line":  "query A {b(c: \"d\")} ",
		"escaped": `query A {b(c: \"d\")} `,
	} {
		t.Run(name, func(t *testing.T) {
			count := MaxFile / len(unit)
			nodes, err := parseText(strings.Repeat(unit, count))
			if err != nil || len(nodes) != count {
				t.Errorf("%d definitions, want %d: %v", len(nodes), count, err)
			}
		})
	}
}
