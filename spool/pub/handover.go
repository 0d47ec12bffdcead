package pub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/spool/queue"
	"pithings/spool/state"
)

// handOver gives what is in the folder to the agent beside it, and waits until that has
// delivered all it has.
func (d *drain) handOver(ctx context.Context) error {
	if _, err := Connections(ctx, d.client); err != nil {
		return err
	}
	if err := d.giveAll(ctx); err != nil {
		return err
	}
	for {
		left, err := d.watchAgent(ctx)
		if err != nil || left == 0 {
			return err
		}
		select { // a queue does not tell
		case <-time.After(progressEvery):
		case <-ctx.Done():
			return d.meter.notEmpty(ctx)
		}
	}
}

// watchAgent looks how far the agent has come.
func (d *drain) watchAgent(ctx context.Context) (left int, err error) {
	all, err := Connections(ctx, d.client)
	if err != nil {
		return 0, err
	}
	return d.noteConnections(all), nil
}

// giveAll gives the agent what is in the outboxes of the folder.
func (d *drain) giveAll(ctx context.Context) error {
	queues, err := d.folder.Queues()
	if err != nil || len(queues) == 0 {
		return nil // there is none, or nothing in it
	}
	if err := Take(ctx, &d.folder, time.Second); err != nil {
		return err
	}
	defer d.folder.Close()
	for _, q := range queues {
		if d.wants(q.ClientID) {
			if err := d.give(ctx, q); err != nil {
				return fmt.Errorf("queue of %s: %w", q.ClientID, err)
			}
		}
	}
	return nil
}

// give hands one outbox over, some messages at a time: those that the agent has on its
// disk are taken out. After a kill some may be in both.
func (d *drain) give(ctx context.Context, q state.Queue) (err error) {
	box, err := outbox.Open(q.Dir, outbox.DiskOptions{Log: d.o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if box.Len() == 0 {
		return nil
	}
	simulated, err := d.folder.Simulated()
	if err != nil {
		return err
	}
	if simulated != d.o.Simulated {
		return &OtherKindError{box.Len(), d.o.State, simulated}
	}
	to, err := newRemote(ctx, d.client, d.o.Connection)
	if err != nil {
		return err
	}
	defer func() { _ = to.close() }()
	for {
		rs, err := queue.First(box)
		if err != nil || len(rs) == 0 {
			return err
		}
		ms := make([]mqttlink.Message, len(rs))
		for i, r := range rs {
			ms[i] = mqttlink.Message{Topic: r.Topic, Payload: r.Payload, QoS: r.QoS, Retain: r.Retain, Alarm: r.Class == outbox.Alarm, Time: r.Time}
		}
		if err := to.put(ctx, ms); err != nil {
			return err
		}
		if err := awaitSafe(ctx, to, len(ms)); err != nil {
			return err
		}
		if err := box.Ack(rs[len(rs)-1].Seq); err != nil {
			return err
		}
	}
}

// OtherKindError says that messages were not handed over, because either they or the
// agent are simulated: a simulation's broker is not the one that they are for, and in the
// queue of real things simulated readings could not be distinguished from theirs.
type OtherKindError struct {
	N         int
	Dir       string // the state folder that they are in
	Simulated bool   // they are, and the agent is not
}

// Error reports where they are, and what delivers them.
func (e *OtherKindError) Error() string {
	of, to := "real things", "a simulation"
	if e.Simulated {
		of, to = to, "the agent of "+of
	}
	return fmt.Sprintf("%s kept in %s, of %s, and not handed over to %s: pithings pub --drain --state %s -e BROKER delivers them", messages(e.N), e.Dir, of, to, e.Dir)
}

// awaitSafe waits until the other end has n more messages on its disk.
func awaitSafe(ctx context.Context, to *remote, n int) error {
	for n > 0 {
		select {
		case <-to.verdicts().ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		vs, gone := to.verdicts().take()
		for _, v := range vs {
			switch v.Fate {
			case Safe:
				n--
			case Refused:
				return fmt.Errorf("the agent refuses a message: %s", v.Why)
			}
		}
		if gone && n > 0 {
			return fmt.Errorf("the agent has ended: %w", to.cause())
		}
	}
	return nil
}
