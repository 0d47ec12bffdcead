package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/spool/pub"
)

// runPub runs pub with a standard input, and returns what it says and its error.
func runPub(t *testing.T, stdin string, args ...string) (said string, err error) {
	t.Helper()
	t.Setenv("PITHINGS_CONFIG", "")
	c := newPub()
	var out bytes.Buffer
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err = c.ExecuteContext(t.Context())
	return out.String(), err
}

// TestEmptyRetainedMessageIsMeant: what makes the message has failed, and the retained one
// is deleted (telegraf#13535). There is -n for who wants that.
func TestEmptyRetainedMessageIsMeant(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-s"}, {"-f", empty}, {"-f", "-"}, {"-m", ""}} {
		dir := t.TempDir()
		_, err := runPub(t, "", append(args, "-r", "-t", "a", "--state", dir)...)
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "if you mean it, give -n") {
			t.Errorf("%v: error %v", args, err)
		}
		if queues, _ := filepath.Glob(filepath.Join(dir, "queue*", "*")); len(queues) != 0 {
			t.Errorf("%v: kept %v", args, queues)
		}
	}
	for _, args := range [][]string{{"-n", "-r"}, {"-s"}, {"-m", ""}} {
		if said, err := runPub(t, "", append(args, "-t", "a", "--state", t.TempDir())...); err != nil {
			t.Errorf("%v: %v, %s", args, err, said)
		}
	}
}

// TestSilentBrokerIsNamed: a broker that accepts the connection and says nothing
// (mqtt-cli#147: exit 0, no output). The message is safe: that is exit 0; but not delivered.
func TestSilentBrokerIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	endpoint := "mqtt://" + l.Addr().String()
	dir := t.TempDir()
	said, err := runPub(t, "", "-m", "x", "-t", "a", "--state", dir, "-e", endpoint, "--linger", "200ms")
	if err != nil || !strings.Contains(said, "not delivered yet: no answer from "+endpoint) {
		t.Errorf("error %v, said %q", err, said)
	}
	_, err = runPub(t, "", "--drain", "--state", dir, "-e", endpoint, "--timeout", "200ms")
	if err == nil || !strings.Contains(err.Error(), "1 message is not delivered yet: no answer from "+endpoint) {
		t.Errorf("drain: error %v", err)
	}
}

// TestTimeoutOnAFullDisk: without a broker, a message that cannot be written waited for ever
// (field case M14). --timeout bounds it, with exit status 1.
func TestTimeoutOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("pub-test", dir, "tmpfs", 0, "size=65536"); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if _, err := runPub(t, "", "-m", "x", "-t", "a", "--state", dir); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := runPub(t, strings.Repeat("x", 100<<10), "-s", "-t", "a", "--state", dir, "--timeout", "300ms")
	var unsafe *pub.UnsafeError
	if !errors.As(err, &unsafe) || unsafe.Unsafe != 1 {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// What was in memory only, because the disk is full, ends with a command that publishes by
// itself, which said so and ended with 0.
func TestLostOnAFullDiskIsNoSuccess(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("run-test", dir, "tmpfs", 0, "size=65536"); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(dir, "simulated"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.WriteFile(filepath.Join(dir, "full"), make([]byte, 65536), 0o600) // as much of it as there is room for
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := awaited{text: "messages are kept in memory", then: cancel}
	code := execute(ctx, []string{"ms", "--mock", "-e", "mqtt://127.0.0.1:1", "--state", dir}, strings.NewReader(""), io.Discard, &errs)
	if code != exitFailure || !strings.Contains(errs.String(), "1 message is lost") {
		t.Errorf("exit status %d:\n%s", code, &errs)
	}
}
