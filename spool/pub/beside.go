package pub

import (
	"context"
	"errors"
	"time"

	"pithings/mqttlink/endpoint"
	"pithings/spool/control"
	"pithings/spool/state"
)

// openAgent opens a stream to the agent that has a folder of its own. If there is none
// any more it returns false: the folder of this process takes the messages then. One that
// has taken some may only be starting anew, and is waited for.
func (r *run) openAgent(ctx context.Context) (found bool, err error) {
	client := control.NewClient(r.o.Agent)
	defer client.Close()
	wait := time.Duration(0)
	if r.beside {
		wait = r.o.silence
	}
	for began := time.Now(); ; {
		remote, err := newRemote(ctx, client, r.o.Connection)
		if err == nil {
			r.where, r.beside = remote, true
			return true, nil
		}
		var answer *control.AnswerError
		if errors.As(err, &answer) {
			return false, err
		}
		if time.Since(began) >= wait {
			r.o.Log.Warn("the agent has ended: messages are kept in the state folder of this user until it is back", "dir", r.o.State, "err", err)
			r.alone = true
			return false, nil
		}
		select { // nothing reports when another process begins to listen
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// rejoin looks whether the agent that had ended is back. Then it gets what was kept
// meanwhile, and what follows.
func (r *run) rejoin(ctx context.Context) error {
	if !r.alone {
		return nil
	}
	client := control.NewClient(r.o.Agent)
	defer client.Close()
	if _, err := Connections(ctx, client); err != nil {
		return nil // it is not, or is just starting
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.where.close() // what was in its memory only is handed over again
	vs, _ := r.where.verdicts().take()
	r.settle(vs)
	d := &drain{o: *r.o, folder: state.Folder{Dir: r.o.State}, client: client}
	if err := d.giveAll(ctx); err != nil {
		r.o.Log.Warn("what was kept while the agent was away cannot be handed over; pithings pub --drain does it later", "dir", r.o.State, "err", err)
	}
	r.alone = false
	return r.again(ctx)
}

// noteOwner reports when the owner delivers to another broker than asked for.
func (r *run) noteOwner(ctx context.Context, c *control.Client) {
	all, err := Connections(ctx, c)
	if err != nil || r.o.Link.Endpoint == "" {
		return
	}
	want, err := endpoint.Parse(r.o.Link.Endpoint)
	if err != nil {
		return
	}
	for _, one := range all {
		if one.Name == r.o.Connection && one.Endpoint != want.String() {
			r.o.Log.Warn("the running pithings that owns the state folder delivers to its own broker", "broker", one.Endpoint, "asked_for", want.String(), "state", r.o.State)
		}
	}
}
