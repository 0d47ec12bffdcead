package events

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent/web"
	"pithings/api"
)

// longest bounds waits for what must come; it is no measure of speed.
const longest = 30 * time.Second

// sources are those of a test: news are followed, asked ones, too, and states is a list.
type sources struct {
	mu     sync.Mutex
	add    map[string]func(any) // by kind, while it is followed
	states map[string]any
	note   func()
	looks  int
}

func (s *sources) follow(kind string) func(func(any)) func() {
	return func(add func(any)) func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add[kind] = add
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.add, kind)
		}
	}
}

// happen emits an event; false: no one follows.
func (s *sources) happen(kind string, v any) bool {
	s.mu.Lock()
	add := s.add[kind]
	s.mu.Unlock()
	if add != nil {
		add(v)
	}
	return add != nil
}

func (s *sources) set(key string, v any, note bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v == nil {
		delete(s.states, key)
	} else {
		s.states[key] = v
	}
	if note && s.note != nil {
		s.note()
	}
}

func (s *sources) looked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks
}

// running is a stream that runs.
func running(t *testing.T) (*Stream, *sources) {
	t.Helper()
	from := &sources{add: map[string]func(any){}, states: map[string]any{"a": "begins"}}
	s := New(
		Source{Kind: "news", Follow: from.follow("news")},
		Source{Kind: "log", Asked: true, Follow: from.follow("log")},
		Source{Kind: "state", List: func() map[string]any {
			from.mu.Lock()
			defer from.mu.Unlock()
			from.looks++
			now := map[string]any{}
			for k, v := range from.states {
				now[k] = map[string]any{"key": k, "is": v}
			}
			return now
		}, Changes: func(note func()) func() {
			from.mu.Lock()
			defer from.mu.Unlock()
			from.note = note
			return func() {}
		}},
	)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return s, from
}

// reader is a client: what is sent to it, event by event.
type reader struct {
	t      *testing.T
	lines  *bufio.Scanner
	end    context.CancelFunc
	ended  chan struct{}
	status int
}

// sent is an event as a client gets it.
type sent struct{ id, kind, data string }

// open asks for the stream. seen goes into Last-Event-ID.
func open(t *testing.T, s *Stream, query, seen string) *reader {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequest(http.MethodGet, "/api/v1/events?"+query, nil).WithContext(ctx)
	if seen != "" {
		r.Header.Set("Last-Event-ID", seen)
	}
	out, in := io.Pipe()
	c := &reader{t: t, lines: bufio.NewScanner(out), end: cancel, ended: make(chan struct{})}
	c.lines.Buffer(nil, 1<<20)
	began := make(chan int, 1)
	go func() {
		defer close(c.ended)
		s.ServeHTTP(&writer{in, http.Header{}, began}, r)
		in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		out.Close()
		<-c.ended
	})
	c.status = <-began
	return c
}

// writer is a response that is read while it is written.
type writer struct {
	io.Writer
	header http.Header
	began  chan int
}

func (w *writer) Header() http.Header { return w.header }
func (w *writer) WriteHeader(status int) {
	if w.began != nil {
		w.began <- status
		w.began = nil
	}
}
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.Writer.Write(p)
}
func (w *writer) Flush() {}

// next is the next event; ok: the stream has not ended. Comments and retry are left out.
func (c *reader) next() (e sent, ok bool) {
	for c.lines.Scan() {
		name, value, _ := strings.Cut(c.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.kind != "" {
				return e, true
			}
		}
	}
	return e, false
}

// want reads an event of that kind with that in its data.
func (c *reader) want(kind, data string) sent {
	c.t.Helper()
	e, ok := c.next()
	if !ok || e.kind != kind || !strings.Contains(e.data, data) {
		c.t.Fatalf("%+v, %v; want %s with %s", e, ok, kind, data)
	}
	return e
}

