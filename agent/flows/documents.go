package flows

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"pithings/flow"
	"pithings/flow/flowyaml"
	"pithings/flow/service"
	"pithings/flow/tdm"
	"pithings/things"
)

// document is a deployment with the models that its files bring along.
type document struct {
	of         string // its name in the files
	deployment *flow.Deployment
	models     []flow.DeviceModel
	services   []flow.ServiceModel
	calls      *service.Services // while it is in force, if it calls any
	known      flow.Known
	files      []File // that it was read from; nil once it is in force
	asks       []asking
}

// reader reads files of both formats.
type reader struct {
	builtin func(name string) (flow.DeviceModel, bool)
	alone   bool // workflows need not be part of a system or a deployment
}

func newReader() *reader { return &reader{builtin: builtinDevice()} }

// builtinDevice finds Things Graph's public devices. Their documents are read when
// one is wanted: most agents want none, and have little memory.
func builtinDevice() func(string) (flow.DeviceModel, bool) {
	read := sync.OnceValues(func() (*tdm.Documents, error) { return tdm.Read() })
	return func(name string) (flow.DeviceModel, bool) {
		if !strings.HasPrefix(strings.ToLower(name), "urn:") {
			return flow.DeviceModel{}, false
		}
		documents, err := read()
		if err != nil {
			return flow.DeviceModel{}, false // the documents are part of the program
		}
		return documents.Device(name)
	}
}

// graphQL tells whether a file holds Things Graph's documents: by its name, else by
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
		d, err := flowyaml.Parse(f.Name, []byte(f.Text), r.known())
		if err != nil {
			add(&problems, f.Name, err)
			continue
		}
		all = append(all, &document{of: d.Deployment.Name, deployment: d.Deployment, models: d.Models, services: d.Services,
			known: d.Known(r.known()), files: []File{f}})
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
	return flow.Known{Model: func(name string) (flow.DeviceModel, bool) {
		if d, ok := ownModel(name, nil, things.Tutorial); ok {
			return d.model, true
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
		im.Deployments = alone(im)
	}
	if len(im.Deployments) == 0 {
		problems.Add(flow.Position{File: files[0].Name}, "there is neither a system nor a deployment in the documents, so nothing says which things are meant; add its document")
		return nil, problems.Err()
	}
	known := read.Known(options)
	own := r.known()
	device := known.Model
	known.Model = func(name string) (flow.DeviceModel, bool) {
		if m, ok := device(name); ok {
			return m, true
		}
		return own.Model(name)
	}
	var all []*document
	for _, d := range im.Deployments {
		all = append(all, &document{of: d.Name, deployment: d, models: im.Devices, services: im.Services, known: known, files: files})
	}
	return all, nil
}

// alone makes deployments of workflows that come without one: their devices are
// parameters, which whoever starts them has to give.
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
			problems.Add(at, "--thing %s=…: %s has no role %q%s", role, d.deployment.Name, role, flow.Suggest(role, roles))
		}
	}
	add(problems, "", d.deployment.Validate(d.known))
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
	all, err := r.read(s.Files, o)
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
