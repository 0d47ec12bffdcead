package events

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pithings/agent/web"
	"pithings/api"
)

// client is one that is connected.
type client struct {
	wants   map[*source]bool
	act     bool   // it may act
	browser string // it is of that browser, with its role; "" if it does not say
	place   uint64 // the number of the last event that it has
	beat    uint64 // the last sign of life
	over    bool   // another of the same browser has come

	resumed bool   // it has all that was before
	missed  string // why it has to read anew
}

// Bounds of a request.
const (
	maxBrowser = 64
	maxKinds   = 64
	// socketBuffer is how much the kernel keeps for a client that reads slowly, in bytes.
	socketBuffer = 32 << 10
)

// Media is the Content-Type of a stream.
const Media = "text/event-stream"

// retry is after how long a browser comes back, in milliseconds.
const retry = 2000

var (
	errEnded = fmt.Errorf("the agent ends: try again (%w)", api.Status(http.StatusServiceUnavailable))
	errMany  = fmt.Errorf("there are too many streams: close one, or try again (%w)", api.Status(http.StatusServiceUnavailable))
)

// ServeHTTP sends events until the client has gone, does not read, or may no longer have them.
func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := s.client(r)
	if err != nil {
		api.Fail(w, err)
		return
	}
	select { // the web server answers before that
	case <-s.began:
	case <-r.Context().Done():
		return
	}
	end, ok := web.Stream(r)
	if !ok {
		api.Fail(w, errMany)
		return
	}
	defer end()
	web.Buffer(r, socketBuffer)
	s.start(c.wants)
	if err := s.join(c, cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("last_event_id"))); err != nil {
		api.Fail(w, err)
		return
	}
	defer s.leave(c)
	h := w.Header()
	h.Set("Content-Type", Media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	h.Set("Connection", "close")     // the buffer is a small one
	if r.Method != http.MethodHead {
		s.send(w, r, c)
	}
}

// client reads a request.
func (s *Stream) client(r *http.Request) (*client, error) {
	c := &client{wants: map[*source]bool{}, act: web.Acts(r)}
	if b := r.FormValue("browser"); len(b) > maxBrowser {
		return nil, fmt.Errorf("browser: at most %d characters (%w)", maxBrowser, api.Status(http.StatusBadRequest))
	} else if b != "" {
		c.browser = fmt.Sprint(c.act, b) // so that none ends a stream of those who may more
	}
	kinds := r.FormValue("kinds")
	for _, one := range s.sources {
		c.wants[one] = kinds == "" && !one.Asked
	}
	if kinds == "" {
		return c, nil
	}
	names := strings.Split(kinds, ",")
	if len(names) > maxKinds {
		return nil, fmt.Errorf("kinds: at most %d (%w)", maxKinds, api.Status(http.StatusBadRequest))
	}
	for _, name := range names {
		i := slices.IndexFunc(s.sources, func(one *source) bool { return one.Kind == name })
		if i < 0 {
			return nil, fmt.Errorf("kinds: there is no kind %.40q: there are %s (%w)", name, strings.Join(s.kinds(), ", "), api.Status(http.StatusBadRequest))
		}
		c.wants[s.sources[i]] = true
	}
	return c, nil
}

// join adds a client behind the event that it has seen last.
func (s *Stream) join(c *client, seen string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended || s.ring == nil:
		return errEnded
	case len(s.clients) >= maxClients:
		return errMany
	}
	for other := range s.clients {
		if c.browser != "" && other.browser == c.browser {
			other.over = true
			s.tell(time.Now())
		}
	}
	s.clients[c] = struct{}{}
	c.place, c.beat = s.ring.last, s.beat
	if seen != "" {
		s.resume(c, seen)
	}
	return nil
}

// resume puts a client behind the event of an id, if all that followed is known. The lock is held.
func (s *Stream) resume(c *client, seen string) {
	n, ok := s.ring.number(seen)
	if !ok {
		c.missed = "that id is of an earlier time"
		return
	}
	_, ok = s.ring.after(n)
	for one, wanted := range c.wants {
		ok = ok && (!wanted || one.from <= n+1)
	}
	if !ok {
		c.missed = "there were too many events since"
		return
	}
	c.place, c.resumed = n, true
}

func (s *Stream) leave(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

// send writes what a client is to have, until it is over.
func (s *Stream) send(w http.ResponseWriter, r *http.Request, c *client) {
	conn := http.NewResponseController(w)
	head := fmt.Appendf(nil, "retry: %d\n\n", retry)
	if c.missed == "" && !c.resumed {
		head = append(head, s.begins(c)...)
	}
	for all, last := [][]byte{head}, false; ; {
		if len(all) > 0 {
			if !web.Allowed(r) || c.act && !web.Acts(r) { // one that may only look any more asks anew
				return
			}
			_ = conn.SetWriteDeadline(time.Now().Add(s.patience)) // there is none in a test without a connection
			for _, text := range all {
				if _, err := w.Write(text); err != nil {
					return
				}
			}
			if conn.Flush() != nil || last {
				return
			}
		}
		var news <-chan struct{}
		if all, news, last = s.next(c); len(all) > 0 {
			continue
		}
		if last || !wait(r.Context(), news) {
			return
		}
	}
}

func wait(ctx context.Context, news <-chan struct{}) bool {
	select {
	case <-news:
		return true
	case <-ctx.Done():
		return false
	}
}

// begins is the first event of a client: its place, and which kinds it gets.
func (s *Stream) begins(c *client) []byte {
	var kinds []string
	for one, wanted := range c.wants {
		if wanted {
			kinds = append(kinds, one.Kind)
		}
	}
	slices.Sort(kinds)
	data, _ := json.Marshal(map[string]any{"kinds": kinds}) // texts cannot fail
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring == nil {
		return nil
	}
	return fmt.Appendf(nil, "id: %s\nevent: begin\ndata: %s\n\n", s.ring.place(c.place), data)
}

// batch is how much a client is given at a time, in bytes.
const batch = 64 << 10

// next takes what a client is to have now. Without anything news says when to ask again. With
// last it is the end.
func (s *Stream) next(c *client) (all [][]byte, news <-chan struct{}, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.ring == nil {
		return nil, nil, true
	}
	if c.over {
		return [][]byte{[]byte("event: elsewhere\ndata: {}\n\n")}, nil, true
	}
	events, ok := s.ring.after(c.place)
	if !ok {
		c.missed = "the client reads too slowly"
	}
	if c.missed != "" {
		data, _ := json.Marshal(map[string]string{"reason": c.missed}) // a text cannot fail
		c.place, c.missed, c.beat = s.ring.last, "", s.beat
		return [][]byte{fmt.Appendf(nil, "id: %s\nevent: reset\ndata: %s\n\n", s.ring.place(c.place), data)}, nil, false
	}
	n := 0
	for _, e := range events {
		if n > batch {
			return all, nil, false
		}
		c.place++
		if c.wants[e.source] {
			text := e.text(c.act)
			all, n = append(all, text), n+len(text)
		}
	}
	if c.beat != s.beat {
		if c.beat = s.beat; len(all) == 0 {
			all = [][]byte{[]byte(":\n\n")}
		}
	}
	return all, s.news, false
}
