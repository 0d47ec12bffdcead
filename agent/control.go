package agent

import (
	"fmt"
	"strings"

	"pithings/agent/control"
	"pithings/agent/pub"
	"pithings/agent/queue"
	"pithings/mqttlink"
)

// listenControl makes the socket for other processes, if this one owns the state
// folder. Without it the agent does all else.
func (a *Agent) listenControl() {
	if len(a.queues.boxes) == 0 {
		return
	}
	s, err := control.Listen(a.state.Socket(), a.log)
	if err != nil {
		a.log.Warn("other processes on this host cannot hand messages over to this one", "err", err)
		return
	}
	pub.Serve(s, a.desk)
	pub.ServeConnections(s, a.connections)
	queue.Serve(s, a.queues.of)
	a.control = s
}

// desk is where others hand messages over for a connection; "" is the shared one,
// or the only one.
func (a *Agent) desk(name string) (pub.Desk, error) {
	l := a.links
	if name == "" && l.shared == nil && len(l.names) == 1 {
		name = l.names[0]
	}
	link := l.shared
	if name != "" {
		link = l.own[name]
	}
	if link == nil {
		return pub.Desk{}, fmt.Errorf("the running pithings has no connection %q: name one of its things with a connection of their own with --connection: %s", name, strings.Join(l.names, ", "))
	}
	return pub.Desk{Link: link, Box: a.queues.boxes[name]}, nil
}

// connections tells others of all connections.
func (a *Agent) connections() []pub.Connection {
	var all []pub.Connection
	a.links.all(func(name string, link *mqttlink.Link) { all = append(all, pub.ConnectionOf(name, link)) })
	return all
}
