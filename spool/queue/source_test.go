package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"pithings/mqttlink/outbox"
	"pithings/spool/control"
)

// An outbox looks the same from its own process and from another one.
func TestSource(t *testing.T) {
	for _, owned := range []bool{false, true} {
		t.Run(fmt.Sprintf("owned %v", owned), func(t *testing.T) {
			r := newRig(t)
			box := r.open("", "a/b")
			const n = 3000
			for i := range n {
				if _, err := box.Append(outbox.Record{Topic: "t", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
					t.Fatal(err)
				}
			}
			client := control.NewClient(r.state.Socket())
			defer client.Close()
			if owned {
				s, err := control.Listen(r.state.Socket(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				s.Serve(Routes(func(id string) outbox.Box {
					if id == "a/b" {
						return box
					}
					return nil
				}, r.state.QueueDir)...)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx) }()
				defer func() { cancel(); <-ended }()
			} else if err := box.Close(); err != nil {
				t.Fatal(err)
			}
			src := OpenSource(r.state.QueueDir("a/b"), "a/b", client)
			var payloads []string
			list := func() (seqs []uint64) {
				t.Helper()
				payloads = nil
				if err := src.Each(t.Context(), func(l Line) error {
					seqs, payloads = append(seqs, l.Seq), append(payloads, *l.Payload)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if c, err := src.Stats(t.Context()); err != nil || c.Messages != len(seqs) {
					t.Errorf("%+v, %v; want %d messages", c, err, len(seqs))
				}
				return seqs
			}
			all := list()
			if len(all) != n {
				t.Fatalf("%d messages", len(all))
			}
			// The first hundred, and every third of the rest.
			chosen := append([]uint64(nil), all[:100]...)
			for i := 100; i < n; i += 3 {
				chosen = append(chosen, all[i])
			}
			// So many gaps an owner keeps in memory only, which it says.
			if got, err := src.Purge(t.Context(), chosen); owned != errors.Is(err, ErrNotKept) || !owned && err != nil || got != len(chosen) {
				t.Errorf("%d purged, %v; want %d", got, err, len(chosen))
			}
			left := list()
			if len(left) != n-len(chosen) {
				t.Errorf("%d are left", len(left))
			}
			for i, p := range payloads { // in their order
				if want := fmt.Sprint(101 + i/2*3 + i%2); p != want {
					t.Fatalf("message %d is %s, want %s", i, p, want)
				}
			}
			if got, err := src.Purge(t.Context(), left); err != nil || got != n-len(chosen) {
				t.Errorf("%d purged, %v", got, err)
			}
			if left := list(); len(left) != 0 {
				t.Errorf("%d are left", len(left))
			}
			if owned {
				// Of what the owner has no connection for, the files are read.
				box, err := outbox.Open(r.state.QueueDir("other"), outbox.DiskOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer box.Close()
				if _, err := box.Append(outbox.Record{Topic: "t", QoS: 1}); err != nil {
					t.Fatal(err)
				}
				if c, err := OpenSource(r.state.QueueDir("other"), "other", client).Stats(t.Context()); err != nil || c.Messages != 1 {
					t.Errorf("%+v, %v", c, err)
				}
			}
		})
	}
}

// Who looks at an outbox, however slowly, does not keep a process from taking it.
func TestLookingLocksNobodyOut(t *testing.T) {
	r := newRig(t)
	box := r.open("", "a")
	for i := range 3 {
		if _, err := box.Append(outbox.Record{Topic: "t", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	client := control.NewClient(r.state.Socket())
	defer client.Close()
	seen := 0
	err := OpenSource(r.state.QueueDir("a"), "a", client).Each(t.Context(), func(Line) error {
		seen++
		box, err := outbox.Open(r.state.QueueDir("a"), outbox.DiskOptions{})
		if err != nil {
			return err
		}
		return box.Close()
	})
	if err != nil || seen != 3 {
		t.Errorf("%d messages, %v", seen, err)
	}
}
