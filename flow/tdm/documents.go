package tdm

import (
	"fmt"
	"slices"
	"strings"

	"pithings/device"
	"pithings/flow"
)

// Documents are a set of documents that belong together, beside the public
// entities that are built in.
type Documents struct {
	library                  // what the files define
	builtin   *library       // what they may use besides
	described []device.Model // the files' devices
}

// Workflows are the names of the workflows in the documents, in their order.
func (d *Documents) Workflows() []string {
	var names []string
	for _, w := range d.order {
		names = append(names, w.name)
	}
	return names
}

// Passed is what the documents hold and is of no use here, with its places.
func (d *Documents) Passed() []flow.Problem { return slices.Clone(d.library.passed.List) }

// Models says how many entities the documents hold that are no flows: "1 device, 1
// model".
func (d *Documents) Models() string {
	var parts []string
	for _, kind := range []struct {
		n    int
		name string
	}{{len(d.devices), "device"}, {len(d.library.models), "model"}, {len(d.services), "service"}, {len(d.capabilities), "capability"},
		{len(d.properties), "property"}, {len(d.states), "state"}, {len(d.library.events), "event"}, {len(d.library.actions), "action"}, {len(d.enums), "enum"}, {len(d.systems), "system"}} {
		switch {
		case kind.n == 1:
			parts = append(parts, "1 "+kind.name)
		case kind.n > 1 && strings.HasSuffix(kind.name, "y"):
			parts = append(parts, fmt.Sprintf("%d %sies", kind.n, strings.TrimSuffix(kind.name, "y")))
		case kind.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", kind.n, kind.name))
		}
	}
	return strings.Join(parts, ", ")
}

// DeviceModels are the devices that the files define, in the order of their
// places.
func (d *Documents) DeviceModels() []device.Model { return slices.Clone(d.described) }

// devicesOf are the device, if it is given, or else the devices of a model.
func (d *Documents) devicesOf(model, id urn) []*deviceDoc {
	if id.text != "" {
		if dev, ok := find(id, d.devices, d.builtin.devices); ok && dev.unspoken == nil {
			return []*deviceDoc{dev}
		}
	}
	var out []*deviceDoc
	for _, in := range []map[string]*deviceDoc{d.devices, d.builtin.devices} {
		for _, dev := range sorted(in, func(dev *deviceDoc) Pos { return dev.pos }) {
			if dev.model.key() == model.key() && dev.unspoken == nil {
				out = append(out, dev)
			}
		}
	}
	return out
}

// unspoken says why a device or the devices of a model cannot be reached, if none can.
func (d *Documents) unspoken(model, id urn) *problem {
	if len(d.devicesOf(model, id)) > 0 {
		return nil
	}
	for _, dev := range sorted(d.devices, func(dev *deviceDoc) Pos { return dev.pos }) {
		if dev.unspoken != nil && (dev.model.key() == model.key() || dev.id.key() == model.key() || dev.id.key() == id.key()) {
			return dev.unspoken
		}
	}
	return nil
}

// eventsOf are the events of a device or a device model.
func (d *Documents) eventsOf(u urn) (names []string, known bool) {
	if m, ok := find(u, d.library.models, d.builtin.models); ok {
		for _, c := range m.capabilities {
			if got, ok := find(c, d.capabilities, d.builtin.capabilities); ok {
				for _, e := range got.order {
					if _, is := got.events[strings.ToLower(e.name)]; is {
						names = append(names, e.name)
					}
				}
				known = true
			}
		}
		return names, known
	}
	devices := d.devicesOf(u, u) // the device, or those of a model without a document
	for _, dev := range devices {
		for _, e := range sorted(dev.events, func(e *deviceEvent) Pos { return e.pos }) {
			if !slices.Contains(names, e.name) {
				names = append(names, e.name)
			}
		}
	}
	return names, len(devices) > 0
}
