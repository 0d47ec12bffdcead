package supervisor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/collect"
)

// File is a file by its name.
type File struct {
	Name string
	Data []byte
}

// Imported is what files have become.
type Imported struct {
	Settings *gateway.Settings
	Things   string   // the section things: of a configuration, for Modbus devices; "" if there are none
	Notes    []string // what a person should know, one line each
}

// YAML is both sections as text.
func (i *Imported) YAML() string { return i.Things + YAML(i.Settings) }

// Import reads files: what each is its contents say. The error has what is wrong with them,
// at most maxProblems of it.
func Import(files []File) (*Imported, error) {
	im := &importer{s: new(gateway.Settings), seen: map[string]place{}}
	conf.Fill(im.s)
	for _, f := range files {
		at := place{file: f.Name}
		if len(f.Data) > MaxBytes {
			im.add(at, "it is larger than %d MiB, which no export of Device Supervisor is; split it", MaxBytes>>20)
			continue
		}
		data, err := decoded(f.Data)
		switch t := bytes.TrimSpace(data); {
		case err != nil:
			im.add(at, "%w", err)
		case len(t) == 0:
			im.add(at, "it is empty")
		case t[0] == '{' || t[0] == '[':
			im.json(f.Name, data)
		default:
			im.csv(f.Name, data)
		}
	}
	im.complete()
	im.controls()
	if err := im.err(); err != nil {
		return nil, err
	}
	things, more := im.things()
	return &Imported{Settings: im.s, Things: things, Notes: slices.Concat(im.notes, more, unbound(im.s))}, nil
}

// json reads the JSON of 1.x or of 2.x.
func (im *importer) json(name string, data []byte) {
	at := place{file: name}
	var all json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		im.syntax(name, data, err)
		return
	}
	if key, line := twice(data); line > 0 {
		at.line = line
		im.add(at, "the key %q is there twice in one object, of which only one counts; remove the other", key)
		return
	}
	r, ok := im.root(place{file: name, line: 1}, data)
	if !ok {
		return
	}
	n := 0
	for _, list := range r.lists {
		n += len(list)
	}
	has := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return r.lists[key] != nil })
	}
	groups := r.lists["groups"]
	switch {
	case n > maxRows:
		im.add(at, "it has more than %d objects; split it", maxRows)
	case has("controllers", "measures") || len(groups) > 0 && groups[0].object["name"] != nil:
		im.second(r)
	case has("devices", "vars", "warning") || len(groups) > 0 && groups[0].object["group_name"] != nil:
		im.first(r)
	default:
		im.add(at, "it is no configuration of Device Supervisor: it has neither controllers, measures and groups (2.x) nor devices, vars, groups and warning (1.x); its keys are %.200s", fmt.Sprint(r.order))
	}
}

// complete adds the groups that variables and rules name and that no file has, and leaves out
// what an export adds by itself.
func (im *importer) complete() {
	s := im.s
	types := map[string]string{}
	for _, g := range s.Groups {
		types[g.Name] = g.Type
	}
	protocols := map[string]string{}
	for _, d := range s.Devices {
		protocols[d.Name] = d.Protocol
	}
	missing := func(at place, name string) {
		var g collect.Group
		conf.Fill(&g)
		g.Name = name
		types[name] = g.Type
		s.Groups = append(s.Groups, g)
		im.note(at, "no file has its group %s; it is polled every %v here: import the file of the groups, too, or change groups", name, g.Polling)
	}
	for i := range s.Variables {
		v := &s.Variables[i]
		if v.Columns["Protocol"] != "" && v.Columns["Protocol"] == protocols[v.Device] {
			delete(v.Columns, "Protocol")
		}
		if len(v.Columns) == 0 {
			v.Columns = nil
		}
		at := im.seen["variable\x00"+v.Device+"\x00"+v.Name]
		switch kind := types[v.Group]; {
		case v.Mode == collect.Never:
		case kind == collect.Alarms:
			im.add(at, "variable %s: its group %s is one of alarms; give it another group", v.Name, v.Group)
		case kind == "" && v.Group != "default":
			missing(at, v.Group)
		}
		if _, known := protocols[v.Device]; !known {
			protocols[v.Device] = ""
			im.note(at, "no file has its device %s: import the file of the devices, too; without it, it is the thing of that name", v.Device)
		}
	}
	for _, a := range s.Alarms {
		at := im.seen["alarm\x00"+a.Name]
		if types[a.Group] == collect.Collect || a.Group == "default" {
			im.add(at, "alarm %s: its group %s is one of variables; give it another group", a.Name, a.Group)
		}
		if _, known := im.seen["variable\x00"+a.Device+"\x00"+a.Variable]; !known {
			im.note(at, "alarm %s: no file has its variable %s of device %s, so that it is never triggered", a.Name, a.Variable, a.Device)
		}
	}
	for _, p := range s.Publish {
		for _, g := range p.Groups {
			if g != "default" && types[g] == "" && !slices.ContainsFunc(s.Alarms, func(a collect.AlarmRule) bool { return a.Group == g }) {
				missing(im.seen["publish rule\x00"+p.Name], g)
			}
		}
	}
}

// controls reports texts that a configuration cannot have.
func (im *importer) controls() {
	check := func(at place, what, text string) {
		if i := strings.IndexFunc(text, gateway.Control); i >= 0 {
			r, _ := utf8.DecodeRuneInString(text[i:])
			im.add(at, "%s has the control character %U, which a configuration cannot have; remove it", what, r)
		}
	}
	for name, value := range im.s.Params {
		check(place{file: "labels"}, "a parameter", name+value)
	}
	for _, l := range []struct {
		kind string
		list any
	}{{"device", im.s.Devices}, {"variable", im.s.Variables}, {"group", im.s.Groups}, {"alarm", im.s.Alarms}, {"publish rule", im.s.Publish}, {"subscribe rule", im.s.Subscribe}, {"function", im.s.Functions}} {
		items := reflect.ValueOf(l.list)
		for i := range items.Len() {
			item := items.Index(i).Addr().Interface()
			name := fmt.Sprint(valueOf(item, "name"))
			at := im.seen[l.kind+"\x00"+name]
			if l.kind == "variable" {
				at = im.seen[l.kind+"\x00"+fmt.Sprint(valueOf(item, "device"))+"\x00"+name]
			}
			for _, f := range conf.Fields(item) {
				switch v := f.Value.Interface().(type) {
				case string:
					check(at, f.Key, v)
				case []string:
					check(at, f.Key, strings.Join(v, ""))
				case map[string]string:
					for column := range v {
						check(at, "the name of a column", column)
					}
				}
			}
		}
	}
}

// unbound lists the devices that have no thing.
func unbound(s *gateway.Settings) (notes []string) {
	for _, d := range s.Devices {
		if d.Thing == "" {
			notes = append(notes, fmt.Sprintf("device %s: its protocol %s is not supported; its variables have no values until thing: NAME binds it to a thing", d.Name, cmp.Or(d.Protocol, "(none)")))
		}
	}
	return notes
}
