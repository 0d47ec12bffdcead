package rule

// Dict is an object whose keys have an order, as a dict of Python has.
type Dict []Entry

// Entry is a key of a Dict with its value: nil, bool, int, int64, float64, string, []any,
// Dict, or what JSON makes of an object.
type Entry struct {
	Key   string
	Value any
}

// at returns the Dict under a key, which it makes if there is none.
func (d *Dict) at(key string) *Dict {
	for i := range *d {
		if (*d)[i].Key == key {
			return (*d)[i].Value.(*Dict)
		}
	}
	all := make(Dict, 0, 8)
	inner := &all
	*d = append(*d, Entry{key, inner})
	return inner
}

// add appends a key.
func (d *Dict) add(key string, value any) { *d = append(*d, Entry{key, value}) }

// set gives a key a value.
func (d *Dict) set(key string, value any) {
	for i := range *d {
		if (*d)[i].Key == key {
			(*d)[i].Value = value
			return
		}
	}
	d.add(key, value)
}

// Get returns the value of a key, or nil.
func (d Dict) Get(key string) any {
	for _, e := range d {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}
