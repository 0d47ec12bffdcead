package supervisor

import (
	"maps"
	"strings"

	"pithings/gateway"
)

// The limits of a file.
const (
	MaxBytes = 16 << 20 // of a file
	maxRows  = 20_000   // lines of CSV, items of JSON
)

// importer collects what files have.
type importer struct {
	problems
	s     *gateway.Settings
	notes []string
	seen  map[string]place // by kind and name
	serials
}

func (im *importer) note(at place, format string, args ...any) {
	im.notes = append(im.notes, note(at, format, args...))
}

// once notes where an item is, and reports one without a name, and a second of its name.
func (im *importer) once(at place, kind, name string) bool {
	if name == "" {
		im.add(at, "the %s has no name", kind)
		return false
	}
	key := kind + "\x00" + name
	first, twice := im.seen[key]
	switch {
	case twice && kind == "group" && first.file != at.file:
		im.note(at, "group %s is in another file, too (%v), and that one counts", name, first)
		return false
	case twice:
		im.add(at, "there is a %s %s already (%v); rename one of them", kind, strings.ReplaceAll(name, "\x00", "."), first)
		return false
	}
	im.seen[key] = at
	return true
}

// row is an item of 1.x by the columns of its CSV file. Its values are columns as
// gateway.Column makes them.
type row map[string]string

// take removes a column and returns its text.
func (r row) take(column string) string {
	v := r[column]
	delete(r, column)
	return gateway.Text(v)
}

// rest are the columns that are left and not empty, without secrets.
func (im *importer) rest(at place, r row) map[string]string {
	for column, text := range r {
		if text != "" && secretKey.MatchString(column) {
			im.note(at, "%s is a secret, and not kept: an export has it empty", column)
			r[column] = ""
		}
	}
	maps.DeleteFunc(r, func(_, v string) bool { return v == "" })
	if len(r) == 0 {
		return nil
	}
	return r
}

// item is an object of a list, with its place.
type item struct {
	object
	at place
}

// secrets notes what is not kept.
func (im *importer) secrets(at place, paths []string) {
	for _, path := range paths {
		im.note(place{file: at.file, line: at.line, path: path}, "it is a secret, and not kept: an export has it empty")
	}
}

// pack keeps what is left of an object as one column; nil if there is nothing.
func (im *importer) pack(it item) map[string]string {
	if len(it.object) == 0 {
		return nil
	}
	clean, secrets := withoutSecrets(marshal(it.object), it.at.path)
	im.secrets(it.at, secrets)
	return map[string]string{gateway.JSONColumn: string(clean)}
}
