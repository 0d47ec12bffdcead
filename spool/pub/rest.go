package pub

import (
	"fmt"

	"pithings/mqttlink"
	"pithings/mqttlink/clock"
)

// Rest is what a process leaves in a state folder when it ends.
type Rest struct {
	Dir         string
	Left        int    // messages that wait for the broker on the disk
	Lost        int    // messages that were in memory only: the disk could not be written
	DeadLetters uint64 // of this process
	Why         string // they wait
}

// RestOf returns what a connection has left once its outbox is closed, which saves what
// it can; why is as Why returned before it was ended.
func RestOf(l *mqttlink.Link, dir, why string) Rest {
	s := l.Stats()
	return Rest{Dir: dir, Left: s.Outbox.Messages - s.Outbox.Unsaved, Lost: s.Outbox.Unsaved, DeadLetters: s.DeadLetters, Why: why}
}

// Why reports why what waits for a connection is not delivered at this moment.
func Why(l *mqttlink.Link, c *clock.Clock) string {
	if trouble := troubleOf(l, c); trouble != "" {
		return trouble
	}
	if l.Stats().Held {
		return "this device is in quarantine, where its queues are held"
	}
	if l.Connected() {
		return l.Endpoint().String() + " has not acknowledged it yet"
	}
	return "no answer from " + l.Endpoint().String() + " yet"
}

// And adds what another connection of the same folder has left.
func (r Rest) And(o Rest) Rest {
	if o.Left > 0 && r.Left == 0 {
		r.Why = o.Why
	}
	r.Dir, r.Left, r.Lost, r.DeadLetters = o.Dir, r.Left+o.Left, r.Lost+o.Lost, r.DeadLetters+o.DeadLetters
	return r
}

// String reports in one line how many messages are not delivered, where they are and why;
// "" if there are none.
func (r Rest) String() string {
	if r.Left == 0 {
		return ""
	}
	return fmt.Sprintf("%s kept in %s and not delivered yet: %s", messages(r.Left), r.Dir, r.Why)
}

// Gone reports in one line how many messages end with the process; "" if there are none.
func (r Rest) Gone() string {
	if r.Lost == 0 {
		return ""
	}
	return fmt.Sprintf("%s lost, because %s could not be written and no broker took what was in memory", messages(r.Lost), r.Dir)
}

// messages is a number of messages and their verb.
func messages(n int) string {
	if n == 1 {
		return "1 message is"
	}
	return fmt.Sprintf("%d messages are", n)
}

// DeadLetterError says that messages became dead letters instead of being delivered.
type DeadLetterError struct {
	N   uint64
	Dir string // the state folder that they are in, if it is known
}

// Error reports how many, and where they are listed.
func (e *DeadLetterError) Error() string {
	verb, them := "messages were", "them"
	if e.N == 1 {
		verb, them = "message was", "it"
	}
	state := ""
	if e.Dir != "" {
		state = " --state " + e.Dir
	}
	return fmt.Sprintf("%d %s set aside, not delivered: the broker closes the connection upon %s, or its limits do not allow %s; see pithings queue ls%s, and aside.jsonl in the queue's folder", e.N, verb, them, them, state)
}

// troubleOf returns why nothing is delivered now, if nothing is.
func troubleOf(l *mqttlink.Link, c *clock.Clock) string {
	s := l.Stats()
	if s.LastError == "" && s.Waiting > 0 {
		return "they wait until this machine's clock is known to be right: " + c.Verdict().String()
	}
	return s.LastError
}
