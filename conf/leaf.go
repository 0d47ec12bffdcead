package conf

import "reflect"

// Leaf is a key that has a value, and not further keys.
type Leaf struct {
	Field
	// Path is that of the key: queue.max, or users[].name for every item of a list.
	Path string
}

// Leaves lists the keys that the struct that p points to can have, those of its sections
// and of the items of its lists with it. The fields are p's own, but for those of lists
// and of sections that are not there.
func Leaves(p any) []Leaf { return leaves(p, "") }

func leaves(p any, path string) (list []Leaf) {
	for _, f := range Fields(p) {
		at := Join(path, f.Key)
		switch {
		case f.single():
			list = append(list, Leaf{f, at})
		case f.Value.Kind() == reflect.Struct:
			list = append(list, leaves(f.Value.Addr().Interface(), at)...)
		case f.Value.Kind() == reflect.Slice:
			list = append(list, leaves(f.element(), at+"[]")...)
		default:
			list = append(list, leaves(f.element(), at)...)
		}
	}
	return list
}

// single reports whether the field is written on one line: as one value, as a list of
// texts or as a map.
func (f Field) single() bool {
	return f.Scalar() || f.Value.Kind() == reflect.Map ||
		f.Value.Kind() == reflect.Slice && f.Value.Type().Elem().Kind() == reflect.String
}

// Section returns the keys below this one if the field is a section of its own, and nil if it
// is a value, a list or may be left out as a whole.
func (f Field) Section() []Field {
	if f.single() || f.Value.Kind() != reflect.Struct {
		return nil
	}
	return Fields(f.Value.Addr().Interface())
}

// Items returns the keys of each item if the field is a list of sections, and nil if it is not.
func (f Field) Items() (items [][]Field) {
	if f.single() || f.Value.Kind() != reflect.Slice {
		return nil
	}
	for i := range f.Value.Len() {
		items = append(items, Fields(f.Value.Index(i).Addr().Interface()))
	}
	return items
}

// Item returns the keys that an item of a list of sections has, with their defaults.
func (f Field) Item() []Field {
	one := f.element()
	Fill(one)
	return Fields(one)
}

// element is a pointer to a new struct as those in the field, a list or a pointer.
func (f Field) element() any { return reflect.New(f.Value.Type().Elem()).Interface() }
