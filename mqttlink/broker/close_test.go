package broker

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// The library locks its list of clients for reading twice when it closes them; a client
// that left in between held up Close for ever, in one of some 2000 runs.
func TestCloseWhileClientsLeave(t *testing.T) {
	for i := range 150 {
		b, err := Start("127.0.0.1:0", Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []*wire
		for j := range 8 {
			w := dialWire(t, b.Addr())
			w.connect(fmt.Sprint("c", j), 2)
			all = append(all, w)
		}
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() { w.Close() })
		}
		done := make(chan struct{})
		go func() { b.Close(); close(done) }()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("broker %d does not close", i)
		}
		wg.Wait()
	}
}