// A client gets what happens, what changes in lists, and of kinds that must be asked for only what
// it asks for.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, from := running(t)
		if from.happen("news", "no client listens") || from.looked() != 0 {
			t.Error("a source is followed without a client")
		}
		c := open(t, s, "", "")
		c.want("begin", `{"kinds":["news","state"]}`)
		from.happen("news", 1)
		first := c.want("news", "1")
		from.set("a", "other", true)
		c.want("state", `{"is":"other","key":"a"}`)
		from.set("b", "new", false) // it shows within a second
		c.want("state", `{"is":"new","key":"b"}`)
		from.set("b", nil, false)
		c.want("state", `{"key":"b","gone":true}`)
		if from.happen("log", "a line") {
			t.Error("the log is followed although no client has asked for it")
		}
		other := open(t, s, "kinds=log", "")
		other.want("begin", `{"kinds":["log"]}`)
		from.happen("news", 2)
		from.happen("log", "a line")
		other.want("log", `"a line"`)
		last := c.want("news", "2")
		if first.id == "" || first.id == last.id {
			t.Errorf("ids %q, %q", first.id, last.id)
		}
		if got := open(t, s, "kinds=log,nonsense", "").status; got != http.StatusBadRequest {
			t.Errorf("a kind that there is not: %d", got)
		}
		if got := open(t, s, "browser="+strings.Repeat("x", 65), "").status; got != http.StatusBadRequest {
			t.Errorf("a long browser: %d", got)
		}
	})
}

// A client that comes back gets what it has missed; one that cannot gets a reset.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, from := running(t)
		c := open(t, s, "", "")
		begin := c.want("begin", "")
		from.happen("news", "seen")
		seen := c.want("news", "seen")
		c.end()
		<-c.ended
		from.happen("news", "missed")
		from.set("a", "missed, too", true)
		time.Sleep(30 * time.Second)
		c = open(t, s, "last_event_id="+seen.id, "")
		c.want("news", "missed")
		last := c.want("state", "missed, too")
		c.end()
		<-c.ended
		// The browser's header is newer than what the page has put into the address.
		c = open(t, s, "last_event_id="+seen.id, last.id)
		from.happen("news", "newer")
		c.want("news", "newer")
		c.end()
		<-c.ended
		for name, id := range map[string]string{"of another run": "aabbccddeeff-1", "none": "x", "of the future": strings.Replace(last.id, "-", "-9", 1)} {
			c := open(t, s, "", id)
			if e := c.want("reset", "reason"); e.id == "" {
				t.Errorf("%s: no new id", name)
			}
			c.end()
			<-c.ended
		}
		// The log was not followed meanwhile.
		c = open(t, s, "kinds=news,log", last.id)
		c.want("reset", "too many")
		c.end()
		<-c.ended
		for i := range maxEvents + 1 {
			from.happen("news", i)
		}
		c = open(t, s, "", begin.id)
		c.want("reset", "too many")
		from.happen("news", "and on")
		c.want("news", "and on")
	})
}

// A minute after the last client has gone, nothing is left: no timer, no ring, no source.
func TestNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, from := running(t)
		c := open(t, s, "", "")
		id := c.want("begin", "").id
		c.end()
		<-c.ended
		time.Sleep(keep*turn - 5*time.Second)
		if !from.happen("news", "in time") {
			t.Fatal("the ring is not kept for a minute")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		looks := from.looked()
		if from.happen("news", "too late") || s.ring != nil || looks == 0 {
			t.Errorf("followed after a minute, %d looks, ring %v", looks, s.ring)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if from.looked() != looks {
			t.Error("lists are looked at although there is no client")
		}
		open(t, s, "", id).want("reset", "earlier time")
	})
}

// Whatever happens, the ring is bounded, a client gets all or a reset, and none gets events more
// often than the pace.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, from := running(t)
		c := open(t, s, "", "")
		c.want("begin", "")
		big := strings.Repeat("x", 10_000)
		for range 1000 {
			from.happen("news", big)
		}
		s.mu.Lock()
		if s.ring.bytes > maxBytes || len(s.ring.all) > maxEvents || s.ring.bytes < maxBytes/2 {
			t.Errorf("%d events, %d bytes", len(s.ring.all), s.ring.bytes)
		}
		s.mu.Unlock()
		resets := 0
		for e, ok := c.next(); e.data != `"and on"`; e, ok = c.next() {
			switch {
			case e.kind == "reset": // a second one may be behind the next event
				resets++
				from.happen("news", "and on")
			case !ok || e.kind != "news":
				t.Fatalf("%+v", e)
			}
		}
		if resets == 0 {
			t.Error("the client has missed events without a reset")
		}
		from.happen("news", strings.Repeat("x", maxData+1))
		for e, _ := c.next(); e.data != `{"too_large":32771}`; e, _ = c.next() {
			if e.data != `"and on"` {
				t.Fatalf("%+v", e)
			}
		}
		from.happen("news", func() {}) // no JSON
		c.want("news", `{"error":`)
	})
}

