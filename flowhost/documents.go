package flowhost

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/flow"
	"pithings/flow/flowyaml"
	"pithings/flow/makers"
	"pithings/flow/service"
	"pithings/flow/tdm"
	"pithings/things"
)

// document is a deployment with the models that its files bring along.
type document struct {
	of         string // its name in the files
	documents  bool   // it comes from Things Graph's documents
	deployment *flow.Deployment
	models     []device.Model
	services   []flow.ServiceModel
	calls      *service.Services // while it is active, if it calls any
	known      flow.Known
	files      []File // that it was read from; nil once it is active
	asks       []asking
	notes      []string // what its files hold and is passed over
}

// reader reads files of both formats.
type reader struct {
	builtin func(name string) (device.Model, bool)
	alone   bool // workflows need not be part of a system or a deployment
	kept    bool // what was deployed once: options that nothing uses are no mistake any more
	// What read found, besides deployments, if alone: documents without a flow, and
	// what is passed over in them.
	models string
	notes  []string
}

func newReader() *reader { return &reader{builtin: builtinDevice()} }

// builtinDevice finds the devices of makers by their names, and Things Graph's
// public devices by their URNs. The documents of those are read when one is wanted:
// most agents want none, and have little memory.
func builtinDevice() func(string) (device.Model, bool) {
	read := sync.OnceValues(func() (*tdm.Documents, error) { return tdm.Read() })
	return func(name string) (device.Model, bool) {
		if !strings.HasPrefix(strings.ToLower(name), "urn:") {
			return device.FindModel(makers.Models(), name)
		}
		documents, err := read()
		if err != nil {
			return device.Model{}, false // the documents are part of the program
		}
		return documents.Device(name)
	}
}

// graphQL reports whether a file holds Things Graph's documents: by its name, else by
// what it begins with.
func graphQL(f File) bool {
	switch strings.ToLower(filepath.Ext(f.Name)) {
	case ".graphql", ".gql", ".json":
		return true
	case ".yaml", ".yml":
		return false
	}
	text := bytes.TrimSpace([]byte(f.Text))
	for bytes.HasPrefix(text, []byte("#")) { // a comment in both
		_, text, _ = bytes.Cut(text, []byte("\n"))
		text = bytes.TrimSpace(text)
	}
	for _, begin := range []string{"{", "query ", "type ", "enum ", "language="} {
		if bytes.HasPrefix(text, []byte(begin)) {
			return true
		}
	}
	return false
}

