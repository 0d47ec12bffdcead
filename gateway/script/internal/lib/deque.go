package lib

import (
	"strconv"

	"pithings/gateway/script/internal/builtin"
	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// deque is a list that is short at both ends: a ring of items.
type deque struct {
	ring  []py.Value
	first int
	n     int
	most  int // maxlen, or -1
}

var dequeType = py.NewType("deque", py.ObjectType)

func (*deque) Type() *py.Type { return dequeType }

// Len is the number of items.
func (d *deque) Len() int { return d.n }

// Each calls f for the items.
func (d *deque) Each(f func(py.Value)) int {
	for i := range d.n {
		f(*d.at(i))
	}
	return 64 + 16*len(d.ring)
}

func (d *deque) at(i int) *py.Value { return &d.ring[(d.first+i)%len(d.ring)] }

func (d *deque) items() []py.Value {
	out := make([]py.Value, d.n)
	for i := range out {
		out[i] = *d.at(i)
	}
	return out
}

// Group is what repr writes.
func (d *deque) Group() (before string, items []py.Value, after string) {
	if d.most >= 0 {
		return "deque([", d.items(), "], maxlen=" + strconv.Itoa(d.most) + ")"
	}
	return "deque([", d.items(), "])"
}

// Iterate yields the items.
func (d *deque) Iterate(m *py.Machine) func() (py.Value, bool) {
	i, n := 0, d.n
	return func() (py.Value, bool) {
		if d.n != n {
			py.Raise(m, py.RuntimeError, "deque mutated during iteration")
		}
		if i >= d.n {
			return nil, false
		}
		i++
		return *d.at(i - 1), true
	}
}

// Index is d[key].
func (d *deque) Index(m *py.Machine, key py.Value) py.Value {
	return *d.at(ops.Position(m, d.n, key, "deque index", "sequence index"))
}

// SetIndex is d[key] = v, or del d[key].
func (d *deque) SetIndex(m *py.Machine, key, v py.Value) {
	i := ops.Position(m, d.n, key, "deque index", "sequence index")
	if v != nil {
		*d.at(i) = v
		return
	}
	items := d.items()
	d.set(append(items[:i], items[i+1:]...))
}

func (d *deque) set(items []py.Value) { d.ring, d.first, d.n = items, 0, len(items) }

func (d *deque) push(m *py.Machine, v py.Value, left bool) {
	if d.most == 0 {
		return
	}
	if d.most > 0 && d.n == d.most {
		d.pop(!left)
	}
	if d.n == len(d.ring) {
		m.AllocN(2*d.n+4, 16)
		ring := make([]py.Value, 2*d.n+4)
		copy(ring, d.items())
		d.ring, d.first = ring, 0
	}
	if left {
		d.first = (d.first + len(d.ring) - 1) % len(d.ring)
	}
	d.n++
	if left {
		*d.at(0) = v
	} else {
		*d.at(d.n - 1) = v
	}
}

// pop returns nil when there is none.
func (d *deque) pop(left bool) py.Value {
	if d.n == 0 {
		return nil
	}
	i := d.n - 1
	if left {
		i = 0
	}
	p := d.at(i)
	v := *p
	*p = nil
	if left {
		d.first = (d.first + 1) % len(d.ring)
	}
	d.n--
	return v
}

func newDeque(m *py.Machine, _ *py.Type, args py.Args) py.Value {
	a := py.Bind(m, "deque", []string{"iterable=", "maxlen="}, false, args)
	m.Alloc(64)
	d := &deque{most: builtin.OptionalInt(m, a[1], -1)}
	if builtin.Given(a[0]) {
		d.extend(m, a[0], false)
	}
	return d
}

func (d *deque) extend(m *py.Machine, v py.Value, left bool) {
	if v == py.Value(d) {
		v = py.NewList(d.items()...)
	}
	for next := ops.Iterate(m, v); ; {
		x, ok := next()
		if !ok {
			return
		}
		m.Step()
		d.push(m, x, left)
	}
}

func popping(left bool) func(m *py.Machine, a []py.Value) py.Value {
	return func(m *py.Machine, a []py.Value) py.Value {
		d := ring(a)
		v := d.pop(left)
		if v == nil {
			py.Raise(m, py.IndexError, "pop from an empty deque")
		}
		return v
	}
}

var dequeMethods = []def{
	{"append", "self x", func(m *py.Machine, a []py.Value) py.Value { ring(a).push(m, a[1], false); return py.None }},
	{"appendleft", "self x", func(m *py.Machine, a []py.Value) py.Value { ring(a).push(m, a[1], true); return py.None }},
	{"pop", "self", popping(false)},
	{"popleft", "self", popping(true)},
	{"extend", "self iterable", func(m *py.Machine, a []py.Value) py.Value { ring(a).extend(m, a[1], false); return py.None }},
	{"extendleft", "self iterable", func(m *py.Machine, a []py.Value) py.Value { ring(a).extend(m, a[1], true); return py.None }},
	{"clear", "self", func(m *py.Machine, a []py.Value) py.Value { ring(a).set(nil); return py.None }},
	{"copy", "self", func(m *py.Machine, a []py.Value) py.Value {
		d := ring(a)
		m.AllocN(d.n+4, 16)
		c := &deque{most: d.most}
		c.set(d.items())
		return c
	}},
	{"count", "self x", func(m *py.Machine, a []py.Value) py.Value {
		n := 0
		for _, v := range ring(a).items() {
			m.Step()
			if py.Equal(m, v, a[1]) {
				n++
			}
		}
		return py.Int(n)
	}},
	{"reverse", "self", func(m *py.Machine, a []py.Value) py.Value {
		d := ring(a)
		items := d.items()
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		d.set(items)
		return py.None
	}},
	{"rotate", "self n=", func(m *py.Machine, a []py.Value) py.Value {
		d := ring(a)
		if d.n == 0 {
			return py.None
		}
		n := ((builtin.OptionalInt(m, a[1], 1) % d.n) + d.n) % d.n
		m.AllocN(d.n, 32)
		items := d.items()
		d.set(append(append([]py.Value(nil), items[d.n-n:]...), items[:d.n-n]...))
		return py.None
	}},
}

// ring is the deque of a method, whose type was checked by the call.
func ring(a []py.Value) *deque { d, _ := a[0].(*deque); return d }
