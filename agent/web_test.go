package agent

import (
	"log/slog"
	"testing"

	"pithings/agent/config"
)

func TestNextFreePort(t *testing.T) {
	first, err := newWeb(&config.HTTP{Listen: "127.0.0.1:0", MaxConnections: 64}, 1, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if w, err := newWeb(&config.HTTP{Listen: first.Addr().String(), MaxConnections: 64}, 1, slog.New(slog.DiscardHandler)); err == nil {
		w.Close()
		t.Error("two on one port")
	}
	next, err := newWeb(&config.HTTP{Listen: first.Addr().String(), MaxConnections: 64}, portsTried, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if next.Addr().Port <= first.Addr().Port {
		t.Errorf("%v after %v", next.Addr(), first.Addr())
	}
	for _, bad := range []string{"", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"} {
		if w, err := newWeb(&config.HTTP{Listen: bad, MaxConnections: 64}, 1, slog.New(slog.DiscardHandler)); err == nil {
			w.Close()
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
