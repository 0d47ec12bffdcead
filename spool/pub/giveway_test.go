package pub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink"
	"pithings/spool/state"
)

// An agent that starts while a pub reads lines gets the folder, and the pub continues
// beside it, and by itself when the agent has ended.
func TestAgentTakesFolderOfPub(t *testing.T) {
	dir := t.TempDir()
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), options(dir, in, out)) }()
	line := func(n int) {
		t.Helper()
		fmt.Fprintln(feed, n)
		var fate string
		var number int
		if _, err := fmt.Fscanln(answers, &fate, &number); err != nil || fate != "safe" || number != n {
			t.Fatal(fate, number, err)
		}
	}
	line(1)
	s := state.Folder{Dir: dir}
	if err := Take(t.Context(), &s, time.Second); err != nil {
		t.Fatal(err)
	}
	s.Close() // who asked has some time for that
	agent := newOwner(t, dir)
	line(2)
	if agent.box.Len() != 2 {
		t.Errorf("the agent has %d messages, want 2", agent.box.Len())
	}
	// A second agent does not get it.
	other := state.Folder{Dir: dir}
	if err := Take(t.Context(), &other, 50*time.Millisecond); !errors.Is(err, state.ErrInUse) {
		t.Errorf("%v", err)
	}
	agent.stop()
	line(3)
	feed.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(kept(t, dir), " "); got != "1 2 3" {
		t.Errorf("kept: %s", got)
	}
}

// A drain that waits for a broker keeps no process from publishing.
func TestPubBesideDrain(t *testing.T) {
	dir := t.TempDir()
	if err := Run(t.Context(), options(dir, strings.NewReader("1\n"), io.Discard)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		o := options(dir, nil, nil)
		o.Link.Endpoint, o.Link.Dial = "mqtt://192.0.2.1", refuse
		first := true
		ended <- Drain(ctx, o, func(Progress) {
			if first {
				close(begun)
			}
			first = false
		})
	}()
	<-begun
	var out strings.Builder
	if err := Run(t.Context(), options(dir, strings.NewReader("2\n"), &out)); err != nil || out.String() != "safe 1\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	cancel()
	var left *NotEmptyError
	if err := <-ended; !errors.As(err, &left) {
		t.Errorf("%v", err)
	}
	if got := strings.Join(kept(t, dir), " "); got != "1 2" {
		t.Errorf("kept: %s", got)
	}
}

// A drain continues by itself when the owner that it watched has ended.
func TestDrainAfterTheOwner(t *testing.T) {
	dir := t.TempDir()
	first := newOwner(t, dir)
	if err := first.put(t.Context(), []mqttlink.Message{{Topic: "t", QoS: 1}}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	begun := make(chan struct{}, 100)
	go func() {
		ended <- Drain(t.Context(), options(dir, nil, nil), func(Progress) { begun <- struct{}{} })
	}()
	<-begun
	first.stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "1 messages wait: name the broker with -e") {
		t.Errorf("%v", err)
	}
}
