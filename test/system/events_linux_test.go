//go:build system

package system

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/agent/access"
	"pithings/test/binary"
)

// anonymous is a process's memory that no file backs, in KiB.
func anonymous(t *testing.T, pid int) int {
	t.Helper()
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^Anonymous:\s+(\d+) kB`).FindSubmatch(rollup)
	if m == nil {
		t.Fatalf("no Anonymous in %s", rollup)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// TestMemoryOfEvents: with all four parts, an agent is within its bound after a login, whose 19 MiB
// are given back, and fifty streams of events add at most 10 MB. (Issue L, must hold 4.)
func TestMemoryOfEvents(t *testing.T) {
	const idleMost, streamsMost, streams = 10_000_000 / 1024, 10_000_000 / 1024, 50 // KiB
	const password = "correct horse battery"
	hash, err := access.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	web := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	open := func(c *exec.Cmd) {
		c.Env = append(environment(t), "PITHINGS_DUMPABLE=1", "PITHINGS_HTTP_PASSWORD_HASH="+hash)
	}
	p := startAs(t, open, binary.Path, "run", "--mock", "--endpoint", fmt.Sprintf("mqtt://127.0.0.1:%d", mosquitto(t)), "--listen", web)
	for range 2 {
		p.log("EXECUTION_SUCCEEDED")
	}
	settled := func(what string) int {
		t.Helper()
		p.log("EXECUTION_SUCCEEDED")
		time.Sleep(4 * time.Second) // between pictures is a time, not an event
		n := anonymous(t, p.cmd.Process.Pid)
		t.Logf("%s: %d KiB anonymous", what, n)
		return n
	}
	settled("before a login")
	answer, err := http.Post("http://"+web+"/api/v1/login", "application/json", strings.NewReader(fmt.Sprintf(`{"password": %q}`, password)))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("login: %s %s", answer.Status, text)
	}
	idle := settled("after a login")
	if idle > idleMost {
		t.Errorf("after a login: %d KiB of anonymous memory, want at most %d", idle, idleMost)
	}
	got := make(chan string, streams)
	for range streams {
		answer, err := http.Get("http://" + web + "/api/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status)
		}
		go func() {
			seen := false
			lines := bufio.NewScanner(answer.Body)
			for lines.Buffer(nil, 1<<20); lines.Scan(); {
				if !seen && lines.Text() == "event: event" {
					seen = true
					got <- ""
				}
			}
		}()
	}
	for range streams {
		select {
		case <-got:
		case <-time.After(time.Minute):
			t.Fatal("a stream has no event")
		}
	}
	if more := settled("with 50 streams") - idle; more > streamsMost {
		t.Errorf("50 streams add %d KiB, want at most %d", more, streamsMost)
	}
}
