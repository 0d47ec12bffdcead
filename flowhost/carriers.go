package flowhost

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/mqttlink"
	"pithings/things"
)

// Thing is a thing of this process.
type Thing struct {
	Device device.Actor
	Looks  things.Description
}

// carriers are the ways to things: within the process, or through the broker.
// Deployments that use a thing in the same way share one.
type carriers struct {
	things map[string]Thing
	link   mqttlink.Client // nil without a connection for flows
	log    *slog.Logger

	mu      sync.Mutex
	remotes map[string]*remote
	used    map[string]*carrier // by thing, group and description
	held    map[*flow.Deployment][]*carrier
	shares  map[string]*share // by topic
	topics  map[*flow.Deployment][]string
}

// remote is a thing at the broker, while a deployment uses it.
type remote struct {
	*things.Remote
	users int
}

// carrier is a way to a thing.
type carrier struct {
	key    string
	thing  string
	users  int
	device device.Actor
	close  func()
}

// share is in which group an event at the broker is taken, and by whom.
type share struct {
	group string
	by    map[*flow.Deployment]bool
}

func newCarriers(own map[string]Thing, link mqttlink.Client, log *slog.Logger) *carriers {
	return &carriers{things: own, link: link, log: log, remotes: map[string]*remote{}, used: map[string]*carrier{},
		held: map[*flow.Deployment][]*carrier{}, shares: map[string]*share{}, topics: map[*flow.Deployment][]string{}}
}

// describe returns how a thing looks that plays a role. A thing of this process has
// its own topics, whatever model is named for it, as far as it has what is wanted.
func (c *carriers) describe(d *flow.Deployment, b flow.Binding, l library) (description, error) {
	if here, ok := c.things[b.Thing]; ok {
		found := own(here.Looks)
		if uses(d, b.Role).fits(found) {
			return found, nil
		}
		if b.Model == "" {
			u := uses(d, b.Role)
			return found, fmt.Errorf("thing %s is of type %s, which has not all of %s", b.Thing, here.Looks.Model.ID, list(append(u.events, u.actions...)))
		}
	}
	return l.describe(d, b)
}

// device returns what plays a role of a deployment, until the deployment is
// released.
func (c *carriers) device(d *flow.Deployment, b flow.Binding, l library) (device.Actor, error) {
	seen, err := c.describe(d, b, l)
	if err != nil {
		return nil, err
	}
	own, here := c.things[b.Thing]
	way := b.Carrier
	if way == flow.Auto {
		way = flow.Broker
		if here && d.Shared == "" {
			way = flow.Local
		}
	}
	switch {
	case way == flow.Local && !here:
		return nil, fmt.Errorf("thing %s is not here, so its carrier cannot be local", b.Thing)
	case way == flow.Local && d.Shared != "":
		return nil, fmt.Errorf("thing %s cannot be reached locally by a shared flow: all engines that share it have to hear of its events from the broker", b.Thing)
	case way == flow.Broker && c.link == nil:
		return nil, fmt.Errorf("thing %s is reached through the broker, and this process has no connection for flows, because each of its things has its own: add a flow to its configuration, or deploy it where pithings flow run runs", b.Thing)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if way == flow.Broker {
		if err := c.share(d, b, seen); err != nil {
			return nil, err
		}
	}
	qos := byte(1)
	if b.AtMostOnce {
		qos = 0
	}
	key := fmt.Sprint(way, "\x00", b.Thing, "\x00", d.Shared, "\x00", qos, seen.key)
	used := c.used[key]
	if used == nil {
		used = &carrier{key: key, thing: b.Thing, close: func() {}}
		if way == flow.Local {
			used.device = &local{own.Device, seen.model, func(values map[string]any) { c.foreign(b.Thing, values) }}
		} else if used.device, used.close, err = c.remote(b.Thing, seen.wire, d.Shared, qos); err != nil {
			return nil, err
		}
		c.used[key] = used
	}
	used.users++
	c.held[d] = append(c.held[d], used)
	return used.device, nil
}

// remote returns a thing at the broker under a description. The lock is held.
func (c *carriers) remote(thing string, m things.Model, group string, qos byte) (device.Actor, func(), error) {
	r := c.remotes[thing]
	if r == nil {
		r = &remote{Remote: things.NewRemote(thing, c.link, c.log)}
	}
	described, err := r.As(m, group, qos)
	if err != nil {
		return nil, nil, err
	}
	r.users++
	c.remotes[thing] = r
	return described, func() {
		described.Close()
		if r.users--; r.users == 0 {
			delete(c.remotes, thing)
		}
	}, nil
}

// foreign passes a thing's remote an answer that passes the broker but answers a
// call within the process.
func (c *carriers) foreign(thing string, values map[string]any) {
	c.mu.Lock()
	r := c.remotes[thing]
	c.mu.Unlock()
	if r != nil {
		r.Foreign(values)
	}
}

// share refuses to take the events of one topic both shared and alone, or in two
// groups: the broker does not say for which subscription it sends a message. The
// lock is held.
func (c *carriers) share(d *flow.Deployment, b flow.Binding, seen description) error {
	for _, event := range uses(d, b.Role).events {
		topic, _ := seen.wire.EventTopic(b.Thing, event)
		s := c.shares[topic]
		if s == nil {
			s = &share{group: d.Shared, by: map[*flow.Deployment]bool{}}
			c.shares[topic] = s
		}
		for other := range s.by {
			if s.group == d.Shared {
				break
			}
			if other.Name != d.Name {
				return fmt.Errorf("%s takes the events of %s %s, and %s %s; in one engine all have to do it alike: deploy one of them elsewhere, or with the same --shared",
					other.Name, b.Thing, groupName(s.group), d.Name, groupName(d.Shared))
			}
		}
		s.group = d.Shared // in the place of the one of the same name
		if !s.by[d] {
			s.by[d] = true
			c.topics[d] = append(c.topics[d], topic)
		}
	}
	return nil
}

func groupName(group string) string { return cmp.Or(group, "alone") }

// release releases what a deployment held.
func (c *carriers) release(d *flow.Deployment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, used := range c.held[d] {
		if used.users--; used.users == 0 {
			delete(c.used, used.key)
			used.close()
		}
	}
	delete(c.held, d)
	for _, topic := range c.topics[d] {
		s := c.shares[topic]
		if delete(s.by, d); len(s.by) == 0 {
			delete(c.shares, topic)
		}
	}
	delete(c.topics, d)
}

// stats counts what came from things at the broker and was of no use, by thing.
func (c *carriers) stats() map[string]things.RemoteStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := map[string]things.RemoteStats{}
	for thing, r := range c.remotes {
		if s := r.Stats(); s != (things.RemoteStats{}) {
			m[thing] = s
		}
	}
	return m
}

// local is a thing of this process as a flow uses it: with the arguments that its
// model has.
type local struct {
	device device.Actor
	model  device.Model
	pass   func(answer map[string]any)
}

// Watch implements device.Actor.
func (l *local) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	return l.device.Watch(event, fn)
}

// Call implements device.Actor.
func (l *local) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	if a, ok := l.model.Action(action); ok && !a.IsText() {
		var err error
		if input, err = flow.RequestPayload(a, input); err != nil {
			return nil, err
		}
	}
	answer, err := l.device.Call(ctx, action, input)
	if answer != nil {
		l.pass(answer)
	}
	return answer, err
}

func list(names []string) string {
	slices.Sort(names)
	return fmt.Sprint(slices.Compact(names))
}
