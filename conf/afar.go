package conf

import (
	"reflect"
	"slices"
	"strings"
)

// Over has the decoder read values that come from afar, over those that places shows. Keys
// that may be changed on the machine only are problems, as are keys that a variable has given:
// who wrote that stands at the machine. Without strict the latter are warnings, and stay as
// they are.
func (d *Decoder) Over(places *Places, strict bool) { d.over, d.strict = places, strict }

// Call has problems of Over name what is at a path by another name: who sends values from afar does not
// know the places of a list in the machine's file.
func (d *Decoder) Call(path, name string) { d.path, d.name = path, name }

// called is a path as problems of Over name it.
func (d *Decoder) called(path string) string {
	if rest, ok := strings.CutPrefix(path, d.path); ok && d.path != "" {
		return d.name + rest
	}
	return path
}

// takes reports whether a value may be changed from where the decoder reads. It reports false
// after a problem, and for what stays as it is.
func (d *Decoder) takes(e Entry, f Field, path string) bool {
	switch {
	case d.over == nil:
		return true
	case f.item || f.Section() != nil: // as the list that it is in, or key by key
		return true
	case !f.ChangesAfar():
		d.Fail(e.At, "%s can be changed on the machine only, in its configuration file", d.called(path))
		return false
	case d.over.Given(path) && !d.over.InFile(path):
		at := d.over.Origin(path)
		if d.strict {
			d.Fail(e.At, "%s is given by %s on the machine, which counts more", d.called(path), at)
		} else {
			d.Warn(path, "%s is given by %s, which counts more", d.called(path), at)
		}
		return false
	}
	return true
}

// ChangesAfar reports whether all that a key holds may be changed from afar: with a list of
// sections, or one that may be left out, all their keys are replaced.
func (f Field) ChangesAfar() bool {
	if f.single() {
		return f.Change() == Afar
	}
	if k := f.Value.Kind(); k != reflect.Slice && k != reflect.Pointer {
		return false
	}
	return !slices.ContainsFunc(Leaves(f.element()), func(l Leaf) bool { return l.Change() != Afar })
}
