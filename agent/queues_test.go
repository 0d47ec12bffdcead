package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// What an agent could not deliver in one life is delivered in the next, in order
// and before anything newer, also when its client id has changed meanwhile.
func TestBacklogOutlivesTheAgent(t *testing.T) {
	dir := t.TempDir()
	addr := freeAddr(t)
	run := func(id string, ready func(*Agent)) {
		t.Helper()
		cfg, _, err := config.Parse("test", fmt.Appendf(nil, "mqtt: {endpoint: \"mqtt://%s\", client_id: %s, reconnect: {min: 100ms, max: 100ms}}\nhttp: {listen: \"127.0.0.1:0\"}\n"+
			"things: [{name: bme680, type: environment, interval: 100ms, schema: script}]\n", addr, id), nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(Options{Config: cfg, Board: mock.New(mock.Options{}), State: dir, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		ready(a)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	queued := func(a *Agent) QueueState {
		w := httptest.NewRecorder()
		get(t, a, w, "/healthz")
		var health struct{ Queues map[string]QueueState }
		if err := json.Unmarshal(w.Body.Bytes(), &health); err != nil {
			t.Fatal(err)
		}
		return health.Queues["shared"]
	}
	var left QueueState
	for _, id := range []string{"a", "a", "b"} {
		run(id, func(a *Agent) {
			before := left.Messages
			for left = queued(a); left.Messages < before+15; left = queued(a) {
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	if left.Messages < 45 || left.Oldest == nil || left.Bytes == 0 || left.Refused == "" {
		t.Fatalf("/healthz says %+v", left)
	}

	b, err := broker.Start(addr, broker.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var mu sync.Mutex
	var sequences []int
	o := mqttlink.DefaultOptions()
	o.Endpoint = b.Endpoint()
	listener, err := mqttlink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listener.Subscribe("bme680/temperature", 1, func(_ context.Context, m mqttlink.Message) {
		var p struct{ Sequence int }
		if err := json.Unmarshal(m.Payload, &p); err != nil {
			t.Error(err)
		}
		mu.Lock()
		sequences = append(sequences, p.Sequence)
		mu.Unlock()
	}); err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{}, 1)
	if _, err := listener.Subscribe("listening", 1, func(context.Context, mqttlink.Message) {
		select {
		case heard <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { listener.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	for listening := false; !listening; { // a session is established before its subscriptions are
		if err := listener.Publish(t.Context(), mqttlink.Message{Topic: "listening"}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			listening = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	run("b", func(a *Agent) {
		for queued(a).Messages > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	})
	mu.Lock()
	defer mu.Unlock()
	runs, next := 0, 0
	for _, n := range sequences {
		if n == 0 {
			runs, next = runs+1, 0
		}
		if n != next {
			t.Fatalf("sequences %v", sequences)
		}
		next++
	}
	if runs < 3 {
		t.Errorf("readings of %d runs arrived, want 3: %v", runs, sequences)
	}
}

// freeAddr is an address without a listener.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
