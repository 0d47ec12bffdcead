package py

// Dict keeps its keys in the order of their insertion. Class is nil for dict; Factory
// makes missing values of a defaultdict.
type Dict struct {
	entries []entry
	index   []int32 // open addressing over entries, +1; nil while there are few
	live    int     // entries that are not deleted
	Class   *Type
	Factory Value
}

type entry struct {
	key, value Value // key is nil when deleted
	hash       uint32
}

// few is how many entries are searched one after the other.
const few = 8

// entryCost is what an entry is counted with, in bytes.
const entryCost = 64

// Type is dict, or the class.
func (d *Dict) Type() *Type {
	if d.Class != nil {
		return d.Class
	}
	return DictType
}

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{} }

// NewDictOf returns an empty dict that n keys fit in without growing. With a machine it counts
// what a dict is counted with that grows to them: 1, 2, 4, …
func NewDictOf(m *Machine, n int) *Dict {
	if m != nil {
		for grown := 1; grown < n; grown *= 2 {
			m.AllocN(grown, entryCost)
		}
	}
	switch {
	case n <= 2:
		d := new(dict2)
		d.entries = d.space[:0]
		return &d.Dict
	case n <= 4:
		d := new(dict4)
		d.entries = d.space[:0]
		return &d.Dict
	}
	d := &Dict{entries: make([]entry, 0, n)}
	if n > few {
		d.index = make([]int32, indexSize(n))
	}
	return d
}

// A small dict and its entries are one piece of memory. Most dicts of scripts are small.
type (
	dict2 struct {
		Dict
		space [2]entry
	}
	dict4 struct {
		Dict
		space [4]entry
	}
)

// Len is the number of keys.
func (d *Dict) Len() int { return d.live }

// Each calls f for keys and values.
func (d *Dict) Each(f func(Value)) int {
	for i := range d.entries {
		if e := &d.entries[i]; e.key != nil {
			f(e.key)
			f(e.value)
		}
	}
	return 80 + entryCost*cap(d.entries)
}

// find returns the place of a key in entries, or -1.
func (d *Dict) find(m *Machine, key Value, hash uint32) int {
	if d.index == nil {
		for i := range d.entries {
			if e := &d.entries[i]; e.hash == hash && e.key != nil && sameKey(m, e.key, key) {
				return i
			}
		}
		return -1
	}
	mask := uint32(len(d.index) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		i := d.index[at] - 1
		if i < 0 {
			return -1
		}
		if int(i) < len(d.entries) {
			if e := &d.entries[i]; e.hash == hash && e.key != nil && sameKey(m, e.key, key) {
				return int(i)
			}
		}
		if m != nil {
			m.Step() // a script may make keys that collide
		}
	}
}

// findText is find for a text, which compares with texts only.
func (d *Dict) findText(key string, hash uint32) int {
	if d.index == nil {
		for i := range d.entries {
			if e := &d.entries[i]; e.hash == hash {
				if s, ok := e.key.(Str); ok && string(s) == key {
					return i
				}
			}
		}
		return -1
	}
	mask := uint32(len(d.index) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		i := int(d.index[at]) - 1
		if i < 0 {
			return -1
		}
		if i < len(d.entries) {
			if e := &d.entries[i]; e.hash == hash {
				if s, ok := e.key.(Str); ok && string(s) == key {
					return i
				}
			}
		}
	}
}

func sameKey(m *Machine, a, b Value) bool {
	switch x := a.(type) {
	case Str:
		y, ok := b.(Str)
		return ok && x == y
	case Int:
		if y, ok := b.(Int); ok {
			return x == y
		}
	}
	if m == nil {
		return false // the host looks for a Str only
	}
	return Same(a, b) || Equal(m, a, b)
}

// Get returns the value of a key, or nil.
func (d *Dict) Get(m *Machine, key Value) Value {
	if i := d.find(m, key, Hash(m, key)); i >= 0 {
		return d.entries[i].value
	}
	return nil
}

// GetStr returns the value of a key, or nil.
func (d *Dict) GetStr(key string) Value {
	if d == nil || d.live == 0 {
		return nil
	}
	return d.GetHashed(key, HashText(key))
}

// GetHashed is GetStr for a key whose HashText is at hand.
func (d *Dict) GetHashed(key string, hash uint32) Value {
	if i := d.findText(key, hash); i >= 0 {
		return d.entries[i].value
	}
	return nil
}

// Set gives a key a value.
func (d *Dict) Set(m *Machine, key, value Value) {
	d.set(m, key, value, Hash(m, key))
}

// SetStr gives a key a value. It counts no memory: for what the host makes.
func (d *Dict) SetStr(key string, value Value) {
	d.SetHashed(nil, Str(key), value, HashText(key))
}

// SetHashed is Set for a Str whose HashText is at hand.
func (d *Dict) SetHashed(m *Machine, key, value Value, hash uint32) {
	if i := d.findText(string(key.(Str)), hash); i >= 0 {
		d.entries[i].value = value
		return
	}
	if m == nil {
		d.add(nil, key, value, hash)
		return
	}
	d.set(m, key, value, hash) // a key of another type may equal it
}