// Of one browser there is one stream: a newer tab has it, and the older one ends.
func TestOneStreamForABrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, from := running(t)
		a, other := open(t, s, "browser=one", ""), open(t, s, "browser=two", "")
		a.want("begin", "")
		other.want("begin", "")
		b := open(t, s, "browser=one", "")
		b.want("begin", "")
		a.want("elsewhere", "{}")
		if e, ok := a.next(); ok {
			t.Errorf("%+v behind the end", e)
		}
		from.happen("news", 1)
		b.want("news", "1")
		other.want("news", "1")
	})
}

// The end of the stream ends its clients, and there are not too many of them.
func TestTooManyAndTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Source{Kind: "news", Follow: func(func(any)) func() { return func() {} }})
		ctx, stop := context.WithCancel(t.Context())
		early := make(chan *reader)
		go func() { early <- open(t, s, "", "") }() // waits until it runs
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		all := []*reader{<-early}
		for range maxClients - 1 {
			all = append(all, open(t, s, "", ""))
		}
		if got := open(t, s, "", "").status; got != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", got)
		}
		stop()
		<-ended
		for _, c := range all {
			c.want("begin", "")
			if e, ok := c.next(); ok {
				t.Errorf("%+v behind the end", e)
			}
			<-c.ended
		}
		if got := open(t, s, "", "").status; got != http.StatusServiceUnavailable {
			t.Errorf("behind the end: %d", got)
		}
	})
}

// What only those may see who act is not sent to those who look.
func TestRestricted(t *testing.T) {
	s := &source{Source: Source{Kind: "message"}}
	r := &ring{id: "x"}
	r.add(s, encode(Restricted{}.Look), encode("payload"))
	if e := r.all[0]; string(e.text(false)) != "id: x-1\nevent: message\ndata: null\n\n" || string(e.text(true)) != "id: x-1\nevent: message\ndata: \"payload\"\n\n" {
		t.Errorf("%s%s", e.text(false), e.text(true))
	}
}

// deaf are TCP connections that ask for the stream and never read.
func deaf(t *testing.T, addr string, n int) (all []net.Conn) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		if _, err := io.WriteString(c, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// Fifty clients that stop reading are dropped, and another one gets each event meanwhile.
// (Issue L, must hold 4.)
func TestClientsThatDoNotReadAreDropped(t *testing.T) {
	s, from := running(t)
	s.patience = 1000 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := web.New(l, 64, slog.New(slog.DiscardHandler))
	w.Serve([]api.Route{{Method: http.MethodGet, Path: "/api/v1/events", For: api.Look, Doc: "x", Handler: s}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	addr := w.Addr().String()
	get := func() *bufio.Scanner {
		t.Helper()
		answer, err := http.Get("http://" + addr + "/api/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatal(answer.Status)
		}
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		return lines
	}
	good := &reader{t: t, lines: get()}
	good.want("begin", "")
	deaf(t, addr, 50)
	until(t, "51 clients", func() bool { return s.connected() == 51 })
	text := strings.Repeat("x", 20_000)
	for i := 0; s.connected() > 1; i++ { // as much as the kernel takes for each of them, and a little more
		if from.happen("news", fmt.Sprint(i, text)); i > 100_000 {
			t.Fatalf("%d clients are still there", s.connected())
		}
		good.want("news", fmt.Sprint(i, "x"))
	}
	from.happen("news", "all is well")
	good.want("news", "all is well")
	if second := (&reader{t: t, lines: get()}); second.want("begin", "").id == "" {
		t.Error("no id")
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(longest); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no " + what)
		}
	}
}

// The kinds are listed in order, in errors.
func TestKinds(t *testing.T) {
	s, _ := running(t)
	if got := s.kinds(); !slices.Equal(got, []string{"log", "news", "state"}) {
		t.Error(got)
	}
}
