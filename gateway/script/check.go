package script

import (
	"strings"

	"pithings/gateway/script/internal/lib"
	"pithings/gateway/script/internal/py"
	"pithings/gateway/script/internal/syntax"
)

// Check refuses a program that imports a module which neither the interpreter nor the host
// has, unless the script handles that itself. The error is a *Problem. New does it, too.
func Check(p *Program, modules map[string]Module) error {
	load := importer(modules)
	for _, i := range p.p.Imports {
		if i.Guarded {
			continue
		}
		m := load(i.Module)
		if m == nil && (i.Item == "" || load(i.Module+"."+i.Item) == nil) {
			return &Problem{Line: i.Pos(), Text: "there is no module " + i.Module, Fix: instead(i.Module)}
		}
		if i.Item != "" && (m == nil || m.Items[i.Item] == nil) && load(i.Module+"."+i.Item) == nil {
			return &Problem{Line: i.Pos(), Text: i.Module + " has no " + i.Item, Fix: instead(i.Module + "." + i.Item)}
		}
	}
	return nil
}

// importer returns what finds modules: those of the host, then the interpreter's own. A
// name of which only "name.part" is there is a package of those parts.
func importer(modules map[string]Module) func(string) *py.Module {
	loaded := map[string]*py.Module{}
	var load func(name string) *py.Module
	load = func(name string) *py.Module {
		if m := loaded[name]; m != nil {
			return m
		}
		items, found := modules[name]
		if !found {
			if m := lib.Load(name); m != nil {
				return m
			}
		}
		m := &py.Module{Name: name, Items: map[string]py.Value{}}
		for k, v := range items {
			m.Items[k] = v
		}
		for other := range modules {
			if part, below := strings.CutPrefix(other, name+"."); below && !strings.Contains(part, ".") {
				m.Items[part] = load(other)
				found = true
			}
		}
		if !found {
			return nil
		}
		loaded[name] = m
		return m
	}
	return load
}

// substitutes say what to write in place of modules that people miss most.
var substitutes = map[string]string{
	"requests": "use http_get and http_post", "urllib": "use http_get and http_post", "http": "use http_get and http_post",
	"socket": "scripts reach the network through http_get, http_post and wizard_api",
	"paho":   "publish with wizard_api.mqtt_publish", "threading": "a rule runs to its end; use a periodic function",
	"asyncio": "a rule runs to its end; use a periodic function", "queue": "use collections.deque",
	"os": "a script sees only its own folder, through open", "sys": "it is not needed here",
	"subprocess": "a script starts no programs", "numpy": "use lists, sum, min, max and math",
	"pandas": "use lists and dicts", "sqlite3": "keep values in variables, or in a file through open",
	"pickle": "use json", "enum": "use constants", "dataclasses": "write a class with __init__",
	"itertools": "use loops and comprehensions", "functools": "use lambda and loops", "decimal": "use float, or integers of the smallest unit",
	"uuid": "use random and hashlib", "string": "write the characters", "typing": "leave annotations without import",
}

func instead(module string) string {
	if strings.Contains(strings.ToLower(module), "lwtsdb") {
		return "the time-series database of Device Supervisor is not here: keep values in variables, or in a file through open"
	}
	top, _, _ := strings.Cut(module, ".")
	return substitutes[top]
}

// absent are names of Python that scripts do not have, and what to do about it.
var absent = [][2]string{
	{"exec", "write the code itself"}, {"compile", "write the code itself"}, {"__import__", "write import"}, {"input", "there is no keyboard"},
	{"globals", "use a dict"}, {"locals", "use a dict"}, {"vars", "use a dict"}, {"dir", ""}, {"id", "compare with is"}, {"breakpoint", ""}, {"help", ""},
	{"memoryview", "use bytes"}, {"complex", ""},
	{"raw_input", "there is no keyboard"}, {"unicode", "write str"}, {"xrange", "write range"}, {"basestring", "write str"}, {"long", "write int"},
	{"reduce", "write a loop"}, {"unichr", "write chr"}, {"LWTSDB", "keep values in variables, or in a file through open"},
}

// refused reports names that scripts do not have.
func refused(names *syntax.Globals) error {
	for _, n := range names.Names {
		for _, a := range absent {
			if a[0] == n.Name && !n.Bound {
				return &Problem{Line: n.Line, Text: n.Name + " is not supported", Fix: a[1]}
			}
		}
	}
	return nil
}
