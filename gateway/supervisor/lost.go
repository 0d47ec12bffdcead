package supervisor

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/gateway"
)

// lacks are the keys of settings that a version of Device Supervisor has not, by their lists.
type lacks struct {
	version string
	keys    map[string][]string
	whole   []string // lists that it has not at all
}

var (
	firstLacks = lacks{"1.x", map[string][]string{
		"devices":   {"thing"},
		"variables": {"value", "expression", "write", "dead_zone", "gain", "offset", "decimals"},
		"alarms":    {"hysteresis", "delay"},
	}, []string{"params", "publish", "subscribe", "functions"}}
	secondLacks = lacks{"2.x", map[string][]string{
		"devices":   {"thing"},
		"variables": {"value", "expression", "write", "dead_zone", "decimals"},
		"groups":    {"upload"},
		"alarms":    {"hysteresis", "delay"},
	}, nil}
)

// lost says what an export has not, one line for each key.
func lost(s *gateway.Settings, l lacks) (notes []string) {
	for _, f := range conf.Fields(s) {
		n := 0
		if k := f.Value.Kind(); k == reflect.Slice || k == reflect.Map {
			n = f.Value.Len()
		}
		switch {
		case n > 0 && slices.Contains(l.whole, f.Key):
			notes = append(notes, fmt.Sprintf("%s are not exported: the files of %s have none", f.Key, l.version))
		case n > 0 && f.Value.Kind() == reflect.Slice:
			for _, key := range l.keys[f.Key] {
				if names := with(f.Value, key); len(names) > 0 {
					notes = append(notes, fmt.Sprintf("%s of %s is not exported: %s has none (%s)", key, f.Key, l.version, some(names)))
				}
			}
		case f.Key == "eventbus" && f.Value.Bool():
			notes = append(notes, "eventbus is not exported: Device Supervisor has no such key")
		}
	}
	return notes
}

// with lists the items of a list in which a key is not as usual.
func with(list reflect.Value, key string) (names []string) {
	usual := reflect.New(list.Type().Elem())
	conf.Fill(usual.Interface())
	def := valueOf(usual.Interface(), key)
	for i := range list.Len() {
		item := list.Index(i).Addr().Interface()
		if !reflect.DeepEqual(valueOf(item, key), def) {
			names = append(names, cmp.Or(fmt.Sprint(valueOf(item, "name")), fmt.Sprint(valueOf(item, "device"))))
		}
	}
	return names
}

func valueOf(item any, key string) any {
	for _, f := range conf.Fields(item) {
		if f.Key == key {
			return f.Value.Interface()
		}
	}
	return nil
}

// some are the first names of a list.
func some(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
