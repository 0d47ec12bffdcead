package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/mqttlink/endpoint"
	"pithings/spool/control"
	"pithings/spool/pub"
)

// target is where a command works.
type target struct {
	dir   string         // the state folder that was named, or this user's
	agent *control.Agent // runs with another folder, and is talked with instead; nil: none does
	// denied says that a service runs which this user may not talk with; others are
	// agents of other users, which have to be named.
	denied bool
	others []control.Agent
}

// find chooses the agent that a command without a state folder means (docs/agent.md): the
// service first, then the one with the usual folder of this user, then the only one. A
// named folder or configuration means its own agent. keep says which agents may be
// meant at all; nil: every one.
func find(ctx context.Context, places control.Places, cfg *config.Config, file string, keep func(*control.Agent) bool) (t target, err error) {
	if t.dir, err = usualStateDir(cfg.State); err != nil {
		return t, err
	}
	agents, denied := places.Find(ctx)
	here := func(a control.Agent) bool { return sameFolder(a.State, t.dir) }
	named := cfg.State != "" || os.Getenv("STATE_DIRECTORY") != ""
	switch {
	case named:
		// Whoever may use the folder uses its socket; the agent may allow more.
		if i := slices.IndexFunc(agents, here); i >= 0 && !readable(t.dir) {
			t.agent = &agents[i]
		}
		return t, nil
	case file != "":
		i := slices.IndexFunc(agents, func(a control.Agent) bool { return a.Config == absolute(file) })
		if i >= 0 && !here(agents[i]) {
			t.agent = &agents[i]
		}
		return t, nil
	}
	t.denied = denied
	var ours []control.Agent
	for _, a := range agents {
		switch {
		case a.Other:
			t.others = append(t.others, a)
		case keep == nil || keep(&a):
			ours = append(ours, a)
		}
	}
	switch {
	case len(ours) > 0 && ours[0].Service:
		t.agent = &ours[0]
	case slices.ContainsFunc(ours, here) || len(ours) == 0:
	case len(ours) == 1:
		t.agent = &ours[0]
	default:
		return t, usageError{severalError(ours)}
	}
	if t.agent != nil && here(*t.agent) && readable(t.dir) {
		t.agent = nil
	}
	return t, nil
}

// severalError asks which agent is meant.
type severalError []control.Agent

func (e severalError) Error() string {
	var b strings.Builder
	b.WriteString("several agents run here; say which one with --state DIR:")
	for i := range e {
		fmt.Fprintf(&b, " %s;", &e[i])
	}
	return strings.TrimSuffix(b.String(), ";")
}

// sameFolder reports whether two paths are one folder. /var/lib/pithings of a unit with
// DynamicUser= is a link into /var/lib/private, which only root can follow.
func sameFolder(a, b string) bool {
	public := func(dir string) string {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		return strings.Replace(absolute(dir), "/var/lib/private/", "/var/lib/", 1)
	}
	return public(a) == public(b)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// readable reports whether this user can look into a folder.
func readable(dir string) bool {
	f, err := os.Open(dir)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// say names the agent that is talked with, if it is not the one of the folder that the
// user expects.
func (t *target) say(w io.Writer) {
	if t.agent != nil {
		fmt.Fprintf(w, "pithings: talking with %s\n", t.agent)
	}
}

// unreached returns which agents run that the command does not talk with; "" if none does.
func (t *target) unreached() string {
	switch {
	case t.denied:
		return control.ErrDenied.Error()
	case len(t.others) > 0:
		return "another user runs " + t.others[0].String() + ": name its folder with --state"
	}
	return ""
}

// connectsTo returns whether an agent has a connection to that broker, under that client
// id if one is given: who names a broker wants the message to go there.
func connectsTo(ctx context.Context, broker, id string) func(*control.Agent) bool {
	want, err := endpoint.Parse(broker)
	if err != nil {
		return nil // the link reports what is wrong with it
	}
	return func(a *control.Agent) bool {
		c := control.NewClient(a.Socket)
		defer c.Close()
		all, err := pub.Connections(ctx, c)
		return err == nil && slices.ContainsFunc(all, func(one pub.Connection) bool {
			return one.Endpoint == want.String() && (id == "" || id == one.ClientID)
		})
	}
}

// runningBroker returns the broker on this machine that the agent which is meant uses, if
// it is not the one at the usual port: that of run --mock, for instance, beside a
// mosquitto. "" if there is none, or it is not clear which.
func runningBroker(ctx context.Context, places control.Places, cfg *config.Config) (broker string, a *control.Agent) {
	agents, _ := places.Find(ctx)
	agents = slices.DeleteFunc(agents, func(a control.Agent) bool { return a.Other })
	t, err := find(ctx, places, cfg, "", nil)
	if err != nil {
		return "", nil
	}
	if a = t.agent; a == nil { // none, or the one of the usual folder
		i := slices.IndexFunc(agents, func(a control.Agent) bool { return sameFolder(a.State, t.dir) })
		if i < 0 {
			return "", nil
		}
		a = &agents[i]
	}
	client := control.NewClient(a.Socket)
	defer client.Close()
	all, err := pub.Connections(ctx, client)
	if err != nil {
		return "", nil
	}
	usual, _ := endpoint.Parse(localBroker)
	for _, one := range all {
		if one.Endpoint == usual.String() {
			return "", nil
		}
		u, err := url.Parse(one.Endpoint)
		if err != nil || u.Scheme != "mqtt" {
			continue
		}
		if ip := net.ParseIP(u.Hostname()); broker == "" && (ip.IsLoopback() || u.Hostname() == "localhost") {
			broker = one.Endpoint
		}
	}
	return broker, a
}

// findFor is find for commands that hand messages over.
func findFor(ctx context.Context, cfg *config.Config, file string) (target, error) {
	var keep func(*control.Agent) bool
	if cfg.MQTT.Endpoint != "" && file == "" {
		keep = connectsTo(ctx, cfg.MQTT.Endpoint, cfg.MQTT.ClientID)
	}
	t, err := find(ctx, control.UsualPlaces(), cfg, file, keep)
	var several severalError
	if keep != nil && errors.As(err, &several) { // it can be delivered without any
		return target{dir: t.dir}, nil
	}
	return t, err
}
