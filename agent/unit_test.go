package agent

import (
	"sync"
	"testing"
)

// Tasks may begin while another goroutine waits for their end, which then has them all: run with
// -race.
func TestTasks(t *testing.T) {
	for range 100 {
		var all tasks
		var begun, ended int // of tasks and waits: no lock is needed
		var adders sync.WaitGroup
		adders.Go(func() {
			all.Go(func() { begun++; ended++ })
		})
		all.Wait()
		if begun != ended {
			t.Fatalf("%d have begun, %d have ended", begun, ended)
		}
		adders.Wait()
		all.Go(func() { t.Error("a task begins after the end") })
		all.Wait()
	}
}
