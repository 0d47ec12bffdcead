package tdm

import (
	_ "embed"
	"fmt"

	"pithings/device"
)

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
	d.checkReferences(r)
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	for _, dev := range sorted(d.devices, func(dev *deviceDoc) Pos { return dev.pos }) {
		if dev.unspoken != nil {
			continue
		}
		d.described = append(d.described, d.describe(r, dev))
	}
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

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

//go:embed builtin.graphql
var builtinText string

// Device gives the description of a device by its URN or by that of a device
// model which only one device has, from the files or built in.
func (d *Documents) Device(id string) (device.Model, bool) {
	u, ok := parseURN(id)
	if !ok {
		return device.Model{}, false
	}
	if dev, ok := find(u, d.devices, d.builtin.devices); ok && dev.unspoken == nil {
		return d.describe(&reader{}, dev), true
	}
	if devs := d.devicesOf(u, urn{}); len(devs) == 1 {
		return d.describe(&reader{}, devs[0]), true
	}
	return device.Model{}, false
}
