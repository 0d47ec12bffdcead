package agent

import (
	"cmp"
	"log/slog"
	"slices"

	"pithings/agent/config"
	"pithings/agent/queue"
	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
)

// queues are the outboxes of an agent's connections, by the connections' names.
type queues struct {
	a     *Agent
	ids   []string // all client ids of this run
	boxes map[string]*outbox.Disk
}

// open opens the outbox of a connection; "" is the shared one.
func (q *queues) open(name, id string, c *config.Queue, log *slog.Logger) (*outbox.Disk, error) {
	o := QueueOptions(c)
	o.Log, o.Now = log, q.a.clock.Now
	inUse := func(id string) bool { return slices.Contains(q.ids, id) }
	box, err := queue.Open(&q.a.state, name, id, inUse, o)
	if err != nil {
		return nil, err
	}
	q.boxes[name] = box
	return box, nil
}

// QueueOptions translates a queue's configuration.
func QueueOptions(c *config.Queue) outbox.DiskOptions {
	sync, _ := outbox.ParseSync(c.Sync) // the configuration has been checked
	o := outbox.DiskOptions{
		Sync: sync, Interval: c.Interval.Duration,
		Limits: outbox.Limits{Messages: max(c.Max, 0), Bytes: int64(c.MaxBytes), Age: c.MaxAge.Duration, Drop: drop(c.Drop)},
	}
	if a := c.Alarms; a.Max != 0 {
		o.Limits.Alarms = &outbox.Limits{Messages: max(a.Max, 0), Bytes: int64(a.MaxBytes), Age: a.MaxAge.Duration, Drop: drop(a.Drop)}
	}
	return o
}

func drop(name string) outbox.Drop {
	if name == config.DropOldest {
		return outbox.DropOldest
	}
	return outbox.DropNewest
}

// of returns the outbox of a client id, or nil.
func (q *queues) of(id string) outbox.Box {
	box := outbox.Box(nil)
	q.a.links.all(func(name string, link *mqttlink.Link) {
		if b := q.boxes[name]; b != nil && link.ClientID() == id {
			box = b
		}
	})
	return box
}

// tellOrphans warns of outboxes that no connection delivers: of things that were
// taken out of the configuration, or whose client id was changed by hand.
func (q *queues) tellOrphans(log *slog.Logger) {
	all, err := q.a.state.Queues()
	if err != nil {
		return // there is nothing yet
	}
	for _, o := range all {
		if slices.Contains(q.ids, o.ClientID) {
			continue
		}
		box, err := outbox.Open(o.Dir, outbox.DiskOptions{})
		if err != nil {
			continue
		}
		if n := box.Len(); n > 0 {
			log.Warn("messages wait for a connection that the configuration does not have any more; pithings queue export and purge, or pithings pub --drain, see to them",
				"client_id", o.ClientID, "messages", n, "dir", o.Dir)
		}
		box.Close()
	}
}

// close gives the outboxes up, and tells what is lost with them, if anything is.
func (q *queues) close(log *slog.Logger) {
	for name, box := range q.boxes {
		if err := box.Close(); err != nil {
			log.Error("a queue could not be closed in order", "connection", cmp.Or(name, "shared"), "err", err)
		}
	}
	clear(q.boxes)
}
