package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"pithings/agent/access"
	"pithings/hw/mock"
)

// streamClient is a client of the stream of events.
type streamClient struct {
	t     *testing.T
	lines *bufio.Scanner
	seen  []string // kinds and data
}

// openEvents opens the stream of an agent. The request is of this machine unless prepare says otherwise.
func openEvents(t *testing.T, a *Agent, query string, prepare func(*http.Request)) *streamClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.WebAddr()+"/api/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s %s", answer.Status, text)
	}
	c := &streamClient{t: t, lines: bufio.NewScanner(answer.Body)}
	c.lines.Buffer(nil, 1<<20)
	c.want("begin", "kinds")
	return c
}

// next reads an event; ok: the stream has not ended.
func (c *streamClient) next() (kind, data string, ok bool) {
	for c.lines.Scan() {
		name, value, _ := strings.Cut(c.lines.Text(), ": ")
		switch name {
		case "event":
			kind = value
		case "data":
			data = value
		case "":
			if kind != "" {
				c.seen = append(c.seen, kind+" "+data)
				return kind, data, true
			}
		}
	}
	return kind, data, false
}

// want reads up to an event of that kind with all of that in its data.
func (c *streamClient) want(kind string, parts ...string) (data string) {
	c.t.Helper()
	for {
		k, data, ok := c.next()
		if !ok {
			c.t.Fatalf("no %s with %q before the end (%v): %s", kind, parts, c.lines.Err(), strings.Join(c.seen, "\n"))
		}
		has := k == kind
		for _, p := range parts {
			has = has && strings.Contains(data, p)
		}
		if has {
			return data
		}
	}
}

// ends reads up to the end of the stream.
func (c *streamClient) ends(why string) {
	c.t.Helper()
	for ok := true; ok; {
		_, _, ok = c.next()
	}
	if err := c.lines.Err(); err != nil {
		c.t.Errorf("%s does not end the stream: %v", why, err)
	}
}

// What things, flows and connections do, and a reload, is in the stream as the lists have it.
func TestEventsOfAnAgent(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	c := openEvents(t, l.agent, "kinds=event", nil)
	runs := openEvents(t, l.agent, "kinds=execution,step", nil)
	lists := openEvents(t, l.agent, "", nil)
	l.move()
	motion := c.want("event", `"thing":"TG_MS"`, `"isMotionDetected":true`)
	var e thingEvent
	if err := json.Unmarshal([]byte(motion), &e); err != nil || e.At.IsZero() || e.Readings["motion"].Value != true {
		t.Errorf("%s: %v", motion, err)
	}
	begins := runs.want("execution", `"status":"RUNNING"`)
	var x struct{ ID string }
	if err := json.Unmarshal([]byte(begins), &x); err != nil || x.ID == "" {
		t.Fatalf("%s: %v", begins, err)
	}
	runs.want("step", `"execution":"`+x.ID, "STEP")
	runs.want("execution", `"id":"`+x.ID, `"status":"SUCCEEDED"`)
	lists.want("deployment", `"name":"SecurityFlow"`, `"succeeded":1`)
	l.agent.reloaded.emit(Reloaded{Things: []string{"TG_MS"}})
	lists.want("reload", "TG_MS")
	l.agent.things.health.set(t.Context(), "TG_MS", io.ErrUnexpectedEOF, l.agent.log)
	lists.want("thing", `"name":"TG_MS"`, `"type":"motion"`, `"state":"down"`, "unexpected EOF")
	l.stop()
	c.ends("the end of the agent")
}

// A session or a token that ends takes its streams along, at once, and leaves those of others.
func TestStreamsEndWithTheirAccess(t *testing.T) {
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	door := a.web.door
	set := func(password string) {
		t.Helper()
		hash, err := access.Hash(password)
		if err == nil {
			err = door.SetPassword(hash)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	set(testPassword)
	elsewhere := func(header, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Host = "pi.example" // so that this machine is no reason
			r.Header.Set(header, value)
		}
	}
	token := func(name string) *streamClient {
		t.Helper()
		secret, err := door.AddToken(name, access.Look, nil)
		if err != nil {
			t.Fatal(err)
		}
		return openEvents(t, a, "", elsewhere("Authorization", "Bearer "+secret))
	}
	login := func() (*streamClient, string) {
		t.Helper()
		s, err := door.Login(t.Context(), netip.MustParsePrefix("192.0.2.1/32"), testPassword)
		if err != nil {
			t.Fatal(err)
		}
		return openEvents(t, a, "", elsewhere("Cookie", "pithings-session="+s.ID)), s.ID
	}
	here, stays, revoked := openEvents(t, a, "", nil), token("stays"), token("revoked")
	left, id := login()
	other, _ := login()
	if err := door.RevokeToken("revoked"); err != nil {
		t.Fatal(err)
	}
	revoked.ends("a token that is revoked")
	door.Logout(id)
	left.ends("a logout")
	a.reloaded.emit(Reloaded{Flows: true})
	for _, c := range []*streamClient{here, stays, other} {
		c.want("reload", "flows")
	}
	set("another long password")
	other.ends("another password")
	a.reloaded.emit(Reloaded{Gateway: true})
	for _, c := range []*streamClient{here, stays} {
		c.want("reload", "gateway")
	}
}

// Messages are among the events for those who ask for them, and their payloads for those who may act.
func TestMessagesAmongEvents(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	secret, err := l.agent.web.door.AddToken("act", access.Act, nil)
	if err != nil {
		t.Fatal(err)
	}
	act := openEvents(t, l.agent, "kinds=message", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) })
	look := openEvents(t, l.agent, "kinds=message", nil)
	for _, tc := range []struct{ topic, payload, direction, want string }{
		{"TG_Screen/display", `{"imageUri":"http://h.example/x?signature=hunter22"}`, "in", `"payload":"{\"imageUri\":\"http://h.example/x?[secret]`},
		{"TG_Screen/display", "\xff\x00", "in", `"binary":true`},
		{"TG_Screen/display", strings.Repeat("é", 3000), "in", `"bytes":6000`},
		{"TG_MS/motion", "", "out", `"payload":"{\"isMotionDetected\": true}"`},
	} {
		if tc.direction == "in" {
			l.publish(tc.topic, tc.payload)
		} else {
			l.move()
		}
		for _, c := range []*streamClient{act, look} {
			want := []string{`"topic":"` + tc.topic, `"direction":"` + tc.direction, `"connection":"shared"`}
			if c == act {
				want = append(want, tc.want)
			}
			data := c.want("message", want...)
			if c == look && (strings.Contains(data, "payload") || strings.Contains(data, "binary")) || strings.Contains(data, "hunter22") {
				t.Errorf("%s", data)
			}
		}
	}
	if data := strings.Join(act.seen, "\n"); !strings.Contains(data, `é…","cut":true`) {
		t.Errorf("%s", data)
	}
	// Without its token, this machine may still look, but not in the same stream.
	if err := l.agent.web.door.RevokeToken("act"); err != nil {
		t.Fatal(err)
	}
	act.ends("a token that is revoked")
	l.publish("TG_Camera/capture", "{}")
	look.want("message", "TG_Camera/capture")
}
