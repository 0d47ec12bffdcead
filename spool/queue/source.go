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

	"pithings/api"
	"pithings/mqttlink/outbox"
	"pithings/spool/control"
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
}

// Counts are what is in an outbox.
type Counts struct {
	Messages    int       `json:"messages"`
	Bytes       int64     `json:"bytes"`
	Alarms      int       `json:"alarms"`
	Unsaved     int       `json:"held"`
	Damaged     uint64    `json:"damaged"`
	DeadLetters int       `json:"set_aside"` // in its folder
	Oldest      time.Time `json:"oldest"`
}

func countsOf(s outbox.Stats) Counts {
	return Counts{Messages: s.Messages, Bytes: s.Bytes, Alarms: s.Alarms, Unsaved: s.Unsaved, Damaged: s.Damaged, Oldest: s.Oldest.UTC()}
}

// OpenSource returns the outbox in dir. It asks the owner of the state folder for what
// it has under that client id; else the files are read as they are, which locks no process
// out. Without dir there is only the owner.
func OpenSource(dir, id string, owner *control.Client) Source {
	return &source{dir: dir, owned: owned{owner, id}}
}

// source is an outbox in a folder, whoever has it.
type source struct {
	dir   string
	owned owned
}

// notOwned reports whether err says that no process has the outbox that could be asked.
// One that does not answer has its files all the same.
func notOwned(err error) bool {
	var answer *control.AnswerError
	return errors.Is(err, control.ErrNoOwner) || errors.Is(err, control.ErrSilent) ||
		errors.As(err, &answer) && answer.Status == http.StatusNotFound
}

func (s *source) Stats(ctx context.Context) (Counts, error) {
	c, err := s.owned.Stats(ctx)
	if s.dir == "" {
		return c, err
	}
	if notOwned(err) {
		var stats outbox.Stats
		stats, err = outbox.Read(s.dir, nil)
		c = countsOf(stats)
	}
	c.DeadLetters = CountDeadLetters(s.dir) // an owner of an earlier version does not
	return c, err
}

func (s *source) Each(ctx context.Context, f func(Line) error) error {
	if err := s.owned.Each(ctx, f); s.dir == "" || !notOwned(err) {
		return err
	}
	_, err := outbox.Read(s.dir, func(r outbox.Record) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return f(FromRecord(&r))
	})
	return err
}

// Purge needs the outbox for itself if its owner does not do it.
func (s *source) Purge(ctx context.Context, seqs []uint64) (n int, err error) {
	if s.dir == "" {
		return s.owned.Purge(ctx, seqs)
	}
	box, err := outbox.Open(s.dir, outbox.DiskOptions{})
	if errors.Is(err, outbox.ErrLocked) {
		return s.owned.Purge(ctx, seqs)
	}
	if err != nil {
		return 0, err
	}
	defer func() {
		if closeErr := box.Close(); err == nil {
			err = closeErr
		}
	}()
	if n, err = purge(box, seqs); err != nil || box.Saved() {
		return n, err
	}
	// Of too many ranges an outbox does not remember that they are gone: with what is
	// left behind them, all before can go at once.
	if _, err := pass(box, box); err != nil {
		return n, fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	if !box.Saved() {
		return n, fmt.Errorf("%w: the disk cannot be written", ErrNotKept)
	}
	return n, nil
}

// ErrNotKept says that messages were deleted, and may come back all the same.
var ErrNotKept = errors.New("the deleted messages come back when the outbox is opened the next time")

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

const queuesPath = "/api/v1/queues/"

func queuePath(id string) string { return queuesPath + url.PathEscape(id) }

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
		if seqs = seqs[len(part):]; len(seqs) == 0 && err == nil && answer.NotKept {
			err = fmt.Errorf("%w; end the running pithings and purge again, or let it deliver what is left", ErrNotKept)
		}
	}
	return n, err
}

type purged struct {
	Purged  int  `json:"purged"`
	NotKept bool `json:"not_kept,omitempty"` // they come back if the owner ends before older ones are gone
}

// noQueue is the error of a client id in a path that no connection has.
func noQueue(r *http.Request) error {
	return fmt.Errorf("the running pithings has no connection with the client id %s (%w)", strconv.Quote(r.PathValue("id")), api.Status(http.StatusNotFound))
}

// Routes let other processes look at the outboxes of this one. box returns that of a client
// id, or nil, and dir its folder.
func Routes(box func(id string) outbox.Box, dir func(id string) string) []api.Route {
	of := func(r *http.Request) (outbox.Box, error) {
		if b := box(r.PathValue("id")); b != nil {
			return b, nil
		}
		return nil, noQueue(r)
	}
	return []api.Route{
		{Method: http.MethodGet, Path: queuesPath + "{id}", For: api.Look, Doc: "count the messages of a queue", Gives: Counts{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				b, err := of(r)
				if err != nil {
					return nil, err
				}
				c := countsOf(b.Stats())
				c.DeadLetters = CountDeadLetters(dir(r.PathValue("id")))
				return c, nil
			})},
		{Method: http.MethodGet, Path: queuesPath + "{id}/messages", For: api.Group, Doc: "list the messages of a queue", Media: "application/x-ndjson",
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, err := of(r)
				if err != nil {
					api.Fail(w, err)
					return
				}
				out := bufio.NewWriterSize(w, 64<<10)
				if each(r.Context(), b, func(l Line) error { _, err := out.WriteString(l.String() + "\n"); return err }) != nil {
					panic(http.ErrAbortHandler) // the client sees that the list is not whole
				}
				out.Flush()
			})},
		{Method: http.MethodPost, Path: queuesPath + "{id}/purge", For: api.Owner, Doc: "delete messages", Takes: []uint64{}, Gives: purged{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				b, err := of(r)
				if err != nil {
					return nil, err
				}
				var seqs []uint64
				if err := api.Decode(r, &seqs); err != nil {
					return nil, err
				}
				n, err := purge(b, seqs)
				return purged{n, !b.Saved()}, err
			})},
	}
}
