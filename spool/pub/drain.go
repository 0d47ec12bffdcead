package pub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"pithings/mqttlink/outbox"
	"pithings/spool/control"
	"pithings/spool/state"
)

// Progress is how far a drain has come.
type Progress struct {
	Left      int
	Delivered int           // since it began
	Since     time.Duration // it began
	Trouble   string        // why nothing is delivered now, if nothing is
}

// progressEvery is how often progress is reported.
const progressEvery = 500 * time.Millisecond

// Drain delivers what is in the outboxes of the state folder, and returns nil when
// they are empty. While another process owns the folder that delivers, and Drain only
// what is in outboxes without a connection there; if it ends, Drain continues by itself.
// An owner of its own kind it leaves the folder to whoever asks for it. With an agent
// beside the folder what is in it is handed over to that, and delivered by it. ctx bounds
// all. An DeadLetterError says that not all that is gone has been delivered.
func Drain(ctx context.Context, o Options, tell func(Progress)) error {
	d := &drain{o: o, folder: state.Folder{Dir: o.State}, meter: meter{began: time.Now(), tell: tell}}
	socket := d.folder.Socket()
	if o.Agent != "" {
		socket = o.Agent
	}
	d.client = control.NewClient(socket)
	defer d.client.Close()
	run := d.folderEmpty
	if o.Agent != "" {
		run = d.handOver
	}
	err := run(ctx)
	if d.deadLetters > 0 {
		err = errors.Join(err, &DeadLetterError{N: d.deadLetters})
	}
	return err
}

// folderEmpty returns when nothing is left in the folder.
func (d *drain) folderEmpty(ctx context.Context) error {
	heard := time.Now() // of an owner
	for {
		err := error(state.ErrInUse) // by who asked for it, or soon
		if time.Since(d.gave) > stayAway {
			err = d.folder.Own()
		}
		switch {
		case err == nil:
			err = d.own(ctx)
			d.folder.Close()
			if !errors.Is(err, errGaveWay) {
				return err
			}
			d.gave, heard = time.Now(), time.Now()
			continue
		case !errors.Is(err, state.ErrInUse):
			return err
		}
		left, watchErr := d.watch(ctx)
		switch {
		case watchErr == nil && left == 0:
			return nil
		case watchErr == nil:
			heard = time.Now()
		case errors.Is(watchErr, control.ErrSilent) || !errors.Is(watchErr, control.ErrNoOwner) && ctx.Err() == nil:
			return watchErr
		case time.Since(heard) > patience && ctx.Err() == nil:
			return fmt.Errorf("%w, and does not answer: %w", err, watchErr)
		}
		select { // neither a lock nor a queue notifies
		case <-time.After(progressEvery):
		case <-ctx.Done():
			return d.meter.notEmpty(ctx)
		}
	}
}

// drain is one call of Drain.
type drain struct {
	o           Options
	folder      state.Folder
	client      *control.Client
	meter       meter
	gave        time.Time // when it gave way
	deadLetters uint64    // since it began
	before      *uint64   // those of the owner when it was first asked
}

// errGaveWay says that another process has asked for the folder.
var errGaveWay = errors.New("another process asks for the state folder")

// own delivers what is in the folder, which this process owns.
func (d *drain) own(ctx context.Context) error {
	w := newWanted()
	server, err := control.Listen(d.folder.Socket(), d.o.Log)
	if err != nil {
		d.o.Log.Debug("other processes have to wait for the end of this one", "err", err)
	} else {
		server.Serve(w.routes()...)
		serving, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.Run(serving) })
		defer wg.Wait()
		defer stop()
	}
	queues, err := d.queues(nil)
	if err != nil {
		return err
	}
	return d.all(ctx, queues, w)
}

