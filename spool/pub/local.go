package pub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"pithings/awsiot"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
	"pithings/spool/control"
	"pithings/spool/queue"
	"pithings/spool/state"
)

// local is a state folder that this process owns for the time being, with the
// connection that delivers what is in its outbox.
type local struct {
	state   state.Folder
	box     *outbox.Disk
	link    *mqttlink.Link
	server  *control.Server // nil if there can be none
	counter *counter
	inbox   *inbox
	wanted  *wanted // nil if it is not left when another process asks for it
	log     *slog.Logger
	clock   *clock.Clock

	delivers bool // there is a broker
	rest     Rest // once it is closed

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// own takes the folder. If another process has it the error wraps state.ErrInUse.
// Without an endpoint nothing is delivered. w, if not nil, is notified when another process
// asks for it.
func own(o *Options, w *wanted) (*local, error) {
	l := &local{state: state.Folder{Dir: o.State}, log: o.Log, wanted: w, inbox: newInbox()}
	if err := l.state.Own(); err != nil {
		return nil, l.state.Explain(err)
	}
	link := o.Link
	var err error
	if o.Claim != nil {
		err = o.Claim(&l.state)
	}
	if err == nil {
		err = l.open(&link, o)
	}
	if err != nil {
		l.release()
		return nil, l.state.Explain(err)
	}
	l.start(o.Link.Endpoint != "", o.Link.Clock)
	return l, nil
}

// open opens the outbox and makes the link.
func (l *local) open(link *mqttlink.Options, o *Options) (err error) {
	if link.ClientID == "" {
		if link.ClientID, err = l.state.ClientID(l.log); err != nil {
			return err
		}
	}
	queueOptions := o.Queue
	queueOptions.Log, queueOptions.Now = l.log, link.Clock.Now
	if l.box, err = queue.Open(&l.state, "", link.ClientID, func(string) bool { return false }, queueOptions); err != nil {
		return err
	}
	if link.Endpoint == "" {
		link.Endpoint = "mqtt://127.0.0.1" // never called
	}
	l.link, err = newLink(link, l.box, l.state.QueueDir(link.ClientID), l.log)
	return err
}

// newLink makes a link under the limits of its broker.
func newLink(o *mqttlink.Options, box outbox.Box, dir string, log *slog.Logger) (*mqttlink.Link, error) {
	o.Outbox, o.KeepDeadLetter, o.Log = box, queue.NewDeadLetters(dir).Keep, log
	if limits, drain, ok := awsiot.Limits(o.Endpoint); ok {
		o.Limits = limits
		if o.Drain == 0 || o.Drain > drain {
			o.Drain = drain
		}
	}
	return mqttlink.New(*o)
}

// start begins to deliver, and to serve others.
func (l *local) start(deliver bool, c *clock.Clock) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.clock, l.delivers = cancel, c, deliver
	l.counter = newCounter(Desk{l.link, l.box}, l.inbox.tell)
	l.wg.Go(func() { l.counter.run(ctx) })
	l.wg.Go(func() { _ = c.Run(ctx) })
	if deliver {
		l.wg.Go(func() { _ = l.link.Run(ctx) })
	}
	var err error
	if l.server, err = control.Listen(l.state.Socket(), l.log); err != nil {
		l.log.Warn("other processes cannot hand messages over while this one runs", "err", err)
		return
	}
	l.server.Serve(Routes(func(string) (Desk, error) { return Desk{l.link, l.box}, nil })...)
	l.server.Serve(ConnectionRoutes(func() []Connection { return []Connection{ConnectionOf("", l.link)} })...)
	l.server.Serve(queue.Routes(func(id string) outbox.Box {
		if id != l.link.ClientID() {
			return nil
		}
		return l.box
	}, l.state.QueueDir)...)
	if l.wanted != nil {
		l.server.Serve(l.wanted.routes()...)
	}
	l.wg.Go(func() { _ = l.server.Run(ctx) })
}

func (l *local) put(ctx context.Context, ms []mqttlink.Message) error { return l.counter.put(ctx, ms) }
func (l *local) verdicts() *inbox                                     { return l.inbox }
func (l *local) cause() error                                         { return nil }

func (l *local) asked() <-chan struct{} {
	if l.wanted == nil {
		return nil
	}
	return l.wanted.c
}

// linger waits until all is delivered, for at most the time given, and not if the
// broker cannot be reached.
func (l *local) linger(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	emptied := make(chan struct{})
	go func() {
		defer close(emptied)
		_ = l.link.Flush(ctx)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-emptied:
			return
		case <-l.asked():
			return
		case <-tick.C:
			if s := l.link.Stats(); s.LastError != "" && s.Attempts > 0 {
				cancel()
			}
		}
	}
}

// close ends what start began, and gives the folder up. Its error reports what is
// lost.
func (l *local) close() error {
	why := "no broker was named"
	if l.delivers {
		why = Why(l.link, l.clock) // its end would be no reason
	}
	l.cancel()
	l.wg.Wait()
	err := l.release()
	l.rest = RestOf(l.link, l.state.Dir, why)
	return err
}

func (l *local) release() (err error) {
	if l.box != nil {
		err = l.box.Close()
	}
	l.state.Close()
	return err
}

// inUse reports whether err says that another process owns the folder.
func inUse(err error) bool { return errors.Is(err, state.ErrInUse) || errors.Is(err, outbox.ErrLocked) }

// Owner owns a state folder and delivers what is in its outbox, until it is closed.
type Owner struct{ l *local }

// Own takes the folder for a process that publishes by itself.
func Own(o Options) (*Owner, error) {
	l, err := own(&o, nil)
	if err != nil {
		return nil, err
	}
	return &Owner{l}, nil
}

// Link is the connection; it runs already.
func (o *Owner) Link() *mqttlink.Link { return o.l.link }

// Close gives what waits two seconds to be delivered, if there is a connection, and
// gives the folder up. It returns what is left there.
func (o *Owner) Close() (Rest, error) {
	err := o.l.close()
	return o.l.rest, err
}
