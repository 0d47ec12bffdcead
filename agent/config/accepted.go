package config

import (
	"pithings/conf"
	"pithings/spool/accepted"
)

// Accepted has the settings that were accepted from afar over a configuration: those in the
// state folder that state names; "" is that there is none.
func Accepted(state State) Over {
	return func(c *Config, file []byte) (*Layer, []conf.Warning) {
		dir := state(c)
		if dir == "" {
			return nil, nil
		}
		r, err := accepted.Newest(dir)
		switch {
		case err != nil:
			return nil, []conf.Warning{{Source: accepted.Folder(dir), Message: err.Error(), Fix: "pithings config reset puts it aside; until then the file counts alone"}}
		case r == nil || r.Empty():
			return nil, nil
		case r.Base != accepted.Sum(file):
			return nil, []conf.Warning{{Source: accepted.File(dir, r.Number), Message: "these settings were accepted over another state of the configuration file and count no more",
				Fix: "pithings config reset removes them, and this warning"}}
		}
		layer, err := layerOf(accepted.File(dir, r.Number), r)
		if err != nil {
			return nil, []conf.Warning{{Source: accepted.File(dir, r.Number), Message: err.Error()}}
		}
		return layer, nil
	}
}

// Candidate is changes to the settings from afar that are to be accepted.
type Candidate struct {
	State   string // the state folder
	From    string // who gives them
	Changes map[string]any
	// Connections are brokers with their secrets, as accepted.Revision.Connect takes them. Only
	// those give some who have asked for the secret anew.
	Connections map[string]*accepted.Connection
	// To, if not nil, is a revision whose settings take the place of all.
	To *accepted.Revision
	// Before is what was accepted before over the file, once the configuration was read with Over.
	Before accepted.Revision
	// Revision is what was accepted with the changes, once the configuration was read with Over.
	Revision accepted.Revision
}

// Over has the changes over a configuration, and what was accepted before.
func (k *Candidate) Over(_ *Config, file []byte) (*Layer, []conf.Warning) {
	fail := func(err error) (*Layer, []conf.Warning) {
		return &Layer{Source: k.From, Err: err, Candidate: true}, nil
	}
	newest, _ := accepted.Newest(k.State) // one that cannot be read does not count, as in Accepted
	k.Before = newest.Over(file)
	var err error
	if k.To != nil {
		k.Revision = k.Before.Again(k.From, k.To)
	} else if k.Revision, err = k.Before.With(k.From, k.Changes); err != nil {
		return fail(err)
	} else if len(k.Connections) > 0 {
		k.Revision = k.Revision.Connect(k.Connections)
	}
	layer, err := layerOf(k.From, &k.Revision)
	if err != nil {
		return fail(err)
	}
	layer.Candidate = true
	return layer, nil
}

func layerOf(source string, r *accepted.Revision) (*Layer, error) {
	data, err := r.Encode()
	if err != nil {
		return nil, err
	}
	return &Layer{Source: source, Data: data, Connections: r.Connections}, nil
}
