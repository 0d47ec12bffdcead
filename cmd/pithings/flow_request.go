package main

import (
	"io"
	"strings"

	"github.com/spf13/pflag"

	"pithings/flowhost"
)

// deployFlags are those of commands that read flows from files.
type deployFlags struct {
	name, carrier, shared string
	things, services      []string
}

func (d *deployFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&d.things, "thing", nil, "ROLE=THING: which thing plays a role; may be given several times")
	f.StringArrayVar(&d.services, "service", nil, "SERVICE=URL: a URL of your own for a web service that ran at AWS; may be given several times")
}

func (d *deployFlags) addAll(f *pflag.FlagSet) {
	d.add(f)
	f.StringVar(&d.name, "name", "", "name of the deployment, instead of its own")
	f.StringVar(&d.carrier, "carrier", "", "how all things are reached: auto (within the process if they are there), local or broker; default: as the file says, else auto")
	f.StringVar(&d.shared, "shared", "", "group of engines that share the events, so that each event is handled by one of them")
}

// request reads the files; - is standard input.
func (d *deployFlags) request(paths []string, stdin io.Reader) (r flowhost.DeployRequest, err error) {
	if r.Options, err = d.options(); err != nil {
		return r, err
	}
	read := false
	for _, p := range paths {
		var f flowhost.File
		if p == "-" {
			if read {
				return r, usagef("- is standard input, which can be read once")
			}
			read = true
			f, err = flowhost.ReadInput(stdin)
		} else {
			f, err = flowhost.ReadFile(p)
		}
		if err != nil {
			return r, err
		}
		r.Files = append(r.Files, f)
	}
	return r, nil
}

func (d *deployFlags) options() (flowhost.Options, error) {
	o := flowhost.Options{Name: d.name, Carrier: d.carrier, Shared: d.shared}
	switch d.carrier {
	case "", "auto", "local", "broker":
	default:
		return o, usagef("--carrier %s: say auto, local or broker", d.carrier)
	}
	var err error
	if o.Things, err = pairs("--thing", "ROLE=THING", d.things); err != nil {
		return o, err
	}
	o.Services, err = pairs("--service", "SERVICE=URL", d.services)
	return o, err
}

func pairs(flag, form string, list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, one := range list {
		key, value, ok := strings.Cut(one, "=")
		if !ok || key == "" || value == "" {
			return nil, usagef("%s %s: write %s", flag, one, form)
		}
		m[key] = value
	}
	return m, nil
}
