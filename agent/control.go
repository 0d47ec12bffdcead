package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pithings/agent/control"
	"pithings/agent/pub"
	"pithings/agent/queue"
	"pithings/mqttlink"
)

// controlRetry is how often it is tried to make the socket that could not be made.
const controlRetry = 2 * time.Second

// listenControl makes the socket for other processes, if this one owns the state
// folder. Without it the agent does all else.
func (a *Agent) listenControl() error {
	if len(a.queues.boxes) == 0 {
		return nil
	}
	s, err := control.Listen(a.state.Socket(), a.log)
	if err != nil {
		return err
	}
	pub.Serve(s, a.desk)
	pub.ServeConnections(s, a.connections)
	queue.Serve(s, a.queues.of)
	if a.flows != nil {
		a.flows.Serve(s)
	}
	a.control = s
	return nil
}

// runControl serves other processes until ctx is done. On a disk that cannot be written
// there is no socket until it can.
func (a *Agent) runControl(ctx context.Context) {
	for a.control == nil && len(a.queues.boxes) > 0 {
		select { // nothing tells
		case <-time.After(controlRetry):
		case <-ctx.Done():
			return
		}
		if a.listenControl() == nil {
			a.log.Info("other processes on this host can hand messages over now")
		}
	}
	if a.control == nil {
		return
	}
	if err := a.control.Run(ctx); err != nil {
		a.log.Error("other processes cannot reach this one any more", "err", err)
	}
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
	switch {
	case link != nil:
	case len(l.names) == 0:
		return pub.Desk{}, fmt.Errorf("the running pithings has no connection %q, only the one that all its things share: leave --connection out", name)
	default:
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
