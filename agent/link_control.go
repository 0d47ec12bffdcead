package agent

import (
	"fmt"
	"strings"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/spool/pub"
	"pithings/spool/queue"
)

// Routes implements Router: messages of other processes, the connections and the queues.
func (l *links) Routes() (all []api.Route) {
	all = append(all, pub.Routes(l.desk)...)
	all = append(all, pub.ConnectionRoutes(l.connections)...)
	all = append(all, queue.Routes(l.box, l.folder.QueueDir)...)
	return append(all, queue.DeadLetterRoutes(l.ofClient)...)
}

// ofClient returns the connection of a client id.
func (l *links) ofClient(id string) (c queue.Connection, found bool) {
	l.changing.RLock()
	defer l.changing.RUnlock()
	l.all(func(name string, link *mqttlink.Link) {
		if box := l.queues.box(name); box != nil && link.ClientID() == id {
			c, found = queue.Connection{Letters: l.queues.letters(name), Link: link, Sync: box.Sync}, true
		}
	})
	return c, found
}

// box returns the outbox of a client id, or nil.
func (l *links) box(id string) (box outbox.Box) {
	l.changing.RLock()
	defer l.changing.RUnlock()
	l.all(func(name string, link *mqttlink.Link) {
		if b := l.queues.box(name); b != nil && link.ClientID() == id {
			box = b
		}
	})
	return box
}

// desk is where others hand messages over for a connection; "" is the shared one,
// or the only one.
func (l *links) desk(name string) (pub.Desk, error) {
	l.changing.RLock()
	defer l.changing.RUnlock()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if name == "" && l.shared == nil && len(l.names) == 1 {
		name = l.names[0]
	}
	link := l.shared
	if name != "" {
		link = l.own[name]
	}
	switch {
	case link != nil:
	case len(l.names) == 0:
		return pub.Desk{}, fmt.Errorf("the running pithings has no connection %q, only the one that all its things share: leave --connection out", name)
	default:
		return pub.Desk{}, fmt.Errorf("the running pithings has no connection %q: name one of its things with a connection of their own with --connection: %s", name, strings.Join(l.names, ", "))
	}
	return pub.Desk{Link: link, Box: l.queues.box(name)}, nil
}

// connections describes all connections for other processes.
func (l *links) connections() []pub.Connection {
	l.changing.RLock()
	defer l.changing.RUnlock()
	var all []pub.Connection
	l.all(func(name string, link *mqttlink.Link) { all = append(all, pub.ConnectionOf(name, link)) })
	return all
}