// all delivers what is in outboxes that no other process has, one after the other.
func (d *drain) all(ctx context.Context, queues []state.Queue, w *wanted) error {
	left := 0
	for _, q := range queues {
		s, err := outbox.Read(q.Dir, nil)
		if err != nil {
			return err
		}
		left += s.Messages
	}
	if left > 0 || !d.meter.noted {
		d.meter.note(left, "")
	}
	if left == 0 {
		return nil
	}
	if d.o.Link.Endpoint == "" {
		return fmt.Errorf("%d messages wait: name the broker with -e ENDPOINT or --config FILE", left)
	}
	for _, q := range queues {
		n, err := d.one(ctx, q, left, w)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// queues lists the outboxes in the folder that are to be emptied, but for those of
// connections that another process has.
func (d *drain) queues(except []Connection) (queues []state.Queue, err error) {
	all, err := d.folder.Queues()
	for _, q := range all {
		theirs := func(c Connection) bool { return c.ClientID == q.ClientID }
		if d.wants(q.ClientID) && !slices.ContainsFunc(except, theirs) {
			queues = append(queues, q)
		}
	}
	return queues, err
}

// wants reports whether the outbox of a client id is to be emptied.
func (d *drain) wants(id string) bool {
	return d.o.Link.ClientID == "" || id == d.o.Link.ClientID
}

// one delivers what is in one outbox, and returns how many those were. total is the
// number in all of them.
func (d *drain) one(ctx context.Context, q state.Queue, total int, w *wanted) (n int, err error) {
	box, err := outbox.Open(q.Dir, outbox.DiskOptions{Log: d.o.Log, Now: d.o.Link.Clock.Now})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	n = box.Len()
	if n == 0 {
		return 0, nil
	}
	options := d.o.Link
	options.ClientID = q.ClientID
	link, err := newLink(&options, box, q.Dir, d.o.Log)
	if err != nil {
		return 0, err
	}
	running, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer func() { d.deadLetters += link.Stats().DeadLetters }()
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = link.Run(running) })
	wg.Go(func() { _ = options.Clock.Run(running) })

	emptied := make(chan error, 1)
	flushing, stopFlush := context.WithCancel(ctx)
	defer stopFlush()
	wg.Go(func() { emptied <- link.Flush(flushing) })
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-emptied:
			d.meter.note(total-n+box.Len(), troubleOf(link, options.Clock))
			if err != nil {
				d.meter.trouble = Why(link, options.Clock) // by now there is a reason, even if it is silence
				return n, d.meter.notEmpty(ctx)
			}
			return n, unsaved(box)
		case <-w.c:
			return n, errGaveWay
		case <-tick.C:
			d.meter.note(total-n+box.Len(), troubleOf(link, options.Clock))
		}
	}
}

// unsaved reports that the disk has not kept what has been delivered.
func unsaved(box outbox.Box) error {
	if box.Save(); !box.Saved() {
		return errors.New("all is delivered, but this cannot be written down, so that it will be delivered again: is the disk full or read-only?")
	}
	return nil
}

// watch looks how far the owner of the folder has come, and returns how many messages
// wait for it. When none does it delivers those that the owner has no connection for.
func (d *drain) watch(ctx context.Context) (left int, err error) {
	all, err := Connections(ctx, d.client)
	if err != nil {
		return 0, err
	}
	if left = d.noteConnections(all); left > 0 {
		return left, nil
	}
	queues, err := d.queues(all)
	if err != nil {
		return 0, err
	}
	return 0, d.all(ctx, queues, newWanted())
}

// noteConnections notes how far an owner has come with its connections, and returns how
// many messages wait for it.
func (d *drain) noteConnections(all []Connection) (left int) {
	trouble, dead := "", uint64(0)
	for _, c := range all {
		if !d.wants(c.ClientID) {
			continue
		}
		left, dead = left+c.Messages, dead+c.DeadLetters
		if c.Error != "" && c.Messages > 0 {
			trouble = c.Error
		}
	}
	if d.before == nil {
		d.before = &dead
	}
	d.deadLetters = max(d.deadLetters, dead-min(dead, *d.before))
	d.meter.note(left, trouble)
	return left
}

// NotEmptyError says that messages were not delivered in time.
type NotEmptyError struct {
	Left    int
	Trouble string
}

// Error reports how many, and what stood in the way.
func (e *NotEmptyError) Error() string {
	text := messages(e.Left) + " not delivered yet"
	if e.Trouble == "" {
		return text
	}
	return text + ": " + e.Trouble
}

// meter makes progress of counts.
type meter struct {
	began     time.Time
	tell      func(Progress)
	left      int
	delivered int
	noted     bool
	trouble   string
}

// notEmpty is why a drain ends before all is delivered.
func (m *meter) notEmpty(ctx context.Context) error {
	if !m.noted {
		return fmt.Errorf("the process that owns the state folder has not answered: %w", context.Cause(ctx))
	}
	if m.left == 0 {
		return context.Cause(ctx)
	}
	return &NotEmptyError{m.left, m.trouble}
}

func (m *meter) note(left int, trouble string) {
	if m.noted && left < m.left {
		m.delivered += m.left - left
	}
	m.noted, m.left, m.trouble = true, left, trouble
	if m.tell != nil {
		m.tell(Progress{Left: left, Delivered: m.delivered, Since: time.Since(m.began), Trouble: trouble})
	}
}
