package system

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/test/emulated/guest"
)

// outboxes is where the programs keep what waits while the power is cut.
const outboxes = guest.Disk + "/outboxes"

// untilTheCut returns the broker's address of a test during which the power is cut.
func untilTheCut(t *testing.T) (broker string) {
	t.Helper()
	broker = os.Getenv("PITHINGS_TEST_CUT_BROKER")
	if broker == "" {
		t.Skip("skipped: this machine's power is not cut while messages wait")
	}
	return broker
}

// configure writes a configuration whose connection comes back soon.
func configure(t *testing.T, broker, more string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "pithings.yaml")
	text := fmt.Sprintf("mqtt: {endpoint: \"mqtt://%s\", client_id: guest, status: false, reconnect: {min: 200ms, max: 500ms}}\nstate: %s\n%s", broker, outboxes, more)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAlwaysUntilThePowerIsCut feeds pithings pub with lines and says which are safe.
func TestAlwaysUntilThePowerIsCut(t *testing.T) {
	broker := untilTheCut(t)
	cmd := exec.Command("/bin/pithings", "pub", "-l", "-t", "lines", "--config", configure(t, broker, ""))
	cmd.Env, cmd.Stderr = []string{"HOME=/tmp", "PATH=/bin"}, os.Stdout
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for n := 1; ; n++ {
			if _, err := fmt.Fprintln(in, guest.Numbered(n)); err != nil {
				return
			}
			if n%50 == 0 {
				time.Sleep(400 * time.Millisecond) // in which some are delivered
			}
		}
	}()
	verdicts := bufio.NewReader(out)
	for {
		line, err := verdicts.ReadString('\n')
		if err != nil {
			break
		}
		// They come by hundreds, in order, and the console is slow: the last one is enough.
		if ready, _ := verdicts.Peek(verdicts.Buffered()); !strings.Contains(string(ready), "\n") {
			fmt.Print(line)
		}
	}
	t.Errorf("pub ended: %v", cmd.Wait())
}

// TestIntervalUntilThePowerIsCut lets the agent publish readings, which are numbered
// and dated, and says what time it is.
func TestIntervalUntilThePowerIsCut(t *testing.T) {
	broker := untilTheCut(t)
	config := configure(t, broker, fmt.Sprintf(`
http: {listen: "127.0.0.1:0"}
clock: trust
things:
  - {name: weather, type: environment, bus: %q, interval: 100ms, schema: script, heater: {enabled: false},
     oversampling: {temperature: 1, pressure: 0, humidity: 0}, extra: {padding: %q}}
`, bus, strings.Repeat("x", 12_000)))
	cmd := exec.Command("/bin/pithings", "run", "--config", config)
	cmd.Env = []string{"HOME=/tmp", "PATH=/bin"}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	works, ended := make(chan struct{}), make(chan error)
	go func() {
		var once sync.Once
		for s := bufio.NewScanner(said); s.Scan(); {
			fmt.Println(s.Text())
			if strings.Contains(s.Text(), "part works") {
				once.Do(func() { close(works) })
			}
		}
		ended <- cmd.Wait()
	}()
	select {
	case <-works:
	case err := <-ended:
		t.Fatalf("the agent ended: %v", err)
	}
	for {
		fmt.Printf("now %d\n", time.Now().UnixMicro())
		select {
		case err := <-ended:
			t.Fatalf("the agent ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
