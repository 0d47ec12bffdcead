package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"pithings/agent/config"
	"pithings/api"
	"pithings/awsiot/shadow"
)

// shadows is what keeps the device shadows: the classic one of this device, and one for each
// thing under its name.
type shadows struct {
	links *links
	agent *Agent

	quarantine *quarantine
}

// settings are those of optional: which things there are is all that the service has to be made
// anew for.
func (s shadows) settings(c *config.Config) (any, bool) {
	all := struct {
		shadow.Section
		names []string
	}{Section: c.AWSIoT.Shadow}
	for i := range c.Things {
		all.names = append(all.names, c.Things[i].Name)
	}
	return all, all.Enabled
}

func (shadows) selective() {}

func (s shadows) open(c *config.Config, log *slog.Logger) (opened, error) {
	d := &deviceShadows{shadows: s, log: log, without: map[string]shadow.Status{}, left: map[string]string{}}
	list := []shadow.Shadow{{Settings: shadow.SettingsFunc(d.device), Connected: true}}
	for i := range c.Things {
		name := c.Things[i].Name
		if !c.AWSIoT.Shadow.Things {
			break
		}
		err := shadow.CheckName(name)
		if err == nil && len(list) == shadow.MaxShadows {
			err = fmt.Errorf("a device has at most %d shadows", shadow.MaxShadows)
		}
		if err != nil {
			d.without[name] = shadow.Status{State: none, Problem: err.Error()}
			log.Warn("thing has no shadow", "thing", name, "err", err)
			continue
		}
		list = append(list, shadow.Shadow{Name: name, Settings: shadow.SettingsFunc(func(ctx context.Context, desired map[string]any) shadow.Outcome {
			return d.thing(ctx, name, desired)
		})})
	}
	link, id := s.links.managing()
	var err error
	if d.Service, err = shadow.New(shadow.Options{Link: link, Thing: id, Shadows: list, Log: log}); err != nil {
		return nil, err
	}
	return d, d.Report("", map[string]any{"version": s.agent.o.Version})
}

// none is the state of a shadow that there cannot be.
const none shadow.State = "none"

// deviceShadows are the shadows while they are on.
type deviceShadows struct {
	shadows
	*shadow.Service
	log     *slog.Logger
	without map[string]shadow.Status // things that can have none

	mu   sync.Mutex
	left map[string]string // what had no room in a shadow, by its name, as it was logged
}

// Reconfigured implements reconfigured: what is in effect has changed, and what was taken back.
func (d *deviceShadows) Reconfigured() { d.Again() }

// Health implements HealthReporter.
func (d *deviceShadows) Health(add func(key string, value any)) {
	all := d.Status()
	maps.Copy(all, d.without)
	add("shadow", all)
}

// Collect implements Collector.
func (d *deviceShadows) Collect(m *api.Metrics) {
	all := d.Status()
	m.Family("pithings_shadow_in_step", "gauge", "Whether all that is to be reported is in a shadow; that of the device itself has no name.")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m.Sample(api.Bool(all[name].State == shadow.InStep), "shadow", name)
	}
}

// Keys of the device's own shadow beside the settings.
const (
	debugKey      = "debug"      // whether log.level is debug
	quarantineKey = "quarantine" // see quarantine
)

// device applies what is desired in the device's own shadow.
func (d *deviceShadows) device(ctx context.Context, desired map[string]any) shadow.Outcome {
	state, err := plain(desired)
	if err != nil {
		return shadow.Outcome{Rejected: map[string]string{"": err.Error()}}
	}
	wrong := map[string]string{}
	quarantine, err := parseSwitch(state, quarantineKey) // before all else
	if err == nil {
		err = d.quarantine.set(quarantine.on)
	}
	if err != nil {
		wrong[quarantineKey] = err.Error()
	}
	debug, err := parseSwitch(state, debugKey)
	if err != nil {
		wrong[debugKey] = err.Error()
	}
	logs, isObject := state["log"].(map[string]any)
	_, own := logs["level"]
	if debug.on && (isObject || state["log"] == nil) {
		state["log"] = put(logs, []string{"level"}, "debug")
	}
	rejected := d.lay(ctx, &desire{state: state})
	for _, key := range []string{"log.level", "log"} { // "log" if all is rejected
		if why, no := rejected[key]; no && debug.on && !own {
			delete(rejected, key)
			wrong[debugKey] = why
		}
	}
	maps.Copy(rejected, wrong)
	c := d.agent.current()
	keys := c.OwnKeys()
	reported := keys.Afar()
	keys.As(reported, state)
	reported[debugKey] = debug.as(c.Log.Level == "debug")
	reported[quarantineKey] = quarantine.as(d.quarantine.on())
	return d.outcome("", desired, reported, rejected, debugKey, quarantineKey)
}

// thing applies what is desired in the shadow of a thing.
func (d *deviceShadows) thing(ctx context.Context, name string, desired map[string]any) shadow.Outcome {
	state, err := plain(desired)
	if err != nil {
		return shadow.Outcome{Rejected: map[string]string{"": err.Error()}}
	}
	rejected := d.lay(ctx, &desire{shadow: name, within: []string{"things", name}, state: state})
	reported := map[string]any{}
	if t := d.agent.current().Thing(name); t != nil {
		reported = t.Keys().Afar()
		t.Keys().As(reported, state)
	}
	return d.outcome(name, desired, reported, rejected)
}

// lay has the settings accepted, and begins to apply them.
func (d *deviceShadows) lay(ctx context.Context, w *desire) (rejected map[string]string) {
	rejected, apply, err := w.accept(ctx, d.agent)
	if err != nil {
		rejected = w.all(err)
		if ctx.Err() == nil {
			d.log.Error("desired settings cannot be kept", "shadow", w.shadow, "err", err)
		}
	}
	if rejected == nil {
		rejected = map[string]string{}
	}
	if apply != nil {
		apply()
	}
	return rejected
}

// outcome is what is to be reported, as far as it has room.
func (d *deviceShadows) outcome(name string, desired, reported map[string]any, rejected map[string]string, keep ...string) shadow.Outcome {
	o := shadow.Outcome{Reported: reported, Rejected: rejected}
	left := strings.Join(o.Fit(desired, keep...), ", ")
	d.leave(name, left)
	return o
}

// leave logs what has no room in a shadow, when that changes.
func (d *deviceShadows) leave(name, left string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if left != "" && left != d.left[name] {
		d.log.Warn("settings have no room in the shadow and are not reported", "shadow", name, "keys", left, "limit", shadow.MaxDocument)
	}
	d.left[name] = left
}

// onOff is a value of a shadow that is on or off.
type onOff struct {
	on   bool
	text bool // it was desired as "on" or "off", and not as true or false
}

// parseSwitch takes such a value out of a desired state. One that is not there is off.
func parseSwitch(state map[string]any, key string) (onOff, error) {
	v, there := state[key]
	delete(state, key)
	switch v := v.(type) {
	case bool:
		return onOff{on: v}, nil
	case string:
		if v == "on" || v == "off" {
			return onOff{on: v == "on", text: true}, nil
		}
	case nil:
		if !there {
			return onOff{text: key == debugKey}, nil
		}
	}
	return onOff{}, fmt.Errorf("give true or false, or on or off, and not %v", v)
}

// as is how a state is reported, so that it is equal to what was desired.
func (s onOff) as(on bool) any {
	switch {
	case !s.text:
		return on
	case on:
		return "on"
	}
	return "off"
}
