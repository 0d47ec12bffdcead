package pub

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/spool/control"
	"pithings/spool/queue"
)

// The stream: the client sends messages, each a queue.Line, and the owner answers
// with lines "safe N", "held N" and "refused N WHY", N being the number of the
// message in the stream.
const streamPath = "/api/v1/messages"

const (
	maxLine    = 2*MaxLine + queue.LineOverhead // bytes of a message as a line
	batchCount = 1024                           // messages put at a time
	batchBytes = 1 << 20
	answerWait = 3 * time.Second // of a client, for the last answers, as the owner ends
)

// Routes take messages of other processes. desk returns the desk of a connection by its name
// ("" is the usual one).
func Routes(desk func(connection string) (Desk, error)) []api.Route {
	return []api.Route{{Method: http.MethodPost, Path: streamPath, For: api.Group, Doc: "hand messages over for a connection, as a stream", Media: "application/octet-stream",
		Params: []api.Param{{Name: "connection", Doc: "name of a thing with a connection of its own; empty: the usual one"}},
		Handler: control.StreamHandler(func(ctx context.Context, r *http.Request, c *control.Stream) {
			d, err := desk(r.URL.Query().Get("connection"))
			if err != nil {
				fmt.Fprintf(c, "refused 0 %s\n", mqttlink.Explain(err))
				return
			}
			serve(ctx, d, c)
		})}}
}

func serve(ctx context.Context, d Desk, c *control.Stream) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	// The owner's end: what has been read is answered, the rest is the client's.
	stop := context.AfterFunc(ctx, func() {
		c.SetReadDeadline(time.Unix(1, 0))
		c.SetWriteDeadline(time.Now().Add(answerWait)) // a client that is stopped takes none
	})
	defer stop()
	w := bufio.NewWriter(c)
	counter := newCounter(d, func(vs []Verdict) {
		for _, v := range vs {
			w.WriteString(string(v.Fate) + " " + strconv.Itoa(v.N))
			if v.Why != "" {
				w.WriteString(" " + v.Why)
			}
			w.WriteByte('\n')
		}
		if w.Flush() != nil {
			cancel() // the client has gone
		}
	})
	wg.Go(func() {
		// It ends before the stream does when the outbox was closed, by a reload: what was not
		// reported safe the client hands over again, to the one that follows.
		counter.run(ctx)
		cancel()
	})
	for {
		ms, err := readMessages(c.R)
		if len(ms) > 0 && counter.put(context.WithoutCancel(ctx), ms) != nil {
			return
		}
		var bad *badLine
		if errors.As(err, &bad) || errors.Is(err, errLineTooLong) { // a client of another version
			fmt.Fprintf(c, "refused 0 %v\n", err)
			return
		}
		if err == io.EOF { // all has come; what is unsaved is reported when it is safe
			counter.rest(ctx)
		}
		if err != nil {
			return
		}
	}
}

// badLine is a line that is no message.
type badLine struct{ err error }

func (e *badLine) Error() string { return e.err.Error() }

// readMessages reads a message, and those behind it that have come already.
func readMessages(r *bufio.Reader) (ms []mqttlink.Message, err error) {
	for size := 0; ; {
		text, err := readLine(r, maxLine)
		if err != nil {
			return ms, err
		}
		m, err := queue.ParseLine(text)
		if err != nil {
			return ms, &badLine{err}
		}
		ms = append(ms, m)
		size += len(text)
		if len(ms) >= batchCount || size >= batchBytes || !anotherLine(r) {
			return ms, nil
		}
	}
}

// anotherLine reports whether a whole line has come already.
func anotherLine(r *bufio.Reader) bool {
	ready, _ := r.Peek(r.Buffered())
	return bytes.IndexByte(ready, '\n') >= 0
}

// errLineTooLong says that a line was longer than the limit; it has been read.
var errLineTooLong = errors.New("the line is too long")

// readLine reads a line without its end. A last line need not have one.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if !long {
			line = append(line, part...)
		}
		if len(line) > limit+1 {
			long, line = true, nil
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) > 0 && !long:
			return line, nil
		case err != nil:
			return nil, err
		case long:
			return nil, errLineTooLong
		}
		return line[:len(line)-1], nil
	}
}

// remote is a stream to the owner.
type remote struct {
	stream *control.Stream
	w      *bufio.Writer
	inbox  *inbox
	closed chan struct{} // nothing comes any more
	err    error         // why
}

// newRemote opens a stream to the owner of a socket.
func newRemote(ctx context.Context, c *control.Client, connection string) (*remote, error) {
	s, err := c.Stream(ctx, streamPath+"?connection="+url.QueryEscape(connection))
	if err != nil {
		return nil, err
	}
	r := &remote{stream: s, w: bufio.NewWriterSize(s, 64<<10), inbox: newInbox(), closed: make(chan struct{})}
	go r.read()
	return r, nil
}

// read hands the owner's answers on.
func (r *remote) read() {
	defer close(r.closed)
	defer r.inbox.leave()
	for {
		line, err := readLine(r.stream.R, 4096)
		if err != nil {
			r.err = err
			return
		}
		v, err := parseVerdict(string(line))
		if err != nil {
			r.err = err
			return
		}
		r.inbox.tell([]Verdict{v})
	}
}

// errOwnerRefuses is wrapped by what ends a stream for good.
var errOwnerRefuses = errors.New("the running pithings refuses")

func parseVerdict(line string) (v Verdict, err error) {
	fate, rest, _ := strings.Cut(line, " ")
	number, why, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	f := Fate(fate)
	if err != nil || f != Safe && f != Unsaved && f != Refused {
		return v, fmt.Errorf("%w: it answers %.80q: is it of another version?", errOwnerRefuses, line)
	}
	if n <= 0 {
		return v, fmt.Errorf("%w: %s", errOwnerRefuses, why)
	}
	return Verdict{n, f, why}, nil
}

func (r *remote) put(_ context.Context, ms []mqttlink.Message) error {
	for i := range ms {
		r.w.WriteString(queue.FromMessage(&ms[i]).String())
		r.w.WriteByte('\n')
	}
	return r.w.Flush()
}

func (r *remote) verdicts() *inbox       { return r.inbox }
func (r *remote) cause() error           { return r.err }
func (r *remote) asked() <-chan struct{} { return nil }

// close ends the stream, and waits until nothing more comes from it.
func (r *remote) close() error {
	r.stream.Close()
	<-r.closed
	return nil
}
