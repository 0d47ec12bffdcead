package script

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Scripts that compute without an end, in loops or in a regular expression, leave room for one
// that does not.
func TestScriptsTakeTurns(t *testing.T) {
	for _, code := range []string{
		"def f():\n    while True: pass\n",
		"import re\ndef f():\n    while True: re.match('(?:a|aa)+$', 'a' * 100000 + 'b')\n",
	} {
		ctx, cancel := context.WithCancel(context.Background())
		var busy sync.WaitGroup
		for i := range runtime.GOMAXPROCS(0) + 1 {
			s, err := start(t, code, Options{Limits: Limits{Steps: 1 << 30, Memory: 64 << 20, Depth: 100, Time: time.Hour}})
			if err != nil {
				t.Fatal(err)
			}
			busy.Go(func() {
				if v, err := s.Call(ctx, "f"); err == nil {
					t.Errorf("script %d returned %v", i, v)
				}
			})
		}
		for i := range 20 {
			s, err := start(t, fmt.Sprintf("def f():\n    return sum(range(%d))\n", 10*i), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if v, err := s.Call(context.Background(), "f"); err != nil || v != Int(5*i*(10*i-1)) {
				t.Errorf("%v, %v", v, err)
			}
		}
		cancel()
		busy.Wait()
	}
}
