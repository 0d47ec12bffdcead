package tdm

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"pithings/flow"
)

// Documents are a set of documents that belong together, beside the public
// entities that are built in.
type Documents struct {
	library                      // what the files define
	builtin   *library           // what they may use besides
	described []flow.DeviceModel // the files' devices
}

//go:embed builtin.graphql
var builtinText string

// builtin reads the public entities.
func builtin() *library {
	l, r := newLibrary(), &reader{}
	nodes, err := tree(source{name: "builtin.graphql", text: builtinText, original: builtinText})
	if err == nil {
		l.add(r, nodes)
		err = r.problems.Err()
	}
	if err != nil {
		panic(fmt.Sprintf("the built-in documents: %v", err)) // a test reads them
	}
	return l
}

// Read parses documents, in any order, in one or several files; without any,
// there are the built-in devices. The error is of
// type [*flow.Problems].
func Read(files ...File) (*Documents, error) {
	d, r := &Documents{library: *newLibrary(), builtin: builtin()}, &reader{}
	if len(files) > MaxFiles {
		r.problems.add(top(files[0].Name), "join some", "%d files are more than %d", len(files), MaxFiles)
		return nil, r.problems.Err()
	}
	for _, f := range files {
		srcs, err := sources(f)
		r.problems.addError(err)
		for _, src := range srcs {
			nodes, err := tree(src)
			r.problems.addError(err)
			d.add(r, nodes)
			if err == nil && len(nodes) == 0 {
				r.problems.add(top(src.name), "write a query, type or enum", "there is nothing in it")
			}
		}
	}
	for _, dev := range sorted(d.devices, func(dev *device) Pos { return dev.pos }) {
		d.described = append(d.described, d.describe(r, dev))
	}
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// Workflows are the names of the workflows in the documents, in their order.
func (d *Documents) Workflows() []string {
	var names []string
	for _, w := range d.order {
		names = append(names, w.name)
	}
	return names
}

// DeviceModels are the devices that the files define, in the order of their
// places.
func (d *Documents) DeviceModels() []flow.DeviceModel { return slices.Clone(d.described) }

// find looks an entity up in the files and then among the built-in ones.
func find[E any](id urn, in, builtin map[string]E) (E, bool) {
	if e, ok := in[id.key()]; ok {
		return e, true
	}
	e, ok := builtin[id.key()]
	return e, ok
}

// sorted gives a map's values in the order of their places.
func sorted[E any](m map[string]E, pos func(E) Pos) []E {
	var out []E
	for _, e := range m {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b E) int {
		p, q := pos(a), pos(b)
		return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
	})
	return out
}

// Device gives the description of a device by its URN or by that of a device
// model which only one device has, from the files or built in.
func (d *Documents) Device(id string) (flow.DeviceModel, bool) {
	u, ok := parseURN(id)
	if !ok {
		return flow.DeviceModel{}, false
	}
	if dev, ok := find(u, d.devices, d.builtin.devices); ok {
		return d.describe(&reader{}, dev), true
	}
	if devs := d.devicesOf(u, urn{}); len(devs) == 1 {
		return d.describe(&reader{}, devs[0]), true
	}
	return flow.DeviceModel{}, false
}
