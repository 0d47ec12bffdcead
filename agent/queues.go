package agent

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pithings/agent/config"
	"pithings/mqttlink/outbox"
	"pithings/spool/queue"
)

// queues are the outboxes of an agent's connections, by the connections' names.
type queues struct {
	folder *folder
	now    func() time.Time
	ids    []string // all client ids of this run
	mu     sync.RWMutex
	boxes  map[string]*outbox.Disk
	dead   map[string]*queue.DeadLetters // of the same connections
}

// box returns the outbox of a connection, or nil.
func (q *queues) box(name string) *outbox.Disk {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.boxes[name]
}

// letters returns the dead letters of a connection that has an outbox.
func (q *queues) letters(name string) *queue.DeadLetters {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.dead[name]
}

// any reports whether there is an outbox, so that the state folder is owned.
func (q *queues) any() bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return len(q.boxes) > 0
}

// closeOne closes the outbox of a connection.
func (q *queues) closeOne(name string) error {
	q.mu.Lock()
	box := q.boxes[name]
	delete(q.boxes, name)
	delete(q.dead, name)
	q.mu.Unlock()
	if box == nil {
		return nil
	}
	return box.Close()
}

// open opens the outbox of a connection; "" is the shared one.
func (q *queues) open(name, id string, c *config.Queue, log *slog.Logger) (*outbox.Disk, error) {
	o := QueueOptions(c)
	o.Log, o.Now = log, q.now
	inUse := func(id string) bool { return slices.Contains(q.ids, id) }
	box, err := queue.Open(&q.folder.Folder, name, id, inUse, o)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	q.boxes[name] = box
	if q.dead == nil {
		q.dead = map[string]*queue.DeadLetters{}
	}
	q.dead[name] = queue.NewDeadLetters(q.folder.QueueDir(id))
	q.mu.Unlock()
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

// warnOrphans warns of outboxes that no connection delivers: of things that were
// taken out of the configuration, or whose client id was changed by hand.
func (q *queues) warnOrphans(log *slog.Logger) {
	all, err := q.folder.Queues()
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
			log.Warn("queued messages have no connection in the configuration any more; deliver them with pithings pub --drain, or use pithings queue export and purge",
				"client_id", o.ClientID, "n", n, "dir", o.Dir)
		}
		box.Close()
	}
}

// close closes the outboxes, and logs what is lost with them, if anything is.
func (q *queues) close(log *slog.Logger) {
	for name, box := range q.boxes {
		if err := box.Close(); err != nil {
			log.Error("queue could not be closed in order", "connection", cmp.Or(name, "shared"), "err", err)
		}
	}
	clear(q.boxes)
}
