package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// lineOf is a writer that reports when a text has been written.
type lineOf struct {
	want    string
	written func()
}

func (l lineOf) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.want) {
		l.written()
	}
	return len(p), nil
}

// publish prints each reading: its transcript runs.
func TestPublishPrintsItsReadings(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	printed := false
	c := newRoot()
	c.SetOut(lineOf{"Queued topic a/b: ", func() {
		printed = true
		cancel()
	}})
	c.SetErr(io.Discard)
	c.SetArgs([]string{"publish", "-t", "a/b", "--mock", "--interval", "20ms", "-e", "mqtt://127.0.0.1:1", "--state", t.TempDir()})
	_ = c.ExecuteContext(ctx) // what waits is an exit code of its own
	if !printed {
		t.Error("nothing is printed")
	}
}
