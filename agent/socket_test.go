package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/api"
)

// What the commands of earlier versions ask for. It never changes.
var earlierPaths = []string{
	"GET /v1/agent", "GET /v1/connections", "POST /v1/messages?connection=", "GET /v1/part?part=x&action=y", "POST /v1/part",
	"GET /v1/queues/x", "GET /v1/queues/x/messages", "POST /v1/queues/x/purge", "GET /v1/reading?bus=1&address=0", "POST /v1/reload",
	"GET /flows", "GET /flows/show?name=x", "GET /flows/executions", "GET /flows/execution?id=x",
	"POST /flows/deploy", "POST /flows/undeploy", "POST /flows/delete", "POST /flows/start",
}

// untimed is an answer without what differs from one moment to the next: a connection does not stand still.
func untimed(text string) string {
	return regexp.MustCompile(`,?"(next_attempt|since|state|error)":("(\\.|[^"\\])*"|[0-9.e-]+)`).ReplaceAllString(text, "")
}

// dialSocket connects to the local socket of an agent.
func dialSocket(t *testing.T, a *Agent) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", a.folder.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Commands of earlier versions find what they know at the paths of their time.
func TestPathsOfEarlierVersions(t *testing.T) {
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", a.folder.Socket())
	}}}
	defer client.CloseIdleConnections()
	ask := func(method, path string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, "http://pithings"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for _, pattern := range earlierPaths {
		method, path, _ := strings.Cut(pattern, " ")
		status, text := ask(method, path)
		if status == http.StatusMethodNotAllowed || strings.HasPrefix(text, "404 page") {
			t.Errorf("%s: %d %s", pattern, status, text)
		}
		now := "/api" + path
		if strings.HasPrefix(path, "/flows") {
			now = "/api/v1" + path
		}
		if path == "/v1/reading?bus=1&address=0" { // another measurement
			continue
		}
		if s, same := ask(method, now); s != status || untimed(same) != untimed(text) {
			t.Errorf("%s: %d %s, and %d %s today", pattern, status, text, s, same)
		}
	}
	if status, text := ask("GET", "/v2/agent"); status != http.StatusNotFound {
		t.Errorf("%d %s", status, text)
	}
}

// A sender that does not end its request is answered, and its turn is free for others.
func TestSlowSenderIsAnswered(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a request may")
	}
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	var slow []net.Conn
	for range partActions {
		c := dialSocket(t, a)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: pithings\r\nContent-Length: 100\r\n\r\n{\"part\":", partPath)
		slow = append(slow, c)
	}
	for _, c := range slow {
		c.SetReadDeadline(time.Now().Add(patience))
		answer := make([]byte, 4096)
		n, err := c.Read(answer)
		if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 408 ") {
			t.Errorf("%q, %v", answer[:n], err)
		}
	}
	c := dialSocket(t, a)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: pithings\r\nContent-Length: 2\r\n\r\n{}", partPath)
	c.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, 4096)
	if n, err := c.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 404 ") {
		t.Errorf("%q, %v", answer[:n], err)
	}
}

// What cannot be done is answered with a status and a reason in JSON.
func TestSocketAnswersErrorsAsJSON(t *testing.T) {
	a := newAgent(t, t.TempDir())
	runAgent(t, a)
	for _, path := range []string{"/api/v1/queues/none", "/api/v1/reading?bus=9&address=0", "/api/v1/part?part=none", "/api/v1/flows/execution?id=none"} {
		c := dialSocket(t, a)
		fmt.Fprintf(c, "GET %s HTTP/1.0\r\nHost: pithings\r\n\r\n", path)
		text, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(text), "\r\n\r\n")
		var f api.Problem
		if status := strings.Fields(head)[1]; !slices.Contains([]string{"404", "409"}, status) || json.Unmarshal([]byte(body), &f) != nil || f.Detail == "" || strconv.Itoa(f.Status) != status {
			t.Errorf("%s: %s", path, text)
		}
	}
}
