package queue

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pithings/agent/control"
	"pithings/mqttlink/outbox"
)

// Source is an outbox to be looked at from outside.
type Source interface {
	// Stats counts what is in it.
	Stats(ctx context.Context) (Counts, error)
	// Each calls f with its messages in order, until f returns an error.
	Each(ctx context.Context, f func(Line) error) error
	// Purge removes messages by their sequence numbers, which ascend, and returns how
	// many there were.
	Purge(ctx context.Context, seqs []uint64) (int, error)
	Close() error
}

// Counts are what is in an outbox.
type Counts struct {
	Messages int       `json:"messages"`
	Bytes    int64     `json:"bytes"`
	Alarms   int       `json:"alarms"`
	Held     int       `json:"held"`
	Damaged  uint64    `json:"damaged"`
	Oldest   time.Time `json:"oldest"`
}

func countsOf(s outbox.Stats) Counts {
	return Counts{s.Messages, s.Bytes, s.Alarms, s.Held, s.Damaged, s.Oldest.UTC()}
}

// OpenSource opens the outbox in dir, or asks the owner of the state folder, who
// must have it under that client id.
func OpenSource(dir, id string, owner *control.Client) (Source, error) {
	box, err := outbox.Open(dir, outbox.DiskOptions{})
	if errors.Is(err, outbox.ErrLocked) {
		return &owned{owner, id}, nil
	}
	if err != nil {
		return nil, err
	}
	return direct{box}, nil
}

// direct is an outbox that this process has opened.
type direct struct{ box *outbox.Disk }

func (d direct) Stats(context.Context) (Counts, error) { return countsOf(d.box.Stats()), nil }
func (d direct) Close() error                          { return d.box.Close() }

func (d direct) Each(ctx context.Context, f func(Line) error) error { return each(ctx, d.box, f) }

func each(ctx context.Context, box outbox.Box, f func(Line) error) error {
	for pos := uint64(0); ctx.Err() == nil; {
		r, ok, err := box.Next(pos)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		if err := f(FromRecord(&r)); err != nil {
			return err
		}
		pos = r.Seq + 1
	}
	return context.Cause(ctx)
}

func (d direct) Purge(_ context.Context, seqs []uint64) (int, error) { return purge(d.box, seqs) }

func purge(box outbox.Box, seqs []uint64) (n int, err error) {
	before := box.Len()
	last := run(box, seqs)
	if last > 0 {
		err = box.Ack(last)
	}
	for _, seq := range seqs {
		if err == nil && seq > last {
			err = box.AckOne(seq)
		}
	}
	return max(0, before-box.Len()), err
}

// run returns the last of the messages at the front of the box that are all in seqs.
func run(box outbox.Box, seqs []uint64) (last uint64) {
	for _, seq := range seqs {
		r, ok, err := box.Next(last + 1)
		if err != nil || !ok || r.Seq != seq {
			break
		}
		last = seq
	}
	return last
}

// owned is an outbox of another process.
type owned struct {
	client *control.Client
	id     string
}

func queuePath(id string) string { return "/v1/queues/" + url.PathEscape(id) }

func (o *owned) Close() error { return nil }

func (o *owned) Stats(ctx context.Context) (c Counts, err error) {
	return c, o.client.Do(ctx, http.MethodGet, queuePath(o.id), nil, &c)
}

func (o *owned) Each(ctx context.Context, f func(Line) error) error {
	body, err := o.client.Get(ctx, queuePath(o.id)+"/messages")
	if err != nil {
		return err
	}
	defer body.Close()
	d := json.NewDecoder(bufio.NewReaderSize(body, 64<<10))
	for {
		var l Line
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the running pithings has broken off: %w", err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
}

func (o *owned) Purge(ctx context.Context, seqs []uint64) (n int, err error) {
	const most = 100_000 // in one request
	for len(seqs) > 0 && err == nil {
		var answer purged
		part := seqs[:min(len(seqs), most)]
		err = o.client.Do(ctx, http.MethodPost, queuePath(o.id)+"/purge", part, &answer)
		n += answer.Purged
		seqs = seqs[len(part):]
	}
	return n, err
}

type purged struct {
	Purged int `json:"purged"`
}

// Serve lets other processes look at the outboxes of this one. box returns that of
// a client id, or nil.
func Serve(s *control.Server, box func(id string) outbox.Box) {
	of := func(r *http.Request) (outbox.Box, error) {
		if b := box(r.PathValue("id")); b != nil {
			return b, nil
		}
		return nil, fmt.Errorf("the running pithings has no connection with the client id %s (%w)", strconv.Quote(r.PathValue("id")), control.Status(http.StatusNotFound))
	}
	s.HandleJSON("GET /v1/queues/{id}", func(r *http.Request) (any, error) {
		b, err := of(r)
		if err != nil {
			return nil, err
		}
		return countsOf(b.Stats()), nil
	})
	s.HandleJSON("POST /v1/queues/{id}/purge", func(r *http.Request) (any, error) {
		b, err := of(r)
		if err != nil {
			return nil, err
		}
		var seqs []uint64
		if err := json.NewDecoder(r.Body).Decode(&seqs); err != nil {
			return nil, fmt.Errorf("%w: %w", control.Status(http.StatusBadRequest), err)
		}
		n, err := purge(b, seqs)
		return purged{n}, err
	})
	s.Handle("GET /v1/queues/{id}/messages", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := of(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		out := bufio.NewWriterSize(w, 64<<10)
		if each(r.Context(), b, func(l Line) error { _, err := out.WriteString(l.String() + "\n"); return err }) != nil {
			panic(http.ErrAbortHandler) // the client sees that the list is not whole
		}
		out.Flush()
	}))
}
