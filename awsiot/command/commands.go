package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pithings/conf/suggest"
	"pithings/device"
	"pithings/quietlog"
)

// Thing is a thing whose actions are commands.
type Thing struct {
	Name  string
	Model device.Model
	// Actor runs the actions. One that is a device.Reader, too, can be read.
	Actor device.Actor
}

// The types that are no actions of things.
const (
	Read        = "read"
	Reconfigure = "reconfigure"
	Restart     = "restart"
	Diagnose    = "diagnose"
)

// Own describes the types that are no actions of things, in the order of the documentation.
func Own() []OwnType {
	return []OwnType{
		{Read, map[string]device.ValueType{"thing": device.StringType}, "`events`: a list of `thing`, `event`, `values` and `at`; a thing that could not be read has `error`", "measure anew, all things or one; nothing is published on their topics"},
		{Reconfigure, map[string]device.ValueType{"config": device.ObjectType}, "`revision`: the number under which the settings are kept", "change the configuration, as far as it may be changed from afar: keys as in a configuration, things by their names; null takes a change back"},
		{Restart, nil, "", "end the agent once the answer is delivered; the service manager starts it again"},
		{Diagnose, nil, "doctor's report and the end of the log", "look for what is wrong"},
	}
}

// OwnType is a type that is no action of a thing.
type OwnType struct {
	Name   string
	Params map[string]device.ValueType
	Result string // in words
	Doc    string // what it does, as a verb
}

// work is a command that has been checked.
type work struct {
	lane     string // of work that is done one at a time; "": any number
	harmless bool   // it changes nothing, so that it may run twice
	run      func(ctx context.Context) (device.Values, error)
	then     func() // after the answer is delivered
}

// resolve finds what a request asks for, and checks its parameters.
func (s *Service) resolve(r *request) (w work, err error) {
	var known []string
	for _, o := range Own() {
		if o.Name != r.kind {
			known = append(known, o.Name)
			continue
		}
		args, err := arguments(device.ActionModel{Params: o.Params}, r.params)
		if err != nil {
			return w, err
		}
		return s.own(r.kind, args)
	}
	name, action, _ := strings.Cut(r.kind, "/")
	for _, t := range s.o.Things() {
		model, ok := t.Model.Action(action)
		switch {
		case t.Name != name:
			for a := range t.Model.Actions {
				known = append(known, t.Name+"/"+a)
			}
			continue
		case !ok:
			known = known[:0]
			for a := range t.Model.Actions {
				known = append(known, t.Name+"/"+a)
			}
			if len(known) == 0 {
				return w, fault(UnknownType, "thing %s has no actions", name)
			}
			return w, fault(UnknownType, "thing %s has no action %q%s", name, quietlog.Short(action), from(action, known))
		case t.Actor == nil:
			return w, fault(NotAvailable, "thing %s is not here", name)
		}
		args, err := arguments(model, r.params)
		if err != nil {
			return w, err
		}
		return work{lane: "thing " + name, run: func(ctx context.Context) (device.Values, error) {
			return t.Actor.Call(ctx, action, args)
		}}, nil
	}
	return w, fault(UnknownType, "there is no type %q%s", quietlog.Short(r.kind), from(r.kind, known))
}

// listens reports whether a thing takes commands on a topic. An answer there would be one.
func listens(things []Thing, name string) bool {
	for _, t := range things {
		for _, a := range t.Model.Actions {
			if strings.ReplaceAll(a.Topic, "{thing}", t.Name) == name {
				return true
			}
		}
	}
	return false
}

// own is the work of a type that is no action of a thing.
func (s *Service) own(kind string, args device.Values) (work, error) {
	w := work{lane: kind}
	switch {
	case kind == Read:
		name, _ := args["thing"].(string)
		things, err := s.readers(name)
		return work{harmless: true, run: func(ctx context.Context) (device.Values, error) { return s.read(ctx, things, name != "") }}, err
	case kind == Reconfigure && s.o.Reconfigure != nil:
		config, given := args["config"].(device.Values)
		if !given {
			return w, fault(InvalidParameters, "it has no config, an object with the keys to change")
		}
		var apply func()
		w.run = func(ctx context.Context) (result device.Values, err error) {
			result, apply, err = s.o.Reconfigure(ctx, config)
			return result, err
		}
		w.then = func() { apply() }
	case kind == Restart && s.o.Restart != nil:
		w.run = func(context.Context) (device.Values, error) { return nil, nil }
		w.then = s.o.Restart
	case kind == Diagnose && s.o.Diagnose != nil:
		w.harmless = true
		w.run = s.o.Diagnose
	default:
		return w, fault(NotAvailable, "this agent does not offer %s", kind)
	}
	return w, nil
}

// readers are the things that can be read, or the one of a name.
func (s *Service) readers(name string) (all []Thing, err error) {
	var known []string
	for _, t := range s.o.Things() {
		_, can := t.Actor.(device.Reader)
		if can && (name == "" || t.Name == name) {
			all = append(all, t)
		} else if can {
			known = append(known, t.Name)
		}
	}
	if name != "" && len(all) == 0 {
		return nil, fault(InvalidParameters, "there is no thing %q that can be read%s", quietlog.Short(name), from(name, known))
	}
	return all, nil
}

// reading is an event of a thing that was read.
type reading struct {
	Thing  string        `json:"thing"`
	Event  string        `json:"event,omitempty"`
	At     *time.Time    `json:"at,omitempty"` // when the measurement began; left out while the clock is not known
	Values device.Values `json:"values,omitempty"`
	Error  string        `json:"error,omitempty"`
}

// read measures things one after the other. If it is one alone, its error is that of the
// command.
func (s *Service) read(ctx context.Context, things []Thing, one bool) (device.Values, error) {
	events := []reading{}
	for _, t := range things {
		found, err := t.Actor.(device.Reader).Read(ctx)
		if err != nil {
			if one || ctx.Err() != nil {
				return nil, fmt.Errorf("thing %s: %w", t.Name, err)
			}
			events = append(events, reading{Thing: t.Name, Error: quietlog.OneLine(err.Error())})
		}
		for _, e := range found {
			r := reading{Thing: t.Name, Event: e.Name, Values: e.Values}
			if !e.At.IsZero() && s.o.Clock.KnownAt(e.At) {
				at := e.At.UTC().Truncate(time.Millisecond)
				r.At = &at
			}
			events = append(events, r)
		}
	}
	return device.Values{"events": events}, nil
}

// from ends a message about an unknown name, in the order of the alphabet.
func from(name string, known []string) string {
	return suggest.From(name, sorted(known))
}

// timedOut is the error of a command that has ended because its time was over.
func timedOut(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errTimeUp) {
		return fault(TimedOut, "%w: %w", errTimeUp, err)
	}
	if err != nil && ctx.Err() != nil {
		return fault(Interrupted, "the agent ended while this command ran; it may have had its effect: %w", err)
	}
	return err
}
