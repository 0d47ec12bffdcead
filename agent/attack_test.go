package agent

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/hw/mock"
	"pithings/mqttlink"
)

// attacker is another client of the broker.
func (l *lab) attacker() *mqttlink.Link {
	l.t.Helper()
	o := mqttlink.DefaultOptions()
	o.Endpoint = l.agent.Endpoint()
	link, err := mqttlink.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx := l.t.Context()
	go func() { ended <- link.Run(ctx) }()
	l.t.Cleanup(func() { <-ended })
	l.until("the attacker's connection", link.Connected)
	return link
}

func (l *lab) logLines() int { return strings.Count(l.log.String(), "\n") }

// show has a picture shown, and returns how long it took until the screen was seen with it.
func (l *lab) show() time.Duration {
	l.t.Helper()
	uri, want := swatch(l.t)
	began := time.Now()
	l.publish("TG_Screen/display", `{"imageUri":"`+uri+`"}`)
	l.until("the swatch on the screen", func() bool { return distance(l.mirror().At(320, 240), want) <= 8 })
	return time.Since(began)
}

// TestFloods: whatever others send, over and over, the log stays short, no queue fills,
// and the next good command works.
//
// The lines that others can cause, by where they are written:
//
//	things      display command ignored, picture not shown, screen not cleared, no picture,
//	            retained capture command ignored, motion/readings not published
//	remote      answer ignored, another answer, answer after its time-out, event ignored
//	engine      EXECUTION_…, start dropped, event too old, trigger not computed
//	mqttlink    no connection, handler too slow, message too large, dead letter,
//	            message not taken, no subscription, client id taken over
//	broker      a connection refused; the library's own at debug
//	agent       too many connections to the web server, the server's own at debug,
//	            part does not work, flow deployed and undeployed (the local socket)
func TestFloods(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(fourThings, 0, ""))
	n := 5000
	if testing.Short() {
		n = 500
	}
	link := l.attacker()
	send := func(topic, payload string, retain bool) {
		t.Helper()
		m := mqttlink.Message{Topic: topic, Payload: []byte(payload), Retain: retain}
		if err := link.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(addr, text string) {
		c, err := net.Dial("tcp", strings.TrimPrefix(addr, "mqtt://"))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, text) // it may be refused already
		c.Close()
	}
	huge := strings.Repeat("x", 500<<10)
	web := l.agent.WebAddr()
	for _, flood := range []struct {
		name  string
		n     int
		lines int // logged at most
		send  func(i int)
	}{
		{"display commands that fail", n, 40, func(int) { send("TG_Screen/display", `{"imageUri":"file:///etc/passwd"}`, false) }},
		{"display commands that fail in different ways", n, 40, func(i int) {
			send("TG_Screen/display", fmt.Sprintf(`{"imageUri":"x%s:%d"}`, strings.Repeat("y", i%50), i), false)
		}},
		{"payloads that are no JSON", n, 40, func(i int) { send("TG_Screen/display", strings.Repeat("{", i%100+1), false) }},
		{"payloads of 500 KB", n / 100, 40, func(i int) { send("TG_Screen/display", fmt.Sprintf(`{"imageUri":"%d%s"}`, i, huge), false) }},
		{"names of 500 KB", n / 100, 40, func(i int) { send("TG_Screen/display", fmt.Sprintf(`{"%d%s": 1, "imageUri": {}}`, i, huge), false) }},
		{"a capture command, repeated", 4 * n, 10, func(int) { send("TG_Camera/capture", `{"token":"x"}`, false) }},
		{"capture commands without a token, retained", n, 40, func(int) { send("TG_Camera/capture", `{}`, true) }},
		{"answers to nothing", n, 40, func(int) { send("TG_Camera/capture/finished", `{"lastClickedImage": 7}`, false) }},
		{"events that are none", n, 40, func(i int) {
			send("TG_MS/motion", []string{"nonsense", `{"isMotionDetected": 7}`, ``, `[]`}[i%4], false)
		}},
		{"topics without a subscriber", n, 10, func(i int) { send(fmt.Sprintf("a/%d", i), "{}", false) }},
		{"requests of others", n / 10, 10, func(int) {
			r, err := http.NewRequest("GET", "http://"+web+"/healthz", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "evil.example"
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s", resp.Status)
			}
		}},
		{"what is no HTTP", n / 10, 10, func(int) { raw(web, "GARBAGE\r\n\r\n") }},
		{"what is no MQTT", n / 10, 10, func(int) { raw(l.agent.Endpoint(), "\x10\xff\xff\xff\xff\xff") }},
	} {
		t.Run(flood.name, func(t *testing.T) {
			logged, before := len(l.log.String()), l.agent.links.shared.Stats()
			disk, measured := writtenToDisk(t)
			first := time.Now()
			usual := l.show()
			began := time.Now()
			for i := range flood.n {
				flood.send(i)
			}
			// The last command wins: the good one is to be it. What was sent before is with the
			// broker when this is acknowledged.
			if err := link.Publish(t.Context(), mqttlink.Message{Topic: "over", QoS: 1}); err != nil {
				t.Fatal(err)
			}
			if err := link.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			good := l.show()
			after := l.agent.links.shared.Stats()
			lines, size := written(l.log.String()[logged:])
			if lines > flood.lines || size > 400*flood.lines {
				t.Errorf("%d lines of %d bytes are logged, at most %d", lines, size, flood.lines)
			}
			if after.Outbox.Dropped > before.Outbox.Dropped {
				t.Errorf("%d messages had to make room", after.Outbox.Dropped-before.Outbox.Dropped)
			}
			// Readings are published meanwhile: five each 100 ms, and an answer a second.
			if most := 100 + 100*uint64((took+good)/time.Second+1); after.Accepted-before.Accepted > most {
				t.Errorf("%d messages went through the outbox, at most %d", after.Accepted-before.Accepted, most)
			}
			now, _ := writtenToDisk(t)
			disk = now - disk
			if most := 256<<10*int64(time.Since(first)/time.Second+1) + l.prepared(first); measured && disk > most {
				t.Errorf("%d bytes are written to the disk, at most %d", disk, most)
			}
			if good > max(slow*time.Second, 5*usual) { // a machine that is busy otherwise is slow without a flood, too
				t.Errorf("a good command took %v, and %v before", good, usual)
			}
			t.Logf("%d in %v: %d lines, %d bytes logged, %d bytes written to the disk, %d messages through the outbox; the next good command took %v",
				flood.n, took.Round(time.Millisecond), lines, size, disk, after.Accepted-before.Accepted, good.Round(time.Millisecond))
		})
	}
	if n := l.logLines(); n > 300 {
		t.Errorf("%d lines are logged in all, sums included", n)
	}
}

// written counts the lines of a log and their bytes, without the sums: those come a
// second or more behind their flood, while another one is under way.
func written(log string) (lines, size int) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, " repeated=") && !strings.Contains(line, " left_out=") {
			lines, size = lines+1, size+len(line)
		}
	}
	return lines, size
}

// writtenToDisk returns the bytes that this process has caused to be written to a disk, as
// Linux counts them, page by page (proc_pid_io(5)); what goes to sockets is not among them.
// It reports false where that is not counted: the state folder is in memory, or this is no
// Linux.
func writtenToDisk(t *testing.T) (int64, bool) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return n, true
}

// prepared returns the size of what the outbox has made ready since then for messages to
// come: it does so at its first one, and when a file is full, whoever sent it.
func (l *lab) prepared(since time.Time) (n int64) {
	l.t.Helper()
	spares, err := filepath.Glob(filepath.Join(l.folder, "*", "*.spare"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, name := range spares {
		// The kernel's time of a file is that of the last tick.
		if s, err := os.Stat(name); err == nil && s.ModTime().After(since.Add(-time.Second)) {
			n += s.Size()
		}
	}
	return n
}
