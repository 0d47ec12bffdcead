package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/api"
	"pithings/spool/control"
)

// A reload makes another configuration the one that runs. What is the same stays: a
// connection with the same options stays connected, and a thing with the same keys on it
// keeps working. What differs is ended in the order in which an agent ends, flows, things,
// connections, and made anew in the order in which it begins. Outboxes are closed and
// opened with their connections, so that nothing is lost and the order stays.
//
// Run's goroutine does it, so that a reload and the end cannot meet.

// reload is a request for one, which do does.
type reload struct {
	do   func() (Reloaded, error)
	done chan<- reloaded
}

type reloaded struct {
	Reloaded
	err error
}

// ErrNoReload reports that an agent cannot be reloaded.
var ErrNoReload = errors.New("this agent has no configuration file: start it again instead")

// Reload reads the configuration again and makes it the one that runs. If that is wrong,
// the old one stays.
func (a *Agent) Reload(ctx context.Context) (Reloaded, error) {
	return a.turn(ctx, func() (Reloaded, error) {
		did, err := a.reload()
		if err == nil {
			a.prove(did.Connections) // of settings from afar that it has read before their turn
		}
		return did, err
	})
}

// turn has Run's goroutine call do.
func (a *Agent) turn(ctx context.Context, do func() (Reloaded, error)) (Reloaded, error) {
	done, err := a.ask(ctx, do)
	if err != nil {
		return Reloaded{}, err
	}
	select {
	case r := <-done:
		return r.Reloaded, r.err
	case <-ctx.Done():
		return Reloaded{}, ctx.Err()
	}
}

// ask has Run's goroutine call do. Unless there is an error, it does so now, and done gets the
// result.
func (a *Agent) ask(ctx context.Context, do func() (Reloaded, error)) (<-chan reloaded, error) {
	done := make(chan reloaded, 1)
	select {
	case a.reloads <- reload{do, done}:
		return done, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// takeReloads does reloads until ctx is done.
func (a *Agent) takeReloads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-a.reloads:
			did, err := r.do()
			r.done <- reloaded{did, err}
		}
	}
}

func (a *Agent) reload() (Reloaded, error) {
	if a.o.Load == nil {
		return Reloaded{}, ErrNoReload
	}
	if a.o.Reloading != nil {
		defer a.o.Reloading()()
	}
	next, warnings, err := a.o.Load(config.Accepted(a.stateOf))
	for _, w := range warnings {
		a.log.Warn("configuration has a warning", "warning", w.Message, "at", fmt.Sprintf("%s:%d", w.Source, w.Line))
	}
	if err != nil {
		a.log.Error("configuration is wrong: the one before stays", "err", err)
		return Reloaded{}, err
	}
	return a.replace(next)
}

// replace makes next the configuration that runs. If it cannot be applied, the one before
// comes back.
func (a *Agent) replace(next *config.Config) (Reloaded, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	before := a.config
	restart := keepFixed(before, next)
	ch, err := planned(a.services, before, next)
	if err != nil { // it may be a file that the one before needs, too
		a.log.Error("configuration cannot be applied: the one before stays", "err", err)
		return Reloaded{}, err
	}
	did, err := a.become(ch)
	if err != nil {
		a.log.Error("configuration cannot be applied: the one before comes back", "err", err)
		ch, again := planned(a.services, a.config, before)
		if again == nil {
			_, again = a.become(ch)
		}
		if again != nil {
			a.fail(fmt.Errorf("reload: %w", again))
		}
		return Reloaded{}, err
	}
	did.Restart = restart
	defer a.reloaded.emit(did)
	a.log.Info("configuration reloaded", "connections", did.Connections, "things", did.Things, "flows", did.Flows, "gateway", did.Gateway)
	if len(restart) > 0 {
		a.log.Warn("some changes take effect at the next start", "keys", restart)
	}
	return did, nil
}

// fixed are the keys that hold for a whole run.
var fixed = []string{"state", "clock", "broker", "http.listen", "http.tls", "http.max_connections", "http.playground", "pictures", "log.format"}

// keepFixed gives next what holds for the whole run, and returns the keys that differ.
func keepFixed(before, next *config.Config) (differ []string) {
	was := map[string]string{}
	for _, v := range before.Values() {
		was[v.Path] = string(v.Value)
	}
	for _, v := range next.Values() {
		if isFixed(v.Path) && was[v.Path] != string(v.Value) {
			differ = append(differ, v.Path)
		}
	}
	if !reflect.DeepEqual(before.Broker, next.Broker) && !slices.ContainsFunc(differ, func(k string) bool { return strings.HasPrefix(k, "broker.") }) {
		differ = append(differ, "broker.users") // a secret, or fewer of them
	}
	next.State, next.Clock, next.Broker, next.Pictures = before.State, before.Clock, before.Broker, before.Pictures
	next.HTTP.Listen, next.HTTP.MaxConnections, next.Log.Format = before.HTTP.Listen, before.HTTP.MaxConnections, before.Log.Format
	next.HTTP.Playground, next.HTTP.TLS = before.HTTP.Playground, before.HTTP.TLS
	return differ
}

func isFixed(path string) bool {
	return slices.ContainsFunc(fixed, func(f string) bool {
		rest, ok := strings.CutPrefix(path, f)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// planned compares another configuration with the one that runs, and changes nothing.
func planned(services []registered, before, next *config.Config) (*change, error) {
	ch := &change{before: before, next: next}
	for _, s := range reloadables(services) {
		if err := s.plan(ch); err != nil {
			return nil, err
		}
	}
	return ch, nil
}

// reloadables are the services that take another configuration.
func reloadables(services []registered) (all []reloadable) {
	for _, s := range services {
		if s.reload != nil {
			all = append(all, s.reload)
		}
	}
	return all
}

// become makes what is planned the configuration that runs, whatever runs.
func (a *Agent) become(ch *change) (Reloaded, error) {
	all := reloadables(a.services)
	for _, s := range slices.Backward(all) {
		s.leave(ch)
	}
	a.setConfig(ch.next)
	if a.o.Level != nil {
		_ = a.o.Level.UnmarshalText([]byte(ch.next.Log.Level)) // it has been checked
	}
	for _, s := range all {
		if err := s.take(ch); err != nil {
			return ch.Reloaded, err
		}
	}
	return ch.Reloaded, nil
}

// reloadPath is where other processes ask for a reload.
const reloadPath = "/api/v1/reload"

func (a *Agent) reloadRoute() api.Route {
	return api.Route{Method: http.MethodPost, Path: reloadPath, For: api.Owner, Doc: "reload its configuration", Gives: Reloaded{},
		Handler: api.JSON(func(r *http.Request) (any, error) { return a.Reload(r.Context()) })}
}

// AskReload asks an agent to read its configuration again.
func AskReload(ctx context.Context, c *control.Client) (did Reloaded, err error) {
	err = c.Do(ctx, http.MethodPost, reloadPath, nil, &did)
	return did, err
}