func (d *Dict) set(m *Machine, key, value Value, hash uint32) {
	if i := d.find(m, key, hash); i >= 0 {
		d.entries[i].value = value
		return
	}
	d.add(m, key, value, hash)
}

// add appends a key that is not there.
func (d *Dict) add(m *Machine, key, value Value, hash uint32) {
	if m != nil {
		m.Alloc(entryCost)
		if len(d.entries) == cap(d.entries) {
			m.AllocN(len(d.entries), entryCost) // it grows to twice its size
		}
	}
	d.entries = append(d.entries, entry{key, value, hash})
	d.live++
	switch {
	case d.index == nil && len(d.entries) > few, len(d.entries)*4 > len(d.index)*3 && d.index != nil:
		d.rebuild()
	case d.index != nil:
		d.insert(len(d.entries) - 1)
	}
}

// insert puts an entry into the index.
func (d *Dict) insert(i int) {
	mask := uint32(len(d.index) - 1)
	at := d.entries[i].hash & mask
	for d.index[at] != 0 {
		at = (at + 1) & mask
	}
	d.index[at] = int32(i + 1)
}

// rebuild drops deleted entries and makes the index anew.
func (d *Dict) rebuild() {
	kept := d.entries[:0]
	for _, e := range d.entries {
		if e.key != nil {
			kept = append(kept, e)
		}
	}
	clear(d.entries[len(kept):])
	d.entries = kept
	d.index = make([]int32, indexSize(len(kept)))
	for i := range d.entries {
		d.insert(i)
	}
}

func indexSize(keys int) int {
	size := 16
	for size < 2*keys+2 {
		size *= 2
	}
	return size
}

// Delete removes a key and returns its value, or nil.
func (d *Dict) Delete(m *Machine, key Value) Value {
	i := d.find(m, key, Hash(m, key))
	if i < 0 {
		return nil
	}
	e := &d.entries[i]
	old := e.value
	e.key, e.value = nil, nil
	d.live--
	if d.live == 0 {
		d.Clear()
	}
	return old
}

// Clear removes all keys.
func (d *Dict) Clear() { d.entries, d.index, d.live = nil, nil, 0 }

// At returns the next entry from place i on, and the place after it; key is nil at the end.
func (d *Dict) At(i int) (key, value Value, next int) {
	for ; i < len(d.entries); i++ {
		if e := &d.entries[i]; e.key != nil {
			return e.key, e.value, i + 1
		}
	}
	return nil, nil, i
}

// Last returns the last key and its value, or nil.
func (d *Dict) Last() (key, value Value) {
	for i := len(d.entries) - 1; i >= 0; i-- {
		if e := &d.entries[i]; e.key != nil {
			return e.key, e.value
		}
	}
	return nil, nil
}

// Copy returns a dict of the same class with the same entries.
func (d *Dict) Copy(m *Machine) *Dict {
	m.AllocN(d.live+1, entryCost)
	c := &Dict{Class: d.Class, Factory: d.Factory, entries: make([]entry, 0, d.live)}
	for _, e := range d.entries {
		if e.key != nil {
			c.entries = append(c.entries, e)
		}
	}
	c.live = len(c.entries)
	if c.live > few {
		c.rebuild()
	}
	return c
}

// Keys returns the keys in order.
func (d *Dict) Keys() []Value {
	keys := make([]Value, 0, d.live)
	for _, e := range d.entries {
		if e.key != nil {
			keys = append(keys, e.key)
		}
	}
	return keys
}

// Set is a set, with its members as keys of D.
type Set struct {
	D      Dict
	Frozen bool
}

// Type is set or frozenset.
func (s *Set) Type() *Type {
	if s.Frozen {
		return FrozenSetType
	}
	return SetType
}

// Add makes v a member.
func (s *Set) Add(m *Machine, v Value) {
	h := Hash(m, v)
	if s.D.find(m, v, h) < 0 {
		s.D.set(m, v, None, h)
	}
}

// Has reports whether v is a member.
func (s *Set) Has(m *Machine, v Value) bool { return s.D.find(m, v, Hash(m, v)) >= 0 }

// Each calls f for the members.
func (s *Set) Each(f func(Value)) int { return s.D.Each(f) }

// View is what keys, values and items of a dict return.
type View struct {
	D    *Dict
	Kind byte // 'k', 'v' or 'i'
}

// The types of views.
var (
	KeysType   = NewType("dict_keys", ObjectType)
	ValuesType = NewType("dict_values", ObjectType)
	ItemsType  = NewType("dict_items", ObjectType)
)

// Type is that of the kind.
func (v *View) Type() *Type {
	switch v.Kind {
	case 'k':
		return KeysType
	case 'v':
		return ValuesType
	}
	return ItemsType
}

// Each calls f for the dict.
func (v *View) Each(f func(Value)) int { f(v.D); return 24 }
