package pub

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"pithings/api"
	"pithings/spool/control"
	"pithings/spool/state"
)

// A pub owns the state folder only until another process asks for it that owns it for longer,
// or needs it at once: an agent that starts while a sensor feeds its lines to a pub
// would otherwise have to wait until the sensor ends.
const giveWayPath = "/api/v1/give-way"

const (
	// stayAway is how long one who gave way leaves the folder to who asked for it.
	stayAway = 2 * time.Second
	// takePause is how often Take looks whether the folder is free: a lock does not tell.
	takePause = 20 * time.Millisecond
	// takeWait is how long it waits for an owner that has agreed to leave: for the end
	// of its connection, and of a slow disk.
	takeWait = 10 * time.Second
)

// wanted notifies an owner that another process asks for the folder.
type wanted struct {
	c    chan struct{}
	once sync.Once
}

func newWanted() *wanted { return &wanted{c: make(chan struct{})} }

func (w *wanted) routes() []api.Route {
	return []api.Route{{Method: http.MethodPost, Path: giveWayPath, For: api.Group, Doc: "ask a pub that owns the state folder to leave it", Gives: struct{}{},
		Handler: api.JSON(func(*http.Request) (any, error) {
			w.once.Do(func() { close(w.c) })
			return struct{}{}, nil
		})}}
}

// askToGiveWay asks the owner for the folder. An error that wraps a
// control.AnswerError says that the owner keeps it.
func askToGiveWay(ctx context.Context, c *control.Client) error {
	return c.Do(ctx, http.MethodPost, giveWayPath, nil, nil)
}

// Take makes s owned by this process, which is to own it for long. A pub that has it
// leaves the folder, and hands its messages over from then on; another agent does not. An owner
// that neither answers nor ends is waited for as long as wait says.
func Take(ctx context.Context, s *state.Folder, wait time.Duration) error {
	client := control.NewClient(s.Socket())
	defer client.Close()
	for began := time.Now(); ; {
		err := s.Own()
		if !errors.Is(err, state.ErrInUse) || time.Since(began) >= wait {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, max(wait-time.Since(began), takePause))
		if askToGiveWay(asking, client) == nil {
			wait = takeWait
		}
		cancel()
		select {
		case <-time.After(takePause):
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}
