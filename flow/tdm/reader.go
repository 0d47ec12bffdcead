package tdm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reader turns nodes into what they mean, and notes what is wrong with them.
type reader struct {
	problems   problems
	references []reference
}

// attrs are the arguments of one construct by name in lower case.
type attrs struct {
	r     *reader
	what  string
	pos   Pos
	named map[string]arg
}

// attrs checks that a construct has no arguments but known ones.
func (r *reader) attrs(what string, pos Pos, args []arg, known ...string) attrs {
	a := attrs{r, what, pos, map[string]arg{}}
	for _, arg := range args {
		key := strings.ToLower(arg.name)
		switch _, twice := a.named[key]; {
		case twice:
			r.problems.add(arg.pos, "keep one of them", "%s has %s twice", what, arg.name)
		case !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) }):
			fix := "remove it"
			if len(known) > 0 {
				fix = "known are " + strings.Join(known, ", ")
			}
			r.problems.add(arg.pos, fix, "%s has no argument %q", what, arg.name)
		default:
			a.named[key] = arg
		}
	}
	return a
}

func (a attrs) has(name string) bool { _, ok := a.named[strings.ToLower(name)]; return ok }

func (a attrs) at(name string) Pos {
	if arg, ok := a.named[strings.ToLower(name)]; ok {
		return arg.value.pos
	}
	return a.pos
}

// text returns an argument that is text, or "" without one.
func (a attrs) text(name string) string {
	arg, ok := a.named[strings.ToLower(name)]
	if !ok {
		return ""
	}
	if arg.value.kind != textValue {
		a.r.problems.add(arg.value.pos, fmt.Sprintf(`write %s: "…"`, arg.name), "%s: %s is not text", a.what, arg.name)
		return ""
	}
	return arg.value.text
}

// need is text that must be there and not be blank.
func (a attrs) need(name string) string {
	s := a.text(name)
	arg, ok := a.named[strings.ToLower(name)]
	if !ok {
		a.r.problems.add(a.pos, fmt.Sprintf(`write %s: "…"`, name), "%s without %s", a.what, name)
	} else if arg.value.kind == textValue && strings.TrimSpace(s) == "" {
		a.r.problems.add(arg.value.pos, fmt.Sprintf(`write %s: "…"`, name), "%s: %s is empty", a.what, name)
	}
	return s
}

// urn is a URN that must be there.
func (a attrs) urn(name string) urn {
	s := a.need(name)
	if strings.TrimSpace(s) == "" {
		return urn{}
	}
	u, ok := parseURN(s)
	if !ok {
		a.r.problems.add(a.at(name), "write urn:tdm:REGION/ACCOUNT/default:TYPE:NAME", "%s: %q is not a URN of Things Graph", a.what, shorten(s))
	}
	return u
}

// texts is a list of text; one text stands for a list of one.
func (a attrs) texts(name string) []string {
	arg, ok := a.named[strings.ToLower(name)]
	if !ok {
		return nil
	}
	values := []value{arg.value}
	if arg.value.kind == listValue {
		values = arg.value.list
	}
	var out []string
	for _, v := range values {
		if v.kind != textValue || strings.TrimSpace(v.text) == "" {
			a.r.problems.add(v.pos, fmt.Sprintf(`write %s: ["…"]`, arg.name), "%s: %s has something else than text", a.what, arg.name)
			continue
		}
		out = append(out, v.text)
	}
	return out
}

// number is a number from low to high, or otherwise if it is not given.
func (a attrs) number(name string, low, high, otherwise float64) float64 {
	arg, ok := a.named[strings.ToLower(name)]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseFloat(arg.value.text, 64)
	if (arg.value.kind != intValue && arg.value.kind != floatValue && arg.value.kind != textValue) || err != nil || !(n >= low) || n > high {
		a.r.problems.add(arg.value.pos, fmt.Sprintf("write a number from %v to %v", low, high), "%s: %s is not a number of use here", a.what, arg.name)
		return otherwise
	}
	return n
}

// layout are the directives that say where the console drew something.
func layout(name string) bool {
	return strings.EqualFold(name, "position") || strings.EqualFold(name, "annotation")
}

// directive returns the arguments of a directive that may stand at a construct.
// Others than known ones and layout are problems.
func (r *reader) directives(what string, ds []directive, known ...string) map[string]directive {
	found := map[string]directive{}
	for _, d := range ds {
		if layout(d.name) {
			continue
		}
		key := strings.ToLower(d.name)
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) }) {
			fix := "remove it"
			if len(known) > 0 {
				fix = "known are @" + strings.Join(known, ", @")
			}
			r.problems.add(d.pos, fix, "%s has no directive @%s", what, d.name)
			continue
		}
		if _, twice := found[key]; twice {
			r.problems.add(d.pos, "keep one of them", "%s has @%s twice", what, d.name)
		}
		found[key] = d
	}
	return found
}

// bare notes what a construct without arguments, types or directives has of them.
func (r *reader) bare(n *node) {
	r.attrs(n.name, n.pos, n.args)
	r.untyped(n)
}

// untyped notes a type and directives where none belong.
func (r *reader) untyped(n *node) {
	if n.typ != "" {
		r.problems.add(n.pos, "remove the type", "%s has no type", n.name)
	}
	r.directives(n.name, n.directives)
}

// leaf notes a block at what has none.
func (r *reader) leaf(n *node) {
	if len(n.children) > 0 {
		r.problems.add(n.children[0].pos, "remove the block", "%s has no block", n.name)
	}
}

// unknown notes a block that does not belong where it is.
func (r *reader) unknown(n *node, where string, known ...string) {
	r.problems.add(n.pos, "known are "+strings.Join(known, ", "), "%s has no %q", where, n.name)
}

// is compares a keyword as the service did, without regard to case.
func (n *node) is(name string) bool { return strings.EqualFold(n.name, name) }

// filler is the {ignore: void} that stands for an empty block.
func (n *node) filler() bool { return n.is("ignore") && strings.EqualFold(n.typ, "void") }

// reference is a URN in a place where only some kinds of entities can stand.
type reference struct {
	pos   Pos
	what  string
	of    urn
	kinds []string
	// must says that the entity has to be there. Otherwise its use reports that it is not.
	must bool
}

// refer notes a reference, which is looked at when all documents are read.
func (r *reader) refer(pos Pos, what string, of urn, must bool, kinds ...string) {
	if of.text != "" {
		r.references = append(r.references, reference{pos, what, of, kinds, must})
	}
}
