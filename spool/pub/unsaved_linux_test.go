package pub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
	"pithings/spool/state"
)

// smallDisk mounts a file system for the test.
func smallDisk(t *testing.T, size int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("pub-test", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// On a full disk lines are held, which is reported, and become safe by themselves when
// there is room; if the process has to end before that, it says so.
func TestFullDisk(t *testing.T) {
	for _, handedOver := range []bool{false, true} {
		t.Run(fmt.Sprintf("handed over %v", handedOver), func(t *testing.T) {
			dir := smallDisk(t, 3<<20)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			state := filepath.Join(dir, "state")
			if handedOver {
				o := options(state, nil, nil)
				o.Queue = outbox.DiskOptions{Retry: 10 * time.Millisecond}
				l, err := own(&o, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer l.close()
			}
			in, feed := io.Pipe()
			var out watched
			o := options(state, in, &out)
			o.Queue = outbox.DiskOptions{Retry: 10 * time.Millisecond}
			ended := make(chan error)
			go func() { ended <- Run(t.Context(), o) }()
			const lines = 1500
			for range lines {
				fmt.Fprintln(feed, strings.Repeat("x", 1000))
			}
			out.wait(t, fmt.Sprintf("held %d\n", lines))
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			out.wait(t, fmt.Sprintf("safe %d\n", lines))
			feed.Close()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			var safe strings.Builder
			for line := range strings.Lines(out.b.String()) {
				if strings.HasPrefix(line, "safe") {
					safe.WriteString(line)
				}
			}
			if safe.String() != verdicts(1, lines) {
				t.Errorf("%.300s", safe.String())
			}
		})
	}
}

// A disk that stays full.
func TestUnsafeEnd(t *testing.T) {
	dir := smallDisk(t, 64<<10)
	in, feed := io.Pipe()
	var out watched
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	var rest Rest
	o := options(dir, in, &out)
	o.Rest = func(r Rest) { rest = r }
	go func() { ended <- Run(ctx, o) }()
	fmt.Fprintln(feed, "x")
	out.wait(t, "safe 1\n")
	fmt.Fprintln(feed, strings.Repeat("x", 100<<10))
	out.wait(t, "held 2\n")
	cancel()
	var unsafe *UnsafeError
	if err := <-ended; !errors.As(err, &unsafe) || unsafe.Unsafe != 1 {
		t.Errorf("%v", err)
	}
	// Nothing delivers later what was in memory only (iotedge#835: a full disk).
	if rest.Left != 1 || rest.Lost != 1 {
		t.Errorf("%d kept, %d lost", rest.Left, rest.Lost)
	}
}

// A disk that was full before anything was kept there: not even the client id can be
// written. What becomes safe later is found by the next process, which makes another.
func TestFullDiskAtFirst(t *testing.T) {
	dir := smallDisk(t, 3<<20)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	stateDir := filepath.Join(dir, "state")
	in, feed := io.Pipe()
	var out watched
	o := options(stateDir, in, &out)
	o.Queue = outbox.DiskOptions{Retry: 10 * time.Millisecond}
	ended := make(chan error)
	go func() { ended <- Run(t.Context(), o) }()
	fmt.Fprintln(feed, "first")
	out.wait(t, "held 1\n")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	out.wait(t, "safe 1\n")
	feed.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	out = watched{}
	if err := Run(t.Context(), options(stateDir, strings.NewReader("second\n"), &out)); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, stateDir); len(got) != 2 || got[0] != "first" || got[1] != "second" {
		t.Errorf("%q", got)
	}
	s := state.Folder{Dir: stateDir}
	if id, err := s.ClientID(slog.New(slog.DiscardHandler)); err != nil || filepath.Base(onlyQueue(t, stateDir)) != id {
		t.Errorf("the client id is %s, %v; the queue is in %s", id, err, onlyQueue(t, stateDir))
	}
}
