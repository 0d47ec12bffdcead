package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"pithings/mqttlink/outbox"
	"pithings/spool/control"
	"pithings/spool/pub"
	"pithings/spool/queue"
	"pithings/spool/state"
	"pithings/things"
)

type queueOptions struct {
	config, state string
	dir           string // the state folder that was opened
}

// open returns the queues of the state folder, which is not made, or of the agent that is
// meant, a client of their owner, and where they are.
func (q *queueOptions) open(c *cobra.Command) (all []state.Queue, owner *control.Client, where string, err error) {
	cfg, err := (&queueConn{config: q.config, state: q.state}).load(c)
	if err != nil {
		return nil, nil, "", err
	}
	t, err := find(c.Context(), control.UsualPlaces(), cfg, q.config, nil)
	if err != nil {
		return nil, nil, "", err
	}
	q.dir = t.dir
	if t.say(c.ErrOrStderr()); t.agent != nil {
		q.dir = t.agent.State
		t.sayBacklog(c.ErrOrStderr())
		owner = control.NewClient(t.agent.Socket)
		all, err = queuesOf(c.Context(), owner)
		return all, owner, t.agent.String(), err
	}
	if _, err := os.Stat(t.dir); err != nil {
		hint := t.unreached()
		if hint == "" {
			hint = "name another with --state DIR"
		}
		return nil, nil, "", fmt.Errorf("state folder: %w; %s", err, hint)
	}
	if note := t.unreached(); note != "" {
		fmt.Fprintln(c.ErrOrStderr(), "pithings:", note)
	}
	s := state.Folder{Dir: t.dir}
	all, err = s.Queues()
	return all, control.NewClient(s.Socket()), t.dir, err
}

// queuesOf asks an agent for its queues. Their files are not for this user.
func queuesOf(ctx context.Context, owner *control.Client) (all []state.Queue, err error) {
	connections, err := pub.Connections(ctx, owner)
	for _, one := range connections {
		all = append(all, state.Queue{ClientID: one.ClientID})
	}
	return all, err
}

// each calls f for the outbox of that client id, or for all.
func (q *queueOptions) each(c *cobra.Command, ids []string, f func(state.Queue, queue.Source) error) error {
	all, client, where, err := q.open(c)
	if err != nil {
		return err
	}
	defer client.Close()
	found := false
	var names []string
	for _, one := range all {
		names = append(names, one.ClientID)
		if len(ids) > 0 && one.ClientID != ids[0] {
			continue
		}
		found = true
		if err := f(one, queue.OpenSource(one.Dir, one.ClientID, client)); err != nil {
			return fmt.Errorf("queue of %s: %w", one.ClientID, err)
		}
	}
	if len(ids) > 0 && !found {
		there := "there are " + strings.Join(names, ", ")
		if len(names) == 0 {
			there = "nothing has been queued there"
		}
		return fmt.Errorf("there is no queue of a client %q in %s; %s", ids[0], where, there)
	}
	return nil
}

// noteCopied reports the queue of another machine, whose card this one's is a copy of.
func (q *queueOptions) noteCopied(c *cobra.Command) {
	of := state.Folder{Dir: q.dir}
	for _, one := range of.CopiedQueues() {
		fmt.Fprintln(c.ErrOrStderr(), "pithings:", copiedNote(&of, one))
	}
}

// copiedNote is what to know about such a queue.
func copiedNote(of *state.Folder, one state.Queue) string {
	stats, err := outbox.Read(one.Dir, nil)
	if err != nil {
		return fmt.Sprintf("the queue of another machine (%s), whose card was copied, is in %s: %v", things.Escape(one.ClientID), one.Dir, err)
	}
	return fmt.Sprintf("%d messages of another machine (%s), whose card was copied, are in %s and are not sent from here; that machine sends them. "+
		"If it does not run any more: pithings pub --drain --state %s -e BROKER; else rm -r %s", stats.Messages, things.Escape(one.ClientID), of.Copied(), of.Copied(), of.Copied())
}
