// Package control is how the programs of an emulated machine's guest talk to
// each other: a test asks a helper (the I²C bridge, the camera feeder, or init,
// which passes on to the host) to do something, over a Unix socket, one JSON
// document each way.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// The helpers' sockets in the guest.
const (
	Host   = "/run/host"   // init, for the machine that runs QEMU
	Bridge = "/run/bridge" // the I²C bridge
	Feeder = "/run/feeder" // the camera feeder
)

// Request says what to do; each helper documents its own verbs.
type Request struct {
	Do   string `json:"do"`
	N    int    `json:"n,omitempty"`
	On   bool   `json:"on,omitempty"`
	Text string `json:"text,omitempty"`
	// JSON is a whole document, such as a QMP command.
	JSON json.RawMessage `json:"json,omitempty"`
	Data []byte          `json:"data,omitempty"`
}

// Reply is what came of it.
type Reply struct {
	Error string          `json:"error,omitempty"`
	JSON  json.RawMessage `json:"json,omitempty"`
	Data  []byte          `json:"data,omitempty"`
}

// patience is how long one exchange may take: a screenshot over an emulated
// serial line is slow.
const patience = time.Minute

// Ask asks the helper behind socket.
func Ask(socket string, q Request) (Reply, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return Reply{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return Reply{}, err
	}
	if err := json.NewEncoder(c).Encode(q); err != nil {
		return Reply{}, fmt.Errorf("%s: %w", socket, err)
	}
	var r Reply
	if err := json.NewDecoder(c).Decode(&r); err != nil {
		return Reply{}, fmt.Errorf("%s: %s: %w", socket, q.Do, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s: %s: %s", socket, q.Do, r.Error)
	}
	return r, nil
}

// Serve answers requests at socket until ctx ends. Requests are answered one at
// a time.
func Serve(ctx context.Context, socket string, answer func(Request) (Reply, error)) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	if err := os.Chmod(socket, 0o777); err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		one(c, answer)
	}
}

func one(c io.ReadWriteCloser, answer func(Request) (Reply, error)) {
	defer c.Close()
	var q Request
	if err := json.NewDecoder(c).Decode(&q); err != nil {
		return
	}
	r, err := answer(q)
	if err != nil {
		r.Error = err.Error()
	}
	// An asker that went away does not want the reply.
	_ = json.NewEncoder(c).Encode(r)
}
