package builtin

import (
	"sort"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// iteration are the functions that go through values.
var iteration = []def{
	{"iter", "obj", func(m *py.Machine, a []py.Value) py.Value {
		if it, ok := a[0].(*py.Iter); ok {
			return it
		}
		return &py.Iter{Next: ops.Iterate(m, a[0]), Over: []py.Value{a[0]}}
	}},
	{"next", "iterator default=", func(m *py.Machine, a []py.Value) py.Value { return nextOf(m, a[0], a[1]) }},
	{"reversed", "sequence", func(m *py.Machine, a []py.Value) py.Value {
		if r, ok := py.Special(m, a[0], "__reversed__"); ok {
			return r
		}
		if _, isSet := a[0].(*py.Set); isSet {
			py.Raise(m, py.TypeError, "'set' object is not reversible")
		}
		items := ops.Fresh(m, a[0])
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		it := ops.Over(items)
		it.Name = "list_reverseiterator"
		return it
	}},
	{"enumerate", "iterable start=", func(m *py.Machine, a []py.Value) py.Value {
		next, i := ops.Iterate(m, a[0]), int64(OptionalInt(m, a[1], 0))
		return ops.Lazy(m, "enumerate", a[:1], func() (py.Value, bool) {
			v, ok := next()
			if !ok {
				return nil, false
			}
			m.Alloc(72)
			i++
			return py.NewTuple(py.Int(i-1), v), true
		})
	}},
	{"filter", "function iterable", func(m *py.Machine, a []py.Value) py.Value {
		next := ops.Iterate(m, a[1])
		return ops.Lazy(m, "filter", a, func() (py.Value, bool) {
			for {
				v, ok := next()
				if !ok {
					return nil, false
				}
				m.Step()
				keep := v
				if a[0] != py.None {
					keep = py.Call(m, a[0], v)
				}
				if py.Truth(m, keep) {
					return v, true
				}
			}
		})
	}},
	{"sum", "iterable start=", func(m *py.Machine, a []py.Value) py.Value {
		total := a[1]
		if total == nil {
			total = py.Int(0)
		}
		if _, ok := total.(py.Str); ok {
			py.Raise(m, py.TypeError, "sum() can't sum strings [use ''.join(seq) instead]")
		}
		for next := ops.Iterate(m, a[0]); ; {
			v, ok := next()
			if !ok {
				return total
			}
			m.Step()
			total = ops.Add(m, total, v)
		}
	}},
	{"any", "iterable", func(m *py.Machine, a []py.Value) py.Value { return py.Bool(some(m, a[0], true)) }},
	{"all", "iterable", func(m *py.Machine, a []py.Value) py.Value { return py.Bool(!some(m, a[0], false)) }},
	{"sorted", "iterable key= reverse=", func(m *py.Machine, a []py.Value) py.Value {
		l := &py.List{Items: ops.Fresh(m, a[0])}
		Sort(m, l.Items, a[1], a[2] != nil && py.Truth(m, a[2]))
		return l
	}},
}

func nextOf(m *py.Machine, it, absent py.Value) py.Value {
	var v py.Value
	ok := false
	switch x := it.(type) {
	case *py.Iter:
		v, ok = x.Next()
	case *File:
		v, ok = x.Iterate(m)()
	default:
		r := py.Try(m, func() { v, ok = py.Special(m, it, "__next__") })
		switch {
		case r != nil && absent != nil && r.Exc.Class.Is(py.StopIteration):
			return absent
		case r != nil:
			panic(r)
		case !ok:
			py.Raise(m, py.TypeError, "'%s' object is not an iterator", it.Type().FullName())
		}
	}
	if ok {
		return v
	}
	if absent == nil {
		py.Throw(m, py.NewException(py.StopIteration))
	}
	return absent
}

func some(m *py.Machine, v py.Value, truth bool) bool {
	for next := ops.Iterate(m, v); ; {
		x, ok := next()
		if !ok {
			return false
		}
		m.Step()
		if py.Truth(m, x) == truth {
			return true
		}
	}
}

// zip and map take any number of iterables.
func rawIteration() []*py.Builtin {
	return []*py.Builtin{
		{Name: "zip", Raw: func(m *py.Machine, a py.Args) py.Value {
			nexts := nextsOf(m, a.Pos)
			return ops.Lazy(m, "zip", a.Pos, func() (py.Value, bool) {
				items, ok := round(m, nexts)
				if !ok {
					return nil, false
				}
				return py.NewTuple(items...), true
			})
		}},
		{Name: "map", Raw: func(m *py.Machine, a py.Args) py.Value {
			if len(a.Pos) < 2 {
				py.Raise(m, py.TypeError, "map() must have at least two arguments.")
			}
			nexts := nextsOf(m, a.Pos[1:])
			return ops.Lazy(m, "map", a.Pos, func() (py.Value, bool) {
				items, ok := round(m, nexts)
				if !ok {
					return nil, false
				}
				return py.CallArgs(m, a.Pos[0], py.Args{Pos: items}), true
			})
		}},
		{Name: "min", Raw: func(m *py.Machine, a py.Args) py.Value { return extreme(m, a, "min", "<") }},
		{Name: "max", Raw: func(m *py.Machine, a py.Args) py.Value { return extreme(m, a, "max", ">") }},
		printFunction(),
	}
}

func nextsOf(m *py.Machine, vs []py.Value) []func() (py.Value, bool) {
	var nexts []func() (py.Value, bool)
	for _, v := range vs {
		nexts = append(nexts, ops.Iterate(m, v))
	}
	return nexts
}

// round takes one value of each; ok is false when one has no more.
func round(m *py.Machine, nexts []func() (py.Value, bool)) (items []py.Value, ok bool) {
	m.Step()
	m.AllocN(len(nexts)+3, 16)
	for _, next := range nexts {
		v, ok := next()
		if !ok {
			return nil, false
		}
		items = append(items, v)
	}
	return items, len(items) > 0
}

func extreme(m *py.Machine, a py.Args, name, op string) py.Value {
	var key, absent py.Value
	for _, k := range a.Kw {
		switch k.Name {
		case "key":
			key = k.Value
		case "default":
			absent = k.Value
		default:
			py.Raise(m, py.TypeError, "%s() got an unexpected keyword argument '%s'", name, k.Name)
		}
	}
	if len(a.Pos) == 0 {
		py.Raise(m, py.TypeError, "%s expected at least 1 argument, got 0", name)
	}
	var next func() (py.Value, bool)
	if len(a.Pos) == 1 {
		next = ops.Iterate(m, a.Pos[0])
	} else {
		next = ops.Over(a.Pos).Next
	}
	var best, bestKey py.Value
	for {
		v, ok := next()
		if !ok {
			break
		}
		m.Step()
		k := v
		if Given(key) {
			k = py.Call(m, key, v)
		}
		if best == nil || ops.Compare(m, op, k, bestKey) {
			best, bestKey = v, k
		}
	}
	if best == nil {
		if best = absent; best == nil {
			py.Raise(m, py.ValueError, "%s() arg is an empty sequence", name)
		}
	}
	return best
}

// Sort sorts items in place, equal ones as they stand.
func Sort(m *py.Machine, items []py.Value, key py.Value, reverse bool) {
	m.AllocN(len(items), 32)
	keys := items
	if Given(key) {
		keys = make([]py.Value, len(items))
		for i, v := range items {
			keys[i] = py.Call(m, key, v)
		}
	}
	s := &sorting{m: m, items: items, keys: keys, same: !Given(key), reverse: reverse}
	sort.Stable(s)
}

type sorting struct {
	m           *py.Machine
	items, keys []py.Value
	same        bool // keys are the items
	reverse     bool
}

func (s *sorting) Len() int { return len(s.items) }

func (s *sorting) Less(i, j int) bool {
	s.m.Step()
	if s.reverse {
		i, j = j, i
	}
	return ops.Less(s.m, s.keys[i], s.keys[j])
}

func (s *sorting) Swap(i, j int) {
	s.items[i], s.items[j] = s.items[j], s.items[i]
	if !s.same {
		s.keys[i], s.keys[j] = s.keys[j], s.keys[i]
	}
}
