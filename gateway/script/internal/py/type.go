package py

// Type is a type or a class. It is a value: calling it makes an instance.
type Type struct {
	Name  string
	Bases []*Type
	// Attrs are the attributes of the class itself, without those of its bases.
	Attrs map[string]Value
	// New makes an instance of class t, which is this type or one derived from it. Nil
	// leaves it to the bases.
	New func(m *Machine, t *Type, a Args) Value
	// Module stands before the name where Python writes it: "datetime" of datetime.datetime.
	Module string
	// User says that a script defined it.
	User bool
	Doc  Value
	mro  []*Type // the class, then where else attributes are looked for
}

// NewType returns a type that Go knows.
func NewType(name string, bases ...*Type) *Type {
	t := &Type{Name: name, Bases: bases}
	t.mro = append([]*Type{t}, linear(bases, uncounted)...)
	return t
}

// uncounted is the work of types that a script does not make.
func uncounted(int) {}

// NewClass returns a class of a script, or nil when the bases contradict each other. m is nil
// for one that the interpreter makes.
func NewClass(m *Machine, name string, bases []*Type, attrs map[string]Value) *Type {
	t := &Type{Name: name, Bases: bases, Attrs: attrs, User: true}
	work := uncounted
	if m != nil {
		work = m.Work
	}
	rest := linear(bases, work)
	if rest == nil && len(bases) > 0 {
		return nil
	}
	if m != nil {
		m.AllocN(1+len(rest), 8)
	}
	t.mro = append([]*Type{t}, rest...)
	return t
}

// linear is the order of lookup for bases, or nil when they contradict each other. work
// counts what it takes.
func linear(bases []*Type, work func(n int)) []*Type {
	if len(bases) == 1 {
		work(len(bases[0].mro) / 64)
		return bases[0].mro
	}
	return merge(bases, work)
}

// merge is C3: every class before its bases, and the bases in their order.
// https://docs.python.org/3/howto/mro.html
func merge(bases []*Type, work func(n int)) []*Type {
	var lists [][]*Type
	all := len(bases)
	for _, b := range bases {
		lists = append(lists, b.mro)
		all += len(b.mro)
	}
	lists = append(lists, bases)
	var out []*Type
	for {
		var pick *Type
		empty := true
		for _, l := range lists {
			if len(l) == 0 {
				continue
			}
			work(all / 8)
			if empty = false; !inTail(lists, l[0]) {
				pick = l[0]
				break
			}
		}
		if empty {
			return out
		}
		if pick == nil {
			return nil
		}
		out = append(out, pick)
		for i, l := range lists {
			if len(l) > 0 && l[0] == pick {
				lists[i] = l[1:]
			}
		}
	}
}

func inTail(lists [][]*Type, t *Type) bool {
	for _, l := range lists {
		for i := 1; i < len(l); i++ {
			if l[i] == t {
				return true
			}
		}
	}
	return false
}

// Type of a type is type.
func (*Type) Type() *Type { return TypeType }

// MRO is the class and its bases, in the order in which attributes are looked for.
func (t *Type) MRO() []*Type { return t.mro }

// Is reports whether t is base or derived from it.
func (t *Type) Is(base *Type) bool {
	for _, b := range t.mro {
		if b == base {
			return true
		}
	}
	return false
}

// Lookup returns the attribute of the class or of its bases, or nil.
func (t *Type) Lookup(name string) Value {
	for _, b := range t.mro {
		if v := b.Attrs[name]; v != nil {
			return v
		}
	}
	return nil
}

// LookupAfter is Lookup in what follows class in the order of t: what super() sees.
func (t *Type) LookupAfter(class *Type, name string) Value {
	seen := false
	for _, b := range t.mro {
		if seen {
			if v := b.Attrs[name]; v != nil {
				return v
			}
		}
		seen = seen || b == class
	}
	return nil
}

// Native is the first class of the order that Go knows.
func (t *Type) Native() *Type {
	for _, b := range t.mro {
		if !b.User {
			return b
		}
	}
	return ObjectType
}

// FullName is the name with its module, where it has one.
func (t *Type) FullName() string {
	if t.Module != "" {
		return t.Module + "." + t.Name
	}
	return t.Name
}

// Each calls f for the attributes of a class that a script defined.
func (t *Type) Each(f func(Value)) int {
	if !t.User {
		return 0
	}
	for _, v := range t.Attrs {
		f(v)
	}
	return 200 + 64*len(t.Attrs) + 8*len(t.mro)
}

// Instance is an object of a class of a script, or an exception.
type Instance struct {
	Class *Type
	Attrs Attrs
	// Args are the arguments of an exception.
	Args *Tuple
	// Native is what an object of a host does its work with.
	Native any
}

// Type is the class.
func (i *Instance) Type() *Type { return i.Class }

// Each calls f for the attributes.
func (i *Instance) Each(f func(Value)) int {
	n := 64
	if i.Args != nil {
		f(i.Args)
	}
	for _, a := range i.Attrs {
		f(a.Value)
	}
	if i.Class.User {
		f(i.Class)
	}
	return n + attrCost*cap(i.Attrs)
}

// Attrs are the attributes of an instance, in the order in which they were set. There are
// few, so they are searched one after the other.
type Attrs []Attr

// Attr is one attribute.
type Attr struct {
	Name  string
	Value Value
}

// attrCost is what an attribute is counted with, in bytes.
const attrCost = 64

// Get returns an attribute, or nil.
func (a Attrs) Get(name string) Value {
	for i := range a {
		if a[i].Name == name {
			return a[i].Value
		}
	}
	return nil
}

// Set sets an attribute, and returns whether it is new.
func (a *Attrs) Set(name string, v Value) (added bool) {
	for i := range *a {
		if (*a)[i].Name == name {
			(*a)[i].Value = v
			return false
		}
	}
	*a = append(*a, Attr{name, v})
	return true
}

// Delete removes an attribute, and returns whether it was there.
func (a *Attrs) Delete(name string) bool {
	for i := range *a {
		if (*a)[i].Name == name {
			*a = append((*a)[:i], (*a)[i+1:]...)
			return true
		}
	}
	return false
}
