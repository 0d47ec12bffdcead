package flowhost

import (
	"fmt"
	"io"
	"slices"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/flowyaml"
	"pithings/flow/makers"
	"pithings/flow/tdm"
	"pithings/mqttlink/durable"
)

// ReadFile reads a file for Deploy.
func ReadFile(path string) (File, error) {
	text, err := durable.ReadFile(path, maxSnapshot)
	return File{path, string(text)}, err
}

// ReadInput reads standard input as a file for Deploy.
func ReadInput(r io.Reader) (File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err == nil && len(text) > maxSnapshot {
		err = fmt.Errorf("standard input is larger than %d MiB", maxSnapshot>>20)
	}
	return File{"standard input", string(text)}, err
}

// Export writes the deployment of a file of ours in Things Graph's documents.
func Export(file File) ([]File, error) {
	all, err := newReader().read([]File{file}, Options{})
	if err != nil {
		return nil, err
	}
	var out []File
	for _, d := range all {
		documents, err := tdm.Export(d.deployment, d.exported())
		if err != nil {
			return nil, err
		}
		for _, one := range documents {
			out = append(out, File{one.Name, string(one.Text)})
		}
	}
	return out, nil
}

// exported are the models that are written beside a deployment: its file's, and those
// of makers' devices that its roles name.
func (d *document) exported() tdm.Models {
	m := tdm.Models{Devices: slices.Clone(d.models), Services: d.services}
	for _, b := range d.deployment.Things {
		one, ok := device.FindModel(makers.Models(), b.Model)
		if !ok {
			continue
		}
		if _, there := device.FindModel(m.Devices, b.Model); !there {
			m.Devices = append(m.Devices, one)
		}
	}
	return m
}

// Validated is a deployment that was found to be right.
type Validated struct {
	Name     string
	Flows    []string
	Triggers []string
	// Models says what documents hold that describe devices and services only, and no
	// flow: "1 device, 1 model".
	Models string
	Notes  []string // what is passed over
}

// Validate checks files. Unlike for a deployment, workflows of Things Graph may come
// alone. The error is of type *flow.Problems.
func Validate(files []File, o Options) ([]Validated, error) {
	r := newReader()
	r.alone = true
	all, err := r.read(files, o)
	if err != nil {
		return nil, err
	}
	var problems flow.Problems
	for _, d := range all {
		if len(d.deployment.Things) > 0 { // a workflow alone has no roles yet
			d.check(newCarriers(nil, nil, nil), library{d.models, r.builtin}, &problems)
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	var out []Validated
	if r.models != "" {
		out = append(out, Validated{Models: r.models, Notes: r.notes})
	}
	for _, d := range all {
		v := Validated{Name: d.deployment.Name, Notes: d.notes}
		for _, fl := range d.deployment.Flows {
			v.Flows = append(v.Flows, fl.Definition.Name)
		}
		for _, t := range d.deployment.Triggers {
			v.Triggers = append(v.Triggers, triggerLine(t))
		}
		out = append(out, v)
	}
	return out, nil
}

// Import turns Things Graph's documents into files of our own format. needs is what
// has still to be given before they can run.
func Import(files []File, o Options) (out []File, needs, passed []flow.Problem, err error) {
	texts := make([]tdm.File, len(files))
	for i, f := range files {
		texts[i] = tdm.File{Name: f.Name, Text: []byte(f.Text)}
	}
	read, err := tdm.Read(texts...)
	if err != nil {
		return nil, nil, nil, err
	}
	im, err := read.Import(tdm.Options{Things: o.Things, Services: o.Services})
	if err != nil {
		return nil, nil, nil, err
	}
	deployments := im.Deployments
	if len(deployments) == 0 {
		deployments = alone(im)
	}
	if len(deployments) == 0 {
		return nil, nil, nil, fmt.Errorf("there is no flow in the documents, but %s; import them together with the document of a workflow", read.Models())
	}
	for _, d := range deployments {
		text, err := flowyaml.Print(&flowyaml.File{Deployment: d, Models: im.Devices, Services: im.Services})
		if err != nil {
			return nil, nil, nil, err
		}
		out = append(out, File{d.Name + ".yaml", string(text)})
	}
	return out, im.Needs.List, read.Passed(), nil
}
