package config

import (
	"fmt"
	"slices"

	"pithings/conf"
	"pithings/spool/accepted"
)

// Layer is settings that were accepted from afar. They stand over the file, and under the
// environment and the command line.
type Layer struct {
	Source string // the file that they are in
	// Data is that file: a mapping whose key settings has the settings, written as in a
	// configuration, but things are a mapping by their names: {"things": {"TG_BME": {"interval": "10s"}}}.
	Data []byte
	// Candidate says that they are to be accepted only now: what does not count is a
	// problem then, and not a warning.
	Candidate bool
	Err       error // what is wrong with the settings as a whole
	// Connections are brokers with their secrets, by the names of things; "" is the shared one.
	Connections map[string]accepted.Connection
}

// Over returns the layer over a configuration of which state and all else but things is known,
// and whose file is data; nil is that there is none. Warnings say why.
type Over func(c *Config, data []byte) (*Layer, []conf.Warning)

// LoadWith is Load with layers under and over the file. One over it with problems that is no
// candidate is left out with a warning: what was accepted by another version of the program
// must not keep this one from starting.
func LoadWith(path string, env []string, with With) (*Config, []conf.Warning, error) {
	d := loading(path, env, with)
	c, warnings, err := d.load(path, env, with.Mock)
	if err == nil || d.layer == nil || d.layer.Candidate {
		return c, warnings, err
	}
	with.Over = nil
	c, warnings, alone := loading(path, env, with).load(path, env, with.Mock)
	if alone != nil {
		return nil, warnings, alone // the file itself is wrong
	}
	return c, append(warnings, conf.Warning{Source: d.layer.Layer.Source, Message: "these accepted settings do not fit and are left out", Fix: err.Error() +
		"; pithings config reset removes them for good"}), nil
}

// layerDecoder reads a layer over what another decoder has read. A nil one has nothing to do.
type layerDecoder struct {
	*decoder
	Layer
	of []conf.Entry // things
}

// takeLayer decodes the sections of the layer, if there is one.
func (d *decoder) takeLayer(c *Config, data []byte) {
	if d.over == nil {
		return
	}
	layer, warnings := d.over(c, data)
	d.Warnings = append(d.Warnings, warnings...)
	if layer == nil {
		return
	}
	l := &layerDecoder{decoder: newDecoder(layer.Source, conf.NewVariables(nil)), Layer: *layer} // no secret of the environment comes into a text from afar
	d.layer = l
	l.Over(&d.Places, layer.Candidate)
	if layer.Err != nil {
		l.Problems.Add(conf.Problem{Source: layer.Source, Message: layer.Err.Error()})
		return
	}
	doc := l.Document(layer.Data, "it needs settings")
	if doc == nil {
		return
	}
	file, _ := l.Entries(doc, "accepted settings")
	for _, f := range file {
		if f.Key != "settings" {
			continue
		}
		list, _ := l.Entries(f.Value, "settings")
		var rest []conf.Entry
		for _, e := range list {
			switch e.Key {
			case "things":
				l.of, _ = l.Entries(e.Value, "things")
			case "flows":
				l.Fail(e.At, "flows can be changed on the machine only, in its configuration file")
			default:
				rest = append(rest, e)
			}
		}
		l.sections(c, rest)
	}
}

// things decodes what the layer has of things.
func (l *layerDecoder) things(c *Config) {
	if l == nil {
		return
	}
	for _, e := range l.of {
		i := slices.IndexFunc(c.Things, func(t Thing) bool { return t.Name == e.Key && t.Type != "" })
		if i < 0 {
			l.Fail(e.At, "there is no thing %s", conf.Quote(e.Key))
			continue
		}
		list, _ := l.Entries(e.Value, "thing "+conf.Quote(e.Key))
		t := &c.Things[i]
		path := fmt.Sprintf("things[%d]", i)
		l.Call(path, "things."+t.Name)
		l.Fields(list, conf.Fields(t), path, "thing "+conf.Quote(e.Key), func(key string) string { return elsewhere(t.Type, key) })
		l.topicRoles(t, path, "thing "+conf.Quote(e.Key))
	}
}

// end hands what the layer has brought to the decoder of the file.
func (l *layerDecoder) end(d *decoder) {
	if l == nil {
		return
	}
	d.Places.Add(l.Places)
	d.Warnings = append(d.Warnings, l.Warnings...)
	for _, p := range l.Problems.Problems {
		d.Problems.Add(p)
	}
}
