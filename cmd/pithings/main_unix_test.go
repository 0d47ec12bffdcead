//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// `config check FIFO` hung and ignored SIGTERM. What can be no configuration is refused
// at once, and what waits for a pipe on purpose ends when it is asked to.
func TestPipesDoNotHoldCommandsUp(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	open, writer := io.Pipe() // a terminal without input
	defer writer.Close()
	for _, c := range []struct {
		args  string
		says  string
		waits bool
	}{
		{"config check FIFO", "but a pipe", false},
		{"config check /dev/zero", "but a device", false},
		{"config check .", "but a folder", false},
		{"run --config FIFO", "but a pipe", false},
		{"flow validate FIFO", "but a pipe", false},
		{"doctor --config FIFO", "but a pipe", false},
		{"queue ls --config FIFO", "but a pipe", false},
		{"pub -h 127.0.0.1 -t a -f FIFO", "canceled", true},
		{"pub -h 127.0.0.1 -t a -s", "canceled", true},
		{"queue import FIFO", "canceled", true},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", t.TempDir())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.waits {
				cancel() // SIGTERM
			}
			var said bytes.Buffer
			code := make(chan int, 1)
			go func() {
				code <- execute(ctx, strings.Fields(strings.ReplaceAll(c.args, "FIFO", fifo)), open, &said, &said)
			}()
			select {
			case n := <-code:
				if n == 0 || !strings.Contains(said.String(), c.says) {
					t.Errorf("exit status %d: %s", n, &said)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it hangs")
			}
		})
	}
}

// A signal ends every command, also one that does not listen.
func TestSignalEndsEveryCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		defer close(release)
		var said bytes.Buffer
		began := time.Now()
		time.AfterFunc(time.Minute, cancel)
		code := within(ctx, endsWithin, &said, func() int { <-release; return exitOK })
		if took := time.Since(began); code != exitFailure || took != time.Minute+endsWithin || !strings.Contains(said.String(), "did not end") {
			t.Errorf("exit status %d after %v: %s", code, took, &said)
		}
	})
	if code := within(t.Context(), endsWithin, io.Discard, func() int { return 7 }); code != 7 {
		t.Errorf("exit status %d", code)
	}
}
