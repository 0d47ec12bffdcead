package main

import (
	"errors"
	"fmt"
	"io"

	"pithings/mqttlink/outbox"
	"pithings/spool/pub"
	"pithings/spool/state"
)

// sayBacklog prints how many messages are in the folder of this user, which the agent that is talked
// with does not have.
func (t *target) sayBacklog(w io.Writer) {
	if t.agent == nil {
		return
	}
	n := backlog(t.dir)
	if n == 0 {
		return
	}
	next := "pithings pub --drain hands them over"
	if simulated, err := (&state.Folder{Dir: t.dir}).Simulated(); err == nil && simulated != t.agent.Simulated {
		next = "pithings pub --drain --state " + t.dir + " -e BROKER delivers them"
	}
	fmt.Fprintf(w, "pithings: %d messages from before wait in %s; %s\n", n, t.dir, next)
}

// backlog counts the messages in a state folder; of what cannot be read none are known.
func backlog(dir string) (n int) {
	s := state.Folder{Dir: dir}
	queues, err := s.Queues()
	if err != nil {
		return 0
	}
	for _, one := range queues {
		if stats, err := outbox.Read(one.Dir, nil); err == nil {
			n += stats.Messages
		}
	}
	return n
}

// asideError is an error if there are dead letters.
func asideError(r pub.Rest) error {
	if r.DeadLetters == 0 {
		return nil
	}
	return &pub.DeadLetterError{N: r.DeadLetters, Dir: r.Dir}
}

// atTheEnd prints at the end of a command that publishes by itself what is left, and returns
// an error if messages were set aside, or are lost because the disk could not be written:
// they are not what was to be done. What is simulated is gone with its folder.
func atTheEnd(w io.Writer, r pub.Rest, next string, gone bool) error {
	var lost error
	if line := r.Gone(); line != "" && !gone {
		lost = errors.New(line)
	}
	switch line := r.String(); {
	case line == "":
	case gone:
		fmt.Fprintf(w, "pithings: %d messages were not delivered, and end with the simulation: %s\n", r.Left, r.Why)
	default:
		fmt.Fprintf(w, "pithings: %s; %s\n", line, next)
	}
	if gone && r.DeadLetters > 0 {
		return fmt.Errorf("%d messages were set aside, not delivered, and end with the simulation: the log says why", r.DeadLetters)
	}
	return errors.Join(lost, asideError(r))
}
