package control

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestAskAndServe(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	ready := make(chan struct{})
	go func() {
		go func() { // Serve has no other way to say that it listens
			for {
				if c, err := net.Dial("unix", socket); err == nil {
					c.Close() // and an asker that says nothing
					close(ready)
					return
				}
			}
		}()
		served <- Serve(ctx, socket, func(q Request) (Reply, error) {
			if q.Do == "fail" {
				return Reply{}, errors.New("no such bus")
			}
			return Reply{Data: append([]byte(q.Do), byte(q.N))}, nil
		})
	}()
	<-ready
	if r, err := Ask(socket, Request{Do: "nack", N: 3}); err != nil || string(r.Data) != "nack\x03" {
		t.Errorf("%q, %v", r.Data, err)
	}
	if _, err := Ask(socket, Request{Do: "fail"}); err == nil || !strings.Contains(err.Error(), "no such bus") {
		t.Errorf("error %v, want the helper's", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := Ask(socket, Request{Do: "nack"}); err == nil {
		t.Error("a helper that has ended answers")
	}
}