// read returns the deployments in files: one of each YAML file, and those of all
// GraphQL documents together. The error is of type *flow.Problems.
func (r *reader) read(files []File, o Options) ([]*document, error) {
	var all []*document
	var problems flow.Problems
	var documents []File
	total := 0
	for _, f := range files {
		if total += len(f.Text); total > maxSnapshot {
			problems.Add(flow.Position{File: f.Name}, "the files are together larger than %d MiB", maxSnapshot>>20)
			return nil, problems.Err()
		}
		if graphQL(f) {
			documents = append(documents, f)
			continue
		}
		known := r.known()
		known.Service = func(service, _ string) (bool, bool) { _, own := o.ownURL(service); return own, own }
		d, err := flowyaml.Parse(f.Name, []byte(f.Text), known)
		if err != nil {
			add(&problems, f.Name, err)
			continue
		}
		all = append(all, &document{of: d.Deployment.Name, deployment: d.Deployment, models: d.Models, services: d.Services,
			known: d.Known(known), files: []File{f}})
	}
	if len(documents) > 0 {
		found, err := r.graphQL(documents, o)
		if err != nil {
			add(&problems, documents[0].Name, err)
		}
		all = append(all, found...)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, d := range all {
		name := d.deployment.Name
		if seen[name] {
			problems.Add(d.deployment.Pos, "a second deployment is named %q; deploy them one after the other, each with a --name of its own", name)
		}
		seen[name] = true
		d.apply(o, &problems)
	}
	serveAt(all, o, r.kept, &problems)
	if o.Name != "" && len(all) > 1 {
		problems.Add(flow.Position{}, "--name names one deployment, and the files hold %d: %s", len(all), strings.Join(slices.Sorted(maps.Keys(seen)), ", "))
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return all, nil
}

// known is what flows may use without describing it.
func (r *reader) known() flow.Known {
	return flow.Known{Model: func(name string) (device.Model, bool) {
		if k := things.KindOf(name); k != nil {
			return k.Usually().Model, true
		}
		return r.builtin(name)
	}}
}

func (r *reader) graphQL(files []File, o Options) ([]*document, error) {
	texts := make([]tdm.File, len(files))
	for i, f := range files {
		texts[i] = tdm.File{Name: f.Name, Text: []byte(f.Text)}
	}
	read, err := tdm.Read(texts...)
	if err != nil {
		return nil, err
	}
	options := tdm.Options{Things: o.Things, Services: o.Services}
	im, err := read.Import(options)
	if err != nil {
		return nil, err
	}
	needs := im.Needs
	if err := needs.Err(); err != nil {
		return nil, err
	}
	var problems flow.Problems
	if len(im.Deployments) == 0 && r.alone {
		if im.Deployments = alone(im); len(im.Deployments) == 0 {
			r.models, r.notes = read.Models(), passed(read)
			return nil, nil
		}
	}
	if len(im.Deployments) == 0 {
		problems.Add(flow.Position{File: files[0].Name}, "there is neither a system nor a deployment in the documents, so nothing says which things are meant; add its document")
		return nil, problems.Err()
	}
	known := read.Known(options)
	own := r.known()
	found := known.Model
	known.Model = func(name string) (device.Model, bool) {
		if m, ok := found(name); ok {
			return m, true
		}
		return own.Model(name)
	}
	var all []*document
	for _, d := range im.Deployments {
		all = append(all, &document{of: d.Name, documents: true, deployment: d, models: im.Devices, services: im.Services, known: known, files: files, notes: passed(read)})
	}
	return all, nil
}

// passed is what documents hold and is of no use.
func passed(read *tdm.Documents) (notes []string) {
	for _, p := range read.Passed() {
		notes = append(notes, p.String())
	}
	return notes
}

// alone makes deployments of workflows that come without one: their devices are
// parameters, which the start has to give.
func alone(im *tdm.Import) (all []*flow.Deployment) {
	for _, def := range im.Definitions {
		all = append(all, &flow.Deployment{Name: def.Name, Flows: []flow.Flow{{Definition: def}}, Pos: def.Pos})
	}
	return all
}

// apply lets the options override what the files say.
func (d *document) apply(o Options, problems *flow.Problems) {
	at := d.deployment.Pos
	if o.Name != "" {
		d.deployment.Name = o.Name
	}
	if o.Shared != "" {
		d.deployment.Shared = o.Shared
	}
	if err := checkName(d.deployment.Name); err != nil {
		problems.Add(at, "%v", err)
	}
	if g := d.deployment.Shared; strings.ContainsAny(g, "/+#") || len(g) > 64 {
		problems.Add(at, "the group %q: write up to 64 characters, without / + #", g)
	}
	var roles []string
	for i := range d.deployment.Things {
		b := &d.deployment.Things[i]
		roles = append(roles, b.Role)
		if thing, ok := o.Things[b.Role]; ok {
			b.Thing = thing
		}
		switch o.Carrier {
		case "":
		case "auto":
			b.Carrier = flow.Auto
		default:
			b.Carrier = flow.Carrier(o.Carrier)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(o.Things)) {
		if !slices.Contains(roles, role) {
			problems.Add(at, "--thing %s=…: %s has no role %q%s", role, d.deployment.Name, role, suggest.From(role, roles))
		}
	}
	add(problems, "", d.deployment.Validate(d.known))
}

// serveAt gives the services of files the URLs of the options. Those of Things
// Graph's documents have them already.
func serveAt(all []*document, o Options, kept bool, problems *flow.Problems) {
	var names []string
	used := map[string]bool{}
	for _, d := range all {
		if !d.documents {
			if err := d.serveAt(o); err != nil {
				problems.Add(d.deployment.Pos, "--service: %v", err)
			}
		}
		for _, m := range d.services {
			names = append(names, m.ID[strings.LastIndexByte(m.ID, ':')+1:])
			for name := range o.Services {
				used[name] = used[name] || m.Called(name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Services)) {
		if !used[name] && !kept {
			problems.Add(flow.Position{}, "--service %s=…: no flow has a service %q%s", name, name, suggest.From(name, names))
		}
	}
}

func (d *document) serveAt(o Options) error {
	var defs []*flow.Definition
	for _, f := range d.deployment.Flows {
		defs = append(defs, f.Definition)
	}
	made, err := flow.Undescribed(defs, d.services, o.ownURL)
	if err != nil {
		return err
	}
	for i, m := range d.services {
		if own, ok := o.ownURL(m.ID); ok {
			if d.services[i], err = m.At(own); err != nil {
				return err
			}
		}
	}
	d.services = append(d.services, made...)
	return nil
}

// ownURL is the URL that the options have for a service.
func (o Options) ownURL(service string) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(o.Services)) {
		if (flow.ServiceModel{ID: service}).Called(name) {
			return o.Services[name], true
		}
	}
	return "", false
}

// add adds an error to problems, one by one if it is several.
func add(problems *flow.Problems, file string, err error) {
	switch several, ok := err.(*flow.Problems); {
	case err == nil:
	case ok:
		for _, p := range several.List {
			problems.Add(p.Pos, "%s", p.Message)
		}
		problems.More += several.More
	default:
		problems.Add(flow.Position{File: file}, "%v", err)
	}
}

// snapshot is the document as it is kept.
func (d *document) snapshot(o Options) *Snapshot {
	s := &Snapshot{Name: d.deployment.Name, Options: o, Files: d.files}
	if d.of != s.Name {
		s.Of = d.of
	}
	return s
}

// restore reads a snapshot again.
func (r *reader) restore(s *Snapshot) (*document, error) {
	o := s.Options
	o.Name = "" // there may be other deployments in the files
	again := reader{builtin: r.builtin, kept: true}
	all, err := again.read(s.Files, o)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.of == s.Of || s.Of == "" && d.of == s.Name {
			d.deployment.Name, d.deployment.Revision, d.deployment.Deployed = s.Name, s.Revision, s.Deployed
			return d, nil
		}
	}
	return nil, fmt.Errorf("there is no deployment %q in the files of %s", s.Of, s.Name)
}

// asking is that a flow of a document waits for answers of a thing.
type asking struct {
	thing string
	model string // whose answers do not say whose they are; "" if they do
	flow  string
}
