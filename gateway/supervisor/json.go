package supervisor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/gateway"
)

// root is the outermost object of a file.
type root struct {
	lists map[string][]item // lists of objects
	rest  object            // and all else, lists without objects too
	order []string
	at    map[string]place // of the keys
}

// root reads an object that begins at a place, item by item, so that each has its line.
func (im *importer) root(begin place, data []byte) (r root, ok bool) {
	r = root{lists: map[string][]item{}, rest: object{}, at: map[string]place{}}
	d := json.NewDecoder(bytes.NewReader(data))
	line, counted := begin.line, 0
	at := func() place {
		next := skipSpace(data, int(d.InputOffset()))
		line += bytes.Count(data[counted:next], []byte("\n"))
		counted = next
		return place{file: begin.file, line: line}
	}
	fail := func(err error) (root, bool) {
		im.add(begin, "%w", err)
		return r, false
	}
	if t, err := d.Token(); err != nil {
		return fail(err)
	} else if t != json.Delim('{') {
		im.add(begin, "it is no object; export the whole configuration")
		return r, false
	}
	for d.More() {
		here := at()
		t, err := d.Token()
		if err != nil {
			return fail(err)
		}
		key, _ := t.(string)
		r.order = append(r.order, key)
		here.path = begin.key(key).path
		r.at[key] = here
		if data[min(skipSpace(data, int(d.InputOffset())), len(data)-1)] != '[' {
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return fail(err)
			}
			r.rest[key] = raw
			continue
		}
		if err := im.list(d, &r, key, at); err != nil {
			return fail(err)
		}
	}
	return r, true
}

// twice returns a key that an object has twice, and its line; 0 if there is none. The data is
// JSON.
func twice(data []byte) (key string, line int) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		keys  map[string]bool // nil: a list
		value bool            // the next token is the value of a key
	}
	stack := []level{{}}
	for {
		t, err := d.Token()
		if err != nil {
			return "", 0 // its end
		}
		top := &stack[len(stack)-1]
		if name, ok := t.(string); ok && top.keys != nil && !top.value {
			if top.keys[name] {
				return name, lineAt(data, int(d.InputOffset())-1)
			}
			top.keys[name], top.value = true, true
			continue
		}
		top.value = false
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{keys: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

// skipSpace returns the offset of what comes next: a list's comma and blanks are skipped.
func skipSpace(data []byte, offset int) int {
	for offset < len(data) && bytes.IndexByte([]byte(" \t\r\n,:"), data[offset]) >= 0 {
		offset++
	}
	return offset
}

// list reads a list. One that has anything but objects is kept as it is.
func (im *importer) list(d *json.Decoder, r *root, key string, at func() place) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	items, all := []item{}, []json.RawMessage{}
	objects := true
	for i := 0; d.More(); i++ {
		here := at()
		here.path = fmt.Sprintf("%s[%d]", r.at[key].path, i)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		all = append(all, raw)
		var o object
		if json.Unmarshal(raw, &o) != nil || o == nil {
			objects = false
			continue
		}
		items = append(items, item{o, here})
	}
	if objects {
		r.lists[key] = items
	} else {
		r.rest[key] = marshal(all)
	}
	_, err := d.Token()
	return err
}

// syntax reports where JSON is none.
func (im *importer) syntax(name string, data []byte, err error) {
	at, what := place{file: name}, err.Error()
	var wrong *json.SyntaxError
	if errors.As(err, &wrong) {
		at.line = lineAt(data, int(wrong.Offset)-1)
	}
	switch {
	case wrong != nil && int(wrong.Offset) >= len(data) && strings.Contains(what, "unexpected end"):
		what = "its end is missing; export it again"
	case strings.Contains(what, "after top-level value"):
		what = "there is something behind the end of the configuration; remove it"
	case bytes.Contains(data, []byte("{'")) || bytes.Contains(data, []byte(" '")):
		what += "; it is Python's notation: write it with json.dumps, or export it"
	}
	im.add(at, "it is no JSON: %s", what)
}

func objects(items []item) []object {
	list := []object{}
	for _, it := range items {
		list = append(list, it.object)
	}
	return list
}

// keep keeps what is left of the outermost object for an export.
func (im *importer) keep(r root) {
	for key, items := range r.lists {
		r.rest[key] = marshal(objects(items))
	}
	for _, key := range slices.Sorted(maps.Keys(r.rest)) {
		clean, secrets := withoutSecrets(r.rest[key], key)
		im.secrets(r.at[key], secrets)
		if im.s.Columns == nil {
			im.s.Columns = map[string]string{}
		}
		if was, twice := im.s.Columns[key]; twice && was != gateway.Column(clean) {
			im.note(r.at[key], "another file has it, too, and this one is not kept; import the files one by one")
			continue
		}
		im.s.Columns[key] = gateway.Column(clean)
	}
}
