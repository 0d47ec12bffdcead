package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pithings/agent/control"
	"pithings/mqttlink/outbox"
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
				Serve(s, func(id string) outbox.Box {
					if id == "a/b" {
						return box
					}
					return nil
				})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx) }()
				defer func() { cancel(); <-ended }()
			} else if err := box.Close(); err != nil {
				t.Fatal(err)
			}
			src, err := OpenSource(r.state.QueueDir("a/b"), "a/b", client)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			list := func() (seqs []uint64) {
				t.Helper()
				if err := src.Each(t.Context(), func(l Line) error { seqs = append(seqs, l.Seq); return nil }); err != nil {
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
			if got, err := src.Purge(t.Context(), chosen); err != nil || got != len(chosen) {
				t.Errorf("%d purged, %v; want %d", got, err, len(chosen))
			}
			if left := list(); len(left) != n-len(chosen) || left[0] != all[101] {
				t.Errorf("%d are left", len(left))
			}
			if got, err := src.Purge(t.Context(), all); err != nil || got != n-len(chosen) {
				t.Errorf("%d purged, %v", got, err)
			}
			if left := list(); len(left) != 0 {
				t.Errorf("%d are left", len(left))
			}
			if owned {
				other, err := OpenSource(r.state.QueueDir("a/b"), "other", client)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := other.Stats(t.Context()); err == nil || !strings.Contains(err.Error(), `no connection with the client id "other"`) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
