package events

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/test/binary"
)

func TestMain(m *testing.M) { binary.Main(m) }

// streams is how many there are, and span how long each figure is measured.
const (
	streams = 50
	span    = 30 * time.Second
)

// BenchmarkStreams reports percent of a core without a client, with fifty streams, and what these
// add.
func BenchmarkStreams(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	agent := exec.Command(binary.Path, "run", "--mock", "--listen", addr)
	agent.Env = append(os.Environ(), "HOME="+b.TempDir())
	if err := agent.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
	}()
	var answer *http.Response
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if answer, err = http.Get("http://" + addr + "/healthz"); err == nil {
			answer.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		alone := percent(b, agent.Process.Pid)
		events := make(chan int, streams)
		var bodies []io.Closer
		for range streams {
			answer, err := http.Get("http://" + addr + "/api/v1/events")
			if err != nil {
				b.Fatal(err)
			}
			bodies = append(bodies, answer.Body)
			if answer.StatusCode != http.StatusOK {
				b.Fatal(answer.Status)
			}
			go func() { events <- count(answer.Body) }()
		}
		with := percent(b, agent.Process.Pid)
		for _, body := range bodies {
			body.Close()
			if n := <-events; n < 5 {
				b.Errorf("a stream had %d events", n)
			}
		}
		b.ReportMetric(alone, "%core-alone")
		b.ReportMetric(with, "%core-50-streams")
		b.ReportMetric(with-alone, "%core-added")
	}
}

// count reads a stream to its end, and returns how many events it had.
func count(r io.Reader) (n int) {
	lines := bufio.NewScanner(r)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "event: ") {
			n++
		}
	}
	return n
}

// percent is the processor time of a process in a span, of one core.
func percent(b *testing.B, pid int) float64 {
	began, before := time.Now(), ticks(b, pid)
	time.Sleep(span) // it is what is measured
	return float64(ticks(b, pid)-before) / 100 / time.Since(began).Seconds() * 100
}

// ticks are hundredths of a second of a process (proc_pid_stat(5), fields 14 and 15).
func ticks(b *testing.B, pid int) int {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}
