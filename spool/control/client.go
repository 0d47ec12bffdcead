package control

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"pithings/api"
)

// ErrNoOwner says that no process listens at the socket.
var ErrNoOwner = errors.New("no running pithings owns the state folder")

// Client talks with the owner of a state folder.
type Client struct {
	path     string
	http     http.Client
	silence  time.Duration
	answered atomic.Bool // once
	older    atomic.Bool // the owner is of a version before /api/v1
}

// ErrSilent says that the owner of the folder takes connections and does not answer.
var ErrSilent = errors.New("the running pithings that owns the state folder does not answer: it is stopped or stuck; let it continue, or end it")

// silence is how long an owner may take to say anything at all.
const silence = 10 * time.Second

// NewClient returns a client of the socket at path. It connects when it is used.
func NewClient(path string) *Client {
	c := &Client{path: path, silence: silence}
	c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) }}
	return c
}

// Close gives idle connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	short, release, err := shorten(c.path)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoOwner, err)
	}
	defer release()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", short)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoOwner, err)
	}
	return conn, nil
}

// Do sends in as JSON, unless it is nil, and decodes the answer into out, unless
// that is nil. An owner's error is returned with its words alone.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	answer, err := c.ask(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, answer)
		return err
	}
	return json.NewDecoder(answer).Decode(out)
}

// Get returns the owner's answer as it comes. The caller closes it.
func (c *Client) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	return c.ask(ctx, http.MethodGet, path, nil)
}

// ask asks the owner, at the path of an earlier version if the owner is one.
func (c *Client) ask(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	if err := c.probe(ctx); err != nil {
		return nil, err
	}
	if c.older.Load() {
		path = olderPath(path)
	}
	answer, err := c.once(ctx, method, path, body)
	if older := olderPath(path); isUnknownPath(err) && older != path {
		if answer, err = c.once(ctx, method, older, body); err == nil {
			c.older.Store(true)
		}
	}
	if isUnknownPath(err) {
		return nil, &AnswerError{http.StatusNotFound, "the running pithings answers 404 Not Found: is it of another version?"}
	}
	return answer, err
}

func (c *Client) once(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://pithings"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, ErrNoOwner) && errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w that this user may talk with (%w)", ErrNoOwner, fs.ErrPermission)
	}
	if errors.Is(err, ErrNoOwner) {
		return nil, ErrNoOwner
	}
	if err != nil {
		return nil, fmt.Errorf("ask the running pithings: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var p api.Problem
	switch err := cmp.Or(err, json.Unmarshal(text, &p)); {
	case err != nil:
		p.Detail = strings.TrimSpace(string(text))
	case p.Detail == "":
		p.Detail = p.Error // an owner before there were problems
	}
	if p.Detail == "" {
		p.Detail = "the running pithings answers " + resp.Status + ": is it of another version?"
	}
	return nil, &AnswerError{resp.StatusCode, p.Detail}
}

// unknownPath is how owners before there were problems answer a path that they do not have.
const unknownPath = "404 page not found"

func isUnknownPath(err error) bool {
	var answer *AnswerError
	return errors.As(err, &answer) && answer.Status == http.StatusNotFound && (answer.Text == unknownPath || answer.Text == api.NoSuchPath)
}

// olderPath is how agents before /api/v1 call a path.
func olderPath(path string) string {
	if rest, ok := strings.CutPrefix(path, "/api/v1"); ok && (rest == "/flows" || strings.HasPrefix(rest, "/flows/") || strings.HasPrefix(rest, "/flows?")) {
		return rest
	}
	return strings.TrimPrefix(path, "/api")
}

// probe waits for a first answer of the owner, whatever it is. What is really asked
// may take its time.
func (c *Client) probe(ctx context.Context) error {
	if c.answered.Load() {
		return nil
	}
	brief, cancel := context.WithTimeout(ctx, c.silence)
	defer cancel()
	req, err := http.NewRequestWithContext(brief, http.MethodGet, "http://pithings/api/v1/", nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case err == nil:
		c.answered.Store(true)
		return resp.Body.Close()
	case brief.Err() != nil && ctx.Err() == nil:
		return ErrSilent
	}
	return nil // the request itself will tell
}

// AnswerError is an error that the owner has answered with.
type AnswerError struct {
	Status int
	Text   string
}

// Error is the owner's text.
func (e *AnswerError) Error() string { return e.Text }

// Stream is a connection of two processes after the upgrade.
type Stream struct {
	net.Conn
	R *bufio.Reader // to be read from instead of Conn
}

// CloseWrite notifies the other end that no more data comes.
func (s *Stream) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Stream opens a stream.
func (c *Client) Stream(ctx context.Context, path string) (*Stream, error) {
	s, err := c.stream(ctx, path)
	if isUnknownPath(err) {
		return c.stream(ctx, olderPath(path))
	}
	return s, err
}

func (c *Client) stream(ctx context.Context, path string) (*Stream, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(c.silence))
	s, err := upgrade(conn, path)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrSilent
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return s, nil
}

func upgrade(conn net.Conn, path string) (*Stream, error) {
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: pithings\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", path, protocol); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodPost})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return nil, &AnswerError{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	return &Stream{Conn: conn, R: r}, nil
}
